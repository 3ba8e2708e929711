use super::*;

const MOUNTS: &str = "\
30 23 0:26 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755
31 30 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw,nsdelegate
34 30 0:30 / /sys/fs/cgroup/memory rw,nosuid - cgroup cgroup rw,memory
35 30 0:31 /box /sys/fs/cgroup/cpu rw,nosuid - cgroup cgroup rw,cpu,cpuacct
broken line";
const OWN: &str = "4:memory:/a/b\n3:cpu,cpuacct:/box/c\n0::/user/x\n";

fn check(kind: Kind, expect: &[(Version, &str)]) {
    let found = candidates(kind, MOUNTS, OWN);
    let found: Vec<_> = found
        .iter()
        .map(|candidate| (candidate.version, candidate.base.as_str()))
        .collect();
    assert_eq!(found, expect);
}

#[test]
fn groups_are_looked_for_at_the_top_beside_and_below() {
    let unified = [
        (Version::V2, "/sys/fs/cgroup/unified"),
        (Version::V2, "/sys/fs/cgroup/unified/user"),
        (Version::V2, "/sys/fs/cgroup/unified/user/x"),
    ];
    let with = |more: &[(Version, &'static str)]| [&unified[..], more].concat();
    check(Kind::Pids, &unified);
    check(
        Kind::Memory,
        &with(&[
            (Version::V1, "/sys/fs/cgroup/memory"),
            (Version::V1, "/sys/fs/cgroup/memory/a"),
            (Version::V1, "/sys/fs/cgroup/memory/a/b"),
        ]),
    );
    check(
        Kind::Cpu,
        &with(&[
            (Version::V1, "/sys/fs/cgroup/cpu"),
            (Version::V1, "/sys/fs/cgroup/cpu/c"),
        ]),
    );
}

#[test]
fn a_host_without_control_groups_has_none() {
    assert_eq!(candidates(Kind::Memory, "", ""), vec![]);
    assert_eq!(Cgroups::default().how(Kind::Memory), None);
}

#[test]
fn an_out_of_memory_kill_is_seen_in_either_version() {
    let dir = tempfile::tempdir().unwrap();
    let dir = Utf8PathBuf::from_path_buf(dir.path().to_path_buf()).unwrap();
    let groups = Groups(vec![dir.clone()]);
    for (file, text, expect) in [
        ("memory.events", "low 0\noom 1\noom_kill 0\n", false),
        ("memory.events", "low 0\noom 1\noom_kill 2\n", true),
        ("memory.oom_control", "under_oom 1\noom_kill 0\n", false),
        ("memory.oom_control", "under_oom 0\noom_kill 11\n", true),
    ] {
        fs::write(dir.join(file), text).unwrap();
        assert_eq!(groups.went_out_of_memory(), expect, "{file} {text}");
        fs::remove_file(dir.join(file)).unwrap();
    }
}
