use jiff::Timestamp;

use super::*;

fn id() -> InstanceId {
    InstanceId {
        install: InstallId::mint(Timestamp::UNIX_EPOCH, [1; 10]),
        session: SessionId::mint(Timestamp::UNIX_EPOCH, [2; 10]),
        generation: Generation(7),
    }
}

#[test]
fn a_name_is_read_back_as_its_instance() {
    assert_eq!(InstanceId::parse(&id().to_string()), Some(id()));
}

#[test]
fn other_names_are_no_instances() {
    let name = id().to_string();
    for wrong in [
        String::new(),
        "anchorhold-".to_owned(),
        name.replace("anchorhold", "other"),
        name.to_uppercase(),
        format!("{name}x"),
        name.replace("-7", "-+7"),
        name.replace("-7", "-07"),
        name.replace("-7", ""),
        name.replace("-7", "-99999999999"),
        "anchorhold-\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}x\u{e9}".to_owned(),
    ] {
        assert_eq!(InstanceId::parse(&wrong), None, "{wrong}");
    }
}
