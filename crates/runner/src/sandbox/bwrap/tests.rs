use anchorhold_core::{
    ids::{InstallId, SessionId},
    sandbox::Generation,
};
use jiff::Timestamp;

use super::*;
use crate::spec::{Limits, Mount, SandboxUser};

fn spec() -> SandboxSpec {
    SandboxSpec {
        install: InstallId::mint(Timestamp::UNIX_EPOCH, [1; 10]),
        session: SessionId::mint(Timestamp::UNIX_EPOCH, [2; 10]),
        generation: Generation(1),
        root: Root::HostTools,
        command: vec!["/anchorhold/bin/agent-runner".to_owned()],
        env: vec![("A".to_owned(), "b; $(c)".to_owned())],
        workdir: "/workspace".into(),
        mounts: vec![
            Mount {
                source: "/data/in".into(),
                target: "/anchorhold/in".into(),
                access: Access::ReadOnly,
            },
            Mount {
                source: "/data/out".into(),
                target: "/anchorhold/out".into(),
                access: Access::ReadWrite,
            },
        ],
        user: SandboxUser { uid: 5, gid: 6 },
        limits: Limits {
            memory_bytes: 1,
            cpu_millis: 2,
            pids: 3,
            file_bytes: 4,
            tmp_bytes: 5,
        },
        capabilities: Capabilities::None,
        root_access: RootAccess::ReadOnly,
        network: Network::None,
        log: "/log".into(),
    }
}

/// One line an option, for reading.
fn lines(args: &[String]) -> String {
    args.join(" ").replace(" --", "\n--")
}

#[test]
fn a_spec_over_the_hosts_tools() {
    let layout = [
        ("bin".to_owned(), Beside::Link("usr/bin".to_owned())),
        ("lib".to_owned(), Beside::Folder),
    ];
    insta::assert_snapshot!(lines(&hidden(&spec(), &layout, true)));
}

#[test]
fn a_spec_over_a_directory() {
    let spec = SandboxSpec {
        root: Root::Directory("/srv/root".into()),
        ..spec()
    };
    insta::assert_snapshot!(lines(&hidden(&spec, &[], false)));
}

#[test]
fn the_process_list_shows_name_and_command_only() {
    insta::assert_snapshot!(lines(&visible("anchorhold-x", &spec().command)), @r"
    --json-status-fd 3
    --clearenv
    --setenv ANCHORHOLD_SANDBOX anchorhold-x
    --args 4
    -- /anchorhold/bin/agent-runner
    ");
}
