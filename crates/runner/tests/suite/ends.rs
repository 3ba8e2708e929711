//! How sandboxes end, and how that is proven.

use std::time::Duration;

use anchorhold_core::sandbox::{ExitStatus, Generation};
use anchorhold_runner::{error::RuntimeError, spec::InstanceId};
use rustix::process::{Pid, Signal, kill_process};

use super::{Bench, finish, log, long_sleep, output, processes_with, until};

pub(crate) async fn the_exit_code_is_passed_on(bench: Bench) {
    let spec = bench.spec("exit 7");
    assert_eq!(
        bench.run(&spec).await,
        ExitStatus::Code(7),
        "{}",
        log(&spec)
    );
}

pub(crate) async fn a_kill_from_outside_is_noticed(bench: Bench) {
    let sleep = long_sleep();
    let spec = bench.spec(&format!("exec sleep {sleep}"));
    let runtime = (bench.fresh)();
    let id = runtime.start(&spec).await.unwrap();
    let command = || {
        let found = processes_with(&sleep).into_iter();
        // The watching processes outside have the command in their arguments too.
        found.last().filter(|_| runs_sleep(&sleep))
    };
    until("the command runs", || command().is_some()).await;
    for pid in sleepers(&sleep) {
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    }
    assert_eq!(finish(runtime.as_ref(), &id).await, ExitStatus::Signal(9));
    assert_eq!(processes_with(&sleep), Vec::<i32>::new());
}

fn runs_sleep(sleep: &str) -> bool {
    !sleepers(sleep).is_empty()
}

/// The processes that are the program `sleep` itself.
fn sleepers(sleep: &str) -> Vec<i32> {
    let is_sleep = |pid: &i32| {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "sleep\n")
    };
    processes_with(sleep).into_iter().filter(is_sleep).collect()
}

pub(crate) async fn what_the_command_leaves_behind_is_gone_too(bench: Bench) {
    let sleep = long_sleep();
    let spec = bench.spec(&format!(
        "sleep {sleep} & setsid sleep {sleep} & sleep 0.2; exit 3"
    ));
    assert_eq!(
        bench.run(&spec).await,
        ExitStatus::Code(3),
        "{}",
        log(&spec)
    );
    assert_eq!(processes_with(&sleep), Vec::<i32>::new());
}

pub(crate) async fn stop_lets_the_command_finish(bench: Bench) {
    let spec = bench.spec(
        r"trap 'echo bye >bye; exit 5' TERM
        echo ready >ready
        while true; do sleep 1000 & wait; done",
    );
    let runtime = (bench.fresh)();
    let id = runtime.start(&spec).await.unwrap();
    until("the command is ready", || {
        output(&spec, "ready") == "ready\n"
    })
    .await;
    runtime.stop(&id, Duration::from_secs(20)).await.unwrap();
    let status = finish(runtime.as_ref(), &id).await;
    assert_eq!(
        (status, output(&spec, "bye").as_str()),
        (ExitStatus::Code(5), "bye\n")
    );
}

pub(crate) async fn stop_kills_what_ignores_it(bench: Bench) {
    let spec = bench.spec("trap '' TERM; echo ready >ready; while true; do sleep 1000; done");
    let runtime = (bench.fresh)();
    let id = runtime.start(&spec).await.unwrap();
    until("the command is ready", || {
        output(&spec, "ready") == "ready\n"
    })
    .await;
    runtime.stop(&id, Duration::from_millis(300)).await.unwrap();
    assert_eq!(finish(runtime.as_ref(), &id).await, ExitStatus::Signal(9));
}

pub(crate) async fn no_grace_is_a_kill(bench: Bench) {
    let spec = bench.spec("trap 'exit 5' TERM; while true; do sleep 1000 & wait; done");
    let runtime = (bench.fresh)();
    let id = runtime.start(&spec).await.unwrap();
    runtime.stop(&id, Duration::ZERO).await.unwrap();
    assert_eq!(finish(runtime.as_ref(), &id).await, ExitStatus::Signal(9));
}

pub(crate) async fn an_unknown_instance_is_gone(bench: Bench) {
    let runtime = (bench.fresh)();
    let id = InstanceId {
        generation: Generation(9),
        ..bench.spec("true").id()
    };
    match runtime.stop(&id, Duration::ZERO).await {
        Err(RuntimeError::Gone { id: gone }) => assert_eq!(gone, id),
        other => panic!("{other:?}"),
    }
    assert_eq!(finish(runtime.as_ref(), &id).await, ExitStatus::Unknown);
}

pub(crate) async fn a_dropped_wait_loses_nothing(bench: Bench) {
    let spec = bench.spec("while [ ! -e go ]; do sleep 0.02; done; exit 4");
    let runtime = (bench.fresh)();
    let id = runtime.start(&spec).await.unwrap();
    for _ in 0..3 {
        let wait = runtime.wait(&id);
        tokio::time::timeout(Duration::from_millis(30), wait)
            .await
            .unwrap_err();
    }
    std::fs::write(spec.mounts.last().unwrap().source.join("go"), "").unwrap();
    assert_eq!(finish(runtime.as_ref(), &id).await, ExitStatus::Code(4));
}
