//! Which crate may know which: the arrows of `ARCHITECTURE.md`.

use super::Finding;
use crate::workspace::Package;

const PREFIX: &str = "anchorhold-";

/// The crates of the workspace that one of them may depend on.
#[derive(Clone, Copy, Debug)]
enum Allowed {
    Only(&'static [&'static str]),
    AllBut(fn(&str) -> bool),
}

/// The rule for one crate; a crate without a rule cannot be added unnoticed.
fn allowed(name: &str) -> Option<Allowed> {
    let allowed = match name {
        "core" | "xtask" | "fake-models" => Allowed::Only(&[]),
        "admin" | "channel" | "sessiondb" | "store" | "runner" | "broker" => {
            Allowed::Only(&["core"])
        }
        // The last only for its tests.
        "agent-runner" => Allowed::Only(&["core", "admin", "sessiondb", "fake-models"]),
        "host" => Allowed::AllBut(|name| matches!(name, "agent-runner" | "sim" | "xtask")),
        // It runs the host's stages and the agent-runner's loop, on no real platform.
        "sim" => Allowed::AllBut(|name| name == "xtask" || name.starts_with("channel-")),
        // What channels share knows none of them.
        "channel-kit" => Allowed::Only(&["core", "channel"]),
        _ if name.starts_with("channel-") => Allowed::Only(&["core", "channel", "channel-kit"]),
        _ => return None,
    };
    Some(allowed)
}

/// Dependencies of tests are judged like all others.
pub(super) fn check(packages: &[Package]) -> Vec<Finding> {
    let own: Vec<_> = packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let mut findings = vec![];
    for package in packages {
        let name = short(&package.name);
        let Some(allowed) = allowed(name) else {
            findings.push(Finding::of(
                &package.name,
                "no rule says what this crate may depend on: add one to xtask/src/tidy/dependencies.rs",
            ));
            continue;
        };
        for dependency in &package.dependencies {
            let target = short(&dependency.name);
            if !own.contains(&dependency.name.as_str()) || allowed.allows(target) {
                continue;
            }
            let kind = dependency.kind.as_deref().unwrap_or("normal");
            findings.push(Finding::of(
                &package.name,
                format!("must not depend on {target} ({kind} dependency)"),
            ));
        }
    }
    findings
}

impl Allowed {
    fn allows(self, name: &str) -> bool {
        match self {
            Self::Only(names) => names.contains(&name),
            Self::AllBut(refused) => !refused(name),
        }
    }
}

fn short(name: &str) -> &str {
    name.strip_prefix(PREFIX).unwrap_or(name)
}

#[cfg(test)]
mod tests;
