//! The suite over bubblewrap, and what is true of it alone.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking"
)]

use std::{fs, io::Write as _, sync::Arc, time::Duration};

use anchorhold_core::sandbox::ExitStatus;
use anchorhold_runner::{
    error::RuntimeError,
    runtime::Runtime as _,
    sandbox::SandboxRuntime,
    spec::{InstanceId, Root, SandboxSpec, SandboxUser},
};
use camino::Utf8PathBuf;
use rustix::process::{Pid, Signal, kill_process};

mod suite;

use suite::{Bench, finish, install, log, long_sleep, processes_with, temp_dir, until};

fn bench() -> Bench {
    let dir = temp_dir();
    let state = Utf8PathBuf::from_path_buf(dir.path().join("state")).unwrap();
    Bench {
        fresh: Box::new(move || Arc::new(SandboxRuntime::new(state.clone()))),
        root: Root::HostTools,
        dir,
        install: install(),
    }
}

suite!(async { bench() } =>
    walls::{
        defect_14_the_walls_stand, mounts_are_what_the_spec_says, nothing_of_the_host_shows,
        the_environment_is_the_specs, arguments_are_never_interpreted, a_missing_source_is_refused,
    },
    limits::{
        a_memory_hog_is_out_of_memory, a_full_tmp_is_an_error_inside, a_fork_bomb_is_bounded,
        a_file_is_bounded, the_processor_is_shared, the_log_is_kept_and_bounded,
    },
    ends::{
        the_exit_code_is_passed_on, a_kill_from_outside_is_noticed,
        what_the_command_leaves_behind_is_gone_too, stop_lets_the_command_finish,
        stop_kills_what_ignores_it, no_grace_is_a_kill, an_unknown_instance_is_gone,
        a_dropped_wait_loses_nothing,
    },
    sharing::{
        start_is_idempotent, installs_do_not_see_each_other, defect_59_the_next_host_adopts,
        an_end_that_no_host_saw_is_known,
    },
);

#[tokio::test]
async fn the_hosts_etc_is_a_chosen_few() {
    let report = bench()
        .report("id; cd /etc; for f in *; do echo $f; done; echo usr-local: /usr/local/*; cat passwd group")
        .await;
    assert!(
        report.starts_with("uid=1000(agent) gid=1000(agent) groups=1000(agent)\n"),
        "{report}"
    );
    assert!(
        !report.contains("shadow") && !report.contains("hostname"),
        "{report}"
    );
    assert!(report.contains("usr-local: /usr/local/*\n"), "{report}");
}

/// What [`a_sandbox_survives_the_kill_of_its_host`] runs as a process of its own. Started by
/// anybody else it finds no task in its working directory and does nothing.
#[tokio::test]
async fn host_to_be_killed() {
    let Ok(name) = fs::read_to_string("task") else {
        return;
    };
    let id = InstanceId::parse(&name).unwrap();
    let here = Utf8PathBuf::from_path_buf(std::env::current_dir().unwrap()).unwrap();
    // What it makes lies in the other test's folder, because it does not live to remove it.
    let bench = Bench {
        dir: tempfile::tempdir_in(&here).unwrap(),
        ..bench()
    };
    let open_to_all = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(bench.dir.path(), open_to_all).unwrap();
    let spec = SandboxSpec {
        install: id.install,
        session: id.session,
        ..bench.spec("trap 'exit 5' TERM; while true; do sleep 1000 & wait; done")
    };
    SandboxRuntime::new(here.join("state"))
        .start(&spec)
        .await
        .unwrap();
    fs::write("started", "").unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_sandbox_survives_the_kill_of_its_host() {
    let bench = bench();
    let id = bench.spec("true").id();
    fs::write(bench.path("task"), id.to_string()).unwrap();
    let mut host = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "host_to_be_killed"])
        .current_dir(bench.dir.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    until("the other host started it", || {
        bench.path("started").exists()
    })
    .await;
    host.kill().unwrap();
    host.wait().unwrap();
    let next = (bench.fresh)();
    let listed = next.list(bench.install).await.unwrap();
    assert_eq!(
        listed.iter().map(|s| (s.id, s.running)).collect::<Vec<_>>(),
        [(id, true)]
    );
    next.stop(&id, Duration::from_secs(20)).await.unwrap();
    assert_eq!(finish(next.as_ref(), &id).await, ExitStatus::Code(5));
}

#[tokio::test]
async fn a_directory_can_be_the_root() {
    let mut bench = bench();
    let root = bench.path("root");
    let archive = suite::root::archive();
    tar::Archive::new(archive.as_slice()).unpack(&root).unwrap();
    bench.root = Root::Directory(root);
    let report = bench
        .report("cat /anchorhold/in/hello; echo /*; (: >/probe) 2>/dev/null || echo read-only")
        .await;
    let expect = "hello\n/anchorhold /bin /dev /etc /lib /lib64 /proc /sys /tmp\nread-only\n";
    assert_eq!(report, expect);
}

#[tokio::test]
async fn no_namespace_can_be_made_inside() {
    let report = bench()
        .report("unshare -U true 2>/dev/null || echo no")
        .await;
    assert_eq!(report, "no\n");
}

#[tokio::test]
async fn the_watching_process_can_be_killed_too() {
    let bench = bench();
    let sleep = long_sleep();
    let spec = bench.spec(&format!("sleep {sleep}; exit 1"));
    let runtime = (bench.fresh)();
    let id = runtime.start(&spec).await.unwrap();
    let monitor = *processes_with(&spec.name()).iter().min().unwrap();
    kill_process(Pid::from_raw(monitor).unwrap(), Signal::KILL).unwrap();
    assert_eq!(finish(runtime.as_ref(), &id).await, ExitStatus::Unknown);
    assert_eq!(processes_with(&sleep), Vec::<i32>::new());
    assert_eq!(
        fs::read_dir(bench.dir.path().join("state"))
            .unwrap()
            .count(),
        0
    );
}

