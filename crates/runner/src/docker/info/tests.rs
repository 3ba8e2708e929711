use super::*;

#[test]
fn what_the_engine_does_not_say_is_not_claimed() {
    let info = describe("1.41", &SystemVersion::default(), &SystemInfo::default());
    let lines: Vec<_> = info.enforcement.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    memory limit: none
    pids limit: none
    cpu limit: none
    file size limit: rlimit
    namespaces: mnt pid ipc uts net
    seccomp: none
    apparmor: none
    no-new-privileges: asked of the engine, not probed
    capabilities: asked of the engine, not probed
    read-only root: asked of the engine, not probed
    network none: asked of the engine, not probed
    ");
}

#[test]
fn an_engine_is_described_by_its_answers() {
    let info = SystemInfo {
        memory_limit: Some(true),
        swap_limit: Some(false),
        pids_limit: Some(true),
        cpu_cfs_quota: Some(true),
        cgroup_version: Some(SystemInfoCgroupVersionEnum::_2),
        security_options: Some(vec![
            "name=seccomp,profile=builtin".to_owned(),
            "name=rootless".to_owned(),
        ]),
        ..SystemInfo::default()
    };
    let lines: Vec<_> = describe("1.53", &SystemVersion::default(), &info)
        .enforcement
        .iter()
        .take(6)
        .map(ToString::to_string)
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    memory limit: cgroup v2, swap not limited
    pids limit: cgroup v2
    cpu limit: cgroup v2
    file size limit: rlimit
    namespaces: mnt pid ipc uts net user
    seccomp: engine's profile "builtin"
    "#);
}
