use std::collections::BTreeMap;

use super::*;
use crate::workspace::Dependency;

const NONE: [&str; 0] = [];

const CRATES: &[&str] = &[
    "core",
    "admin",
    "channel",
    "channel-cli",
    "channel-kit",
    "channel-other",
    "sessiondb",
    "store",
    "runner",
    "broker",
    "agent-runner",
    "host",
    "sim",
    "xtask",
];

/// The findings in a workspace where one crate depends on another, and nothing else does.
fn findings(from: &str, to: &str, kind: Option<&str>) -> Vec<String> {
    let packages: Vec<_> = CRATES
        .iter()
        .map(|name| Package {
            name: full(name),
            dependencies: if *name == from {
                vec![Dependency {
                    name: full(to),
                    kind: kind.map(str::to_owned),
                }]
            } else {
                vec![]
            },
            features: BTreeMap::new(),
        })
        .collect();
    check(&packages).iter().map(Finding::to_string).collect()
}

fn full(name: &str) -> String {
    match name {
        "xtask" | "serde" => name.to_owned(),
        _ => format!("anchorhold-{name}"),
    }
}

#[test]
fn the_arrows_of_the_architecture_are_allowed() {
    for (from, to) in [
        ("core", "serde"),
        ("admin", "core"),
        ("channel", "core"),
        ("channel-cli", "channel"),
        ("channel-cli", "core"),
        ("channel-kit", "channel"),
        ("channel-other", "channel-kit"),
        ("sessiondb", "core"),
        ("store", "core"),
        ("runner", "core"),
        ("broker", "core"),
        ("agent-runner", "admin"),
        ("agent-runner", "sessiondb"),
        ("host", "admin"),
        ("host", "channel-cli"),
        ("host", "broker"),
        ("sim", "host"),
        ("sim", "agent-runner"),
    ] {
        assert_eq!(findings(from, to, None), NONE, "{from} -> {to}");
    }
}

#[test]
fn all_others_are_found() {
    for (from, to) in [
        ("core", "sessiondb"),
        ("admin", "sessiondb"),
        ("channel", "admin"),
        ("channel", "sessiondb"),
        ("channel-cli", "channel-other"),
        ("channel-cli", "store"),
        ("channel-kit", "channel-other"),
        ("sessiondb", "channel"),
        ("store", "admin"),
        ("store", "sessiondb"),
        ("runner", "sessiondb"),
        ("broker", "runner"),
        ("agent-runner", "runner"),
        ("agent-runner", "channel-cli"),
        ("host", "agent-runner"),
        ("sim", "channel-cli"),
        ("xtask", "core"),
    ] {
        let expected = format!(
            "{}: must not depend on {to} (normal dependency)",
            full(from)
        );
        assert_eq!(findings(from, to, None), [expected]);
    }
}

#[test]
fn tests_and_build_scripts_have_no_other_rules() {
    for kind in ["dev", "build"] {
        let expected = format!("anchorhold-store: must not depend on runner ({kind} dependency)");
        assert_eq!(findings("store", "runner", Some(kind)), [expected]);
    }
}

#[test]
fn a_crate_without_a_rule_is_found() {
    let packages = [Package {
        name: "anchorhold-extra".to_owned(),
        dependencies: vec![],
        features: BTreeMap::new(),
    }];
    assert_eq!(check(&packages).len(), 1);
}
