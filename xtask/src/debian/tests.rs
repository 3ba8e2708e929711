use super::*;

#[test]
fn only_what_is_missing_is_named_and_each_package_once() {
    let needs = [TO_RUN, TO_START_AN_ENGINE].concat();
    let missing = missing(&needs, |probe| matches!(probe, "cc" | "setpriv" | "ip"));
    let probes: Vec<_> = missing.iter().map(|need| need.probe).collect();
    assert_eq!(
        probes,
        [
            "/usr/include/stdio.h",
            "bwrap",
            "dockerd",
            "docker-init",
            "docker"
        ]
    );
    assert_eq!(packages(&missing), ["bubblewrap", "docker.io", "libc6-dev"]);
}

#[test]
fn the_command_to_run_by_hand_is_one_line() {
    assert_eq!(
        by_hand(&["bubblewrap", "gcc"]),
        "sudo apt-get update && sudo apt-get install -y --no-install-recommends bubblewrap gcc"
    );
}

#[test]
fn without_privilege_nothing_runs_as_root() {
    let sh = Shell::new().unwrap();
    assert!(Privilege::None.command(&sh, "true").is_err());
    let as_root = Privilege::Root.command(&sh, "true").unwrap();
    assert_eq!(as_root.to_string(), "true");
    let by_sudo = Privilege::Sudo.command(&sh, "true").unwrap();
    assert_eq!(by_sudo.to_string(), "sudo -n true");
}

#[test]
fn probes_look_at_files_and_programs() {
    assert!(present("/etc"));
    assert!(!present("/no-such-folder"));
    assert!(present("sh"));
}