#[tokio::test]
async fn a_sandbox_whose_record_is_lost_is_still_ended_before_it_counts_as_gone() {
    let bench = bench();
    let sleep = long_sleep();
    let spec = bench.spec(&format!("sleep {sleep}; exit 1"));
    let id = (bench.fresh)().start(&spec).await.unwrap();
    fs::remove_dir_all(bench.dir.path().join("state")).unwrap();
    let next = (bench.fresh)();
    let waiting = tokio::time::timeout(Duration::from_millis(200), next.wait(&id));
    waiting.await.unwrap_err();
    assert!(!processes_with(&sleep).is_empty());
    for pid in processes_with(&spec.name()) {
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    }
    assert_eq!(finish(next.as_ref(), &id).await, ExitStatus::Unknown);
    assert_eq!(processes_with(&sleep), Vec::<i32>::new());
}

#[tokio::test]
async fn a_start_that_the_host_did_not_finish_ran_nothing() {
    let bench = bench();
    let spec = bench.spec("echo ran >ran");
    let state = bench.path("state").join(spec.name());
    fs::create_dir_all(&state).unwrap();
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let record = format!(
        r#"{{"name":"{}","boot":"{}","log":"{}","cgroups":[],"monitor":null,"init":null,"ended":null}}"#,
        spec.name(),
        boot.trim(),
        spec.log
    );
    fs::write(state.join("record.json"), record).unwrap();
    let runtime = (bench.fresh)();
    let listed = runtime.list(bench.install).await.unwrap();
    assert_eq!(
        listed.iter().map(|s| s.running).collect::<Vec<_>>(),
        [false]
    );
    // Starting it now is a first start.
    assert_eq!(bench.run(&spec).await, ExitStatus::Code(0));
    assert_eq!(suite::output(&spec, "ran"), "ran\n");
}

#[tokio::test]
async fn a_sandbox_of_another_boot_is_gone() {
    let bench = bench();
    let spec = bench.spec("true");
    let state = bench.path("state").join(spec.name());
    fs::create_dir_all(&state).unwrap();
    // Process 1 is there in every boot; only the boot tells that it is not the one meant.
    let record = format!(
        r#"{{"name":"{}","boot":"b","log":"{}","cgroups":[],"monitor":{{"pid":1,"started":0}},"init":null,"ended":null}}"#,
        spec.name(),
        spec.log
    );
    fs::write(state.join("record.json"), record).unwrap();
    let runtime = (bench.fresh)();
    assert_eq!(
        finish(runtime.as_ref(), &spec.id()).await,
        ExitStatus::Unknown
    );
}

#[tokio::test]
async fn a_running_sandboxs_log_is_emptied_by_the_list() {
    let bench = bench();
    let spec = bench.spec("sleep 1000");
    let runtime = (bench.fresh)();
    let id = runtime.start(&spec).await.unwrap();
    let mut file = fs::OpenOptions::new().append(true).open(&spec.log).unwrap();
    file.write_all(&vec![b'x'; 5 * 1024 * 1024]).unwrap();
    runtime.list(bench.install).await.unwrap();
    assert_eq!(log(&spec), "");
    runtime.stop(&id, Duration::ZERO).await.unwrap();
    finish(runtime.as_ref(), &id).await;
}

#[tokio::test]
async fn what_can_not_work_is_refused_in_plain_words() {
    let bench = bench();
    let runtime = (bench.fresh)();
    let mut image = bench.spec("true");
    image.root = Root::Image("some:image".to_owned());
    let mut root = bench.spec("true");
    root.user = SandboxUser { uid: 0, gid: 0 };
    for (spec, expect) in [
        (image, "has no images".to_owned()),
        (root, "must not be root".to_owned()),
    ] {
        match runtime.start(&spec).await {
            Err(RuntimeError::Refused { what, .. }) => assert!(what.contains(&expect), "{what}"),
            other => panic!("{other:?}"),
        }
    }
}

/// A data directory below a private home is the usual case, not a fault.
#[tokio::test]
async fn a_source_below_a_folder_that_is_closed_to_the_sandbox_is_mounted_all_the_same() {
    let bench = bench();
    let runtime = (bench.fresh)();
    let spec = bench.spec("test -f /anchorhold/in/hello && touch reached");
    let dir = spec
        .mounts
        .first()
        .unwrap()
        .source
        .parent()
        .unwrap()
        .to_owned();
    fs::set_permissions(&dir, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let id = runtime.start(&spec).await.unwrap();
    let exited = runtime.wait(&id).await.unwrap();
    assert_eq!(exited.status(), ExitStatus::Code(0));
    assert!(
        !std::path::Path::new("/run/anchorhold/0").exists(),
        "seen outside of the start"
    );
}

#[tokio::test]
async fn ping_says_what_is_in_force() {
    let info = (bench().fresh)().ping().await.unwrap();
    let lines: Vec<String> = info.enforcement.iter().map(ToString::to_string).collect();
    let expect = [
        "file size limit: rlimit",
        "namespaces: user mnt pid ipc uts net cgroup",
        "seccomp: own filter",
        "no-new-privileges: kernel",
        "capabilities: all dropped",
        "read-only root: mount",
        "network none: network namespace",
    ];
    // How memory, processes and processor are limited depends on the machine.
    assert_eq!(lines[3..], expect.map(str::to_owned), "{lines:#?}");
}
