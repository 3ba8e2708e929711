//! `strace` on one process, for measurements that count system calls.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    bench::{Bench, process},
    debian,
    machine::{self, Daemon},
    output,
};

/// How long the tracer may take to take hold of a process, or to let go of it.
const ATTACH_LIMIT: Duration = Duration::from_secs(20);

/// One process under the tracer, which lets go of it when this is dropped.
#[derive(Debug)]
pub(super) struct Tracer {
    daemon: Daemon,
    trace: PathBuf,
}

/// One system call, when it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// Since 1970.
    pub(super) at: Duration,
    /// Its name.
    pub(super) name: String,
}

impl Tracer {
    /// Takes hold of all threads of a process, and of those to come; `calls` as `strace` has them,
    /// such as `all`. What is seen goes to the file `trace`.
    pub(super) fn attach(
        bench: &Bench<'_>,
        process: u32,
        calls: &str,
        trace: &Path,
    ) -> Result<Self> {
        debian::ensure(
            &bench.workspace.shell()?,
            bench.console,
            debian::TO_COUNT_SYNCS,
        )?;
        let log = trace.with_extension("log");
        let args = [
            "-f".to_owned(),
            "-ttt".to_owned(),
            format!("--trace={calls}"),
            format!("--output={}", trace.display()),
            format!("--attach={process}"),
        ];
        let program = machine::which("strace").context("strace is not installed")?;
        let mut daemon = Daemon::start(&program, &args, &log, ATTACH_LIMIT)?;
        let attached = machine::wait_until(ATTACH_LIMIT, || {
            bench.interrupts.check()?;
            if let Some(status) = daemon.ended()? {
                bail!(
                    "strace cannot trace a process, which takes root or ptrace rights; it ended \
                     with {status}: {}",
                    output::tail(&log)
                );
            }
            process::is_traced(process)
        })?;
        ensure!(attached, "strace did not attach: {}", output::tail(&log));
        let trace = trace.to_owned();
        Ok(Self { daemon, trace })
    }

    /// Lets go of the process, and gives the calls that it made.
    pub(super) fn calls(&mut self) -> Result<Vec<Call>> {
        if let Some(status) = self.daemon.ended()? {
            bail!("strace ended early: {status}");
        }
        // However it says that it was told to end, the trace is whole.
        let _status = self.daemon.stop()?;
        let text = fs::read_to_string(&self.trace).context("read a trace")?;
        calls_in(&text)
    }
}

fn calls_in(trace: &str) -> Result<Vec<Call>> {
    trace
        .lines()
        .filter_map(|line| {
            // `PID SECONDS.MICROSECONDS fdatasync(9) = 0`; the end of one that was interrupted by
            // another thread's begins with `<...` instead of a name.
            let mut words = line.split_whitespace();
            let (time, call) = (words.nth(1)?, words.next()?);
            let (name, _) = call.split_once('(')?;
            Some((time, name))
        })
        .map(|(time, name)| {
            let seconds: f64 = time.parse().with_context(|| format!("a time: {time}"))?;
            let at = Duration::try_from_secs_f64(seconds).context("a time")?;
            let name = name.to_owned();
            Ok(Call { at, name })
        })
        .collect()
}

#[cfg(test)]
mod tests;
