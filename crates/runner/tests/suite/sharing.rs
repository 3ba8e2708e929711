//! One machine, several hosts: one after the other, and several installations at once.

use std::time::Duration;

use anchorhold_core::sandbox::ExitStatus;
use anchorhold_runner::spec::SandboxSpec;

use super::{Bench, finish, install, output, until};

const FOREVER: &str = "echo start >>starts; while true; do sleep 1000; done";

pub(crate) async fn start_is_idempotent(bench: Bench) {
    let runtime = (bench.fresh)();
    let spec = bench.spec("echo start >>starts; while [ ! -e go ]; do sleep 0.02; done; exit 6");
    let id = runtime.start(&spec).await.unwrap();
    assert_eq!(runtime.start(&spec).await.unwrap(), id);
    assert_eq!((bench.fresh)().start(&spec).await.unwrap(), id);
    std::fs::write(spec.mounts.last().unwrap().source.join("go"), "").unwrap();
    let over = async {
        while runtime
            .list(bench.install)
            .await
            .unwrap()
            .iter()
            .any(|s| s.running)
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), over)
        .await
        .unwrap();
    // It ended, and starting it again is still the same instance.
    assert_eq!(runtime.start(&spec).await.unwrap(), id);
    assert_eq!(finish(runtime.as_ref(), &id).await, ExitStatus::Code(6));
    assert_eq!(output(&spec, "starts"), "start\n");
    assert_eq!(runtime.list(bench.install).await.unwrap(), vec![]);
}

pub(crate) async fn installs_do_not_see_each_other(bench: Bench) {
    let runtime = (bench.fresh)();
    let mine = bench.spec(FOREVER);
    let theirs = SandboxSpec {
        install: install(),
        ..bench.spec(FOREVER)
    };
    let mine_id = runtime.start(&mine).await.unwrap();
    let their_id = runtime.start(&theirs).await.unwrap();
    let listed = runtime.list(bench.install).await.unwrap();
    assert_eq!(
        listed.iter().map(|s| (s.id, s.running)).collect::<Vec<_>>(),
        [(mine_id, true)]
    );
    for status in listed {
        runtime.stop(&status.id, Duration::ZERO).await.unwrap();
        finish(runtime.as_ref(), &status.id).await;
    }
    let left = runtime.list(theirs.install).await.unwrap();
    assert_eq!(
        left.iter().map(|s| (s.id, s.running)).collect::<Vec<_>>(),
        [(their_id, true)]
    );
    runtime.stop(&their_id, Duration::ZERO).await.unwrap();
    finish(runtime.as_ref(), &their_id).await;
}

pub(crate) async fn defect_59_the_next_host_adopts(bench: Bench) {
    let spec = bench.spec("echo up >up; while [ ! -e go ]; do sleep 0.02; done; exit 8");
    let id = (bench.fresh)().start(&spec).await.unwrap();
    let next = (bench.fresh)();
    let listed = next.list(bench.install).await.unwrap();
    assert_eq!(
        listed.iter().map(|s| (s.id, s.running)).collect::<Vec<_>>(),
        [(id, true)]
    );
    until("the command is up", || output(&spec, "up") == "up\n").await;
    std::fs::write(spec.mounts.last().unwrap().source.join("go"), "").unwrap();
    assert_eq!(finish(next.as_ref(), &id).await, ExitStatus::Code(8));
}

pub(crate) async fn an_end_that_no_host_saw_is_known(bench: Bench) {
    let spec = bench.spec("exit 9");
    let id = (bench.fresh)().start(&spec).await.unwrap();
    let next = (bench.fresh)();
    let over = async {
        loop {
            let listed = next.list(bench.install).await.unwrap();
            match listed.as_slice() {
                [one] if one.id == id && !one.running => break,
                [one] if one.id == id => tokio::time::sleep(Duration::from_millis(10)).await,
                other => panic!("{other:?}"),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), over)
        .await
        .unwrap();
    assert_eq!(finish(next.as_ref(), &id).await, ExitStatus::Code(9));
}
