//! Limits bite.

use std::fs;

use anchorhold_core::sandbox::ExitStatus;

use super::{Bench, MIB, finish, log, long_sleep, output, processes_with};

pub(crate) async fn a_memory_hog_is_out_of_memory(bench: Bench) {
    let mut spec = bench.spec("exec tail /dev/zero");
    spec.limits.memory_bytes = 48 * MIB;
    // Where only each process can be limited, it is refused the memory instead of being killed.
    let expect = if bench.enforced("memory limit").await.starts_with("cgroup") {
        ExitStatus::OutOfMemory
    } else {
        ExitStatus::Code(1)
    };
    assert_eq!(bench.run(&spec).await, expect, "{}", log(&spec));
}

pub(crate) async fn a_full_tmp_is_an_error_inside(bench: Bench) {
    let report = bench
        .report("dd if=/dev/zero of=/tmp/big bs=1M count=12 2>/dev/null || echo full")
        .await;
    assert_eq!(report, "full\n");
}

pub(crate) async fn a_fork_bomb_is_bounded(bench: Bench) {
    let sleep = long_sleep();
    let mut spec = bench.spec(&format!(
        "for i in $(seq 100); do sleep {sleep} & done; echo all >all"
    ));
    spec.limits.pids = 32;
    let runtime = (bench.fresh)();
    let id = runtime.start(&spec).await.unwrap();
    let status = finish(runtime.as_ref(), &id).await;
    // The shell gives up when it can't fork.
    assert_eq!(
        (status, output(&spec, "all")),
        (ExitStatus::Code(2), String::new())
    );
    assert_eq!(processes_with(&sleep), Vec::<i32>::new());
}

pub(crate) async fn a_file_is_bounded(bench: Bench) {
    let mut spec = bench.spec("dd if=/dev/zero of=big bs=1M count=20; true");
    spec.limits.file_bytes = 4 * MIB;
    bench.run(&spec).await;
    let out = &spec.mounts.last().unwrap().source;
    assert_eq!(fs::metadata(out.join("big")).unwrap().len(), 4 * MIB);
}

pub(crate) async fn the_processor_is_shared(bench: Bench) {
    // A host that can't limit it has said so: there is nothing to measure.
    if bench.enforced("cpu limit").await == "none" {
        return;
    }
    let mut spec = bench.spec(
        r#"
        read -r start rest </proc/uptime
        until=$(( ${start%.*} + 3 )); now=$start
        while [ "${now%.*}" -lt "$until" ]; do read -r now rest </proc/uptime; done
        { echo "$start $now"; times; } >report"#,
    );
    spec.limits.cpu_millis = 100;
    assert_eq!(
        bench.run(&spec).await,
        ExitStatus::Code(0),
        "{}",
        log(&spec)
    );
    let report = output(&spec, "report");
    let mut lines = report.lines();
    let uptimes = numbers(lines.next().unwrap());
    let used: f64 = numbers(lines.next().unwrap()).iter().sum();
    // A tenth was allowed; a half is far from the whole that it would take without a limit.
    let share = used / (uptimes[1] - uptimes[0]);
    assert!(share < 0.5, "{report}");
}

/// The numbers of a line such as `0m0.12s 0m1.5s` or `12.5 13.25`; none is a minute or longer.
fn numbers(line: &str) -> Vec<f64> {
    line.split_whitespace()
        .map(|word| {
            word.trim_start_matches("0m")
                .trim_end_matches('s')
                .parse()
                .unwrap()
        })
        .collect()
}

pub(crate) async fn the_log_is_kept_and_bounded(bench: Bench) {
    let spec = bench.spec("echo to stdout; echo to stderr >&2");
    assert_eq!(bench.run(&spec).await, ExitStatus::Code(0));
    let text = log(&spec);
    let mut lines: Vec<&str> = text.lines().collect();
    // The two streams reach the log each in their own time.
    lines.sort_unstable();
    assert_eq!(lines, ["to stderr", "to stdout"]);
    let spec = bench.spec("seq 1 100000");
    assert_eq!(bench.run(&spec).await, ExitStatus::Code(0));
    let text = log(&spec);
    assert!(text.ends_with("\n99999\n100000\n"), "{} bytes", text.len());
    assert!(text.len() <= 256 * 1024, "{} bytes", text.len());
}
