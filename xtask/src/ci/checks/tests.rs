use std::collections::BTreeMap;

use super::*;

#[test]
fn channel_features_are_the_ones_that_turn_on_a_channel() {
    let features = [
        ("default", vec!["alpha"]),
        ("alpha", vec!["dep:anchorhold-channel-alpha"]),
        ("beta", vec!["dep:anchorhold-channel-beta", "alpha"]),
        ("gamma", vec!["anchorhold-channel-gamma"]),
        ("other", vec!["dep:tokio", "anchorhold-channel-alpha/more"]),
    ];
    let host = Package {
        name: HOST.to_owned(),
        dependencies: vec![],
        features: features
            .map(|(name, on)| {
                let on = on.into_iter().map(str::to_owned).collect();
                (name.to_owned(), on)
            })
            .into_iter()
            .collect::<BTreeMap<_, _>>(),
    };
    assert_eq!(channel_features(&host), ["alpha", "beta", "gamma"]);
}

#[test]
fn packages_are_counted_once() {
    let tree = "anchorhold-host v0.1.0 (/w/crates/host)\n\
        serde v1.0.0\nserde v1.0.0 (*)\nsyn v2.0.0 (proc-macro)\nsyn v3.0.0\n\n";
    assert_eq!(count(tree), 4);
}

#[test]
fn the_budget_has_two_ends() {
    assert!(within_budget(0).is_err());
    assert_eq!(within_budget(349).unwrap(), "349 of fewer than 350");
    assert!(within_budget(350).is_err());
}
