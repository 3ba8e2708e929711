//! What this build can do.

use std::collections::BTreeSet;

use super::*;

#[test]
fn each_type_has_one_name() {
    let compiled = compiled();
    let names: BTreeSet<_> = compiled.iter().map(|one| one.factory.type_name).collect();
    assert_eq!(names.len(), compiled.len());
    assert!(names.contains("cli"));
    let known: Vec<_> = types(&compiled)
        .iter()
        .map(|one| (one.name, one.unknown_senders))
        .collect();
    let expect: Vec<_> = compiled
        .iter()
        .map(|one| (one.factory.type_name, one.unknown_senders))
        .collect();
    assert_eq!(known, expect);
}

/// Strangers are heard only where there are none.
#[test]
fn only_a_channel_of_this_machine_is_open_to_everybody() {
    for channel in compiled() {
        let open = channel.unknown_senders == UnknownSenderPolicy::Public;
        assert_eq!(open, channel.factory.type_name == "cli", "{channel:?}");
    }
}
