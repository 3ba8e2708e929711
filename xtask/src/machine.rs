//! The machine this runs on: its environment, its time, its signals, and child processes.

use std::{
    env,
    ffi::OsStr,
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal};

/// How often a condition is looked at while waiting for it.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// An environment variable, unless it is unset, empty, or no text.
#[expect(
    clippy::disallowed_methods,
    reason = "a developer's tool is configured by the environment it is called in"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// The folder for what is worth keeping from one checkout to the next.
pub(crate) fn cache() -> Result<PathBuf> {
    if let Some(cache) = variable("XDG_CACHE_HOME") {
        return Ok(PathBuf::from(cache).join("anchorhold"));
    }
    let home = variable("HOME").context("neither XDG_CACHE_HOME nor HOME is set")?;
    Ok(PathBuf::from(home).join(".cache/anchorhold"))
}

/// Where a program is, if the search path has it.
pub(crate) fn which(program: &str) -> Option<PathBuf> {
    let path = variable("PATH").unwrap_or_default();
    // A search path without these is common for ordinary users, and Debian keeps daemons there.
    let folders = env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// Measures how long something takes.
#[derive(Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts to count.
    #[expect(
        clippy::disallowed_methods,
        reason = "no decision of the product hangs on this clock"
    )]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// How long ago it was started.
    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// What the machine's clock says, counted from 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "compares with times that another program wrote down"
)]
pub(crate) fn since_epoch() -> Result<Duration> {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .context("the machine's clock stands before 1970")
}

/// Does nothing for a while: where time itself is what is wanted, not a condition.
#[expect(
    clippy::disallowed_methods,
    reason = "a measurement takes the time it takes"
)]
pub(crate) fn pause(time: Duration) {
    thread::sleep(time);
}

/// Looks at a condition until it holds; false when it did not within `limit`.
#[expect(
    clippy::disallowed_methods,
    reason = "waits for a condition, and no other thread could tell of it"
)]
pub(crate) fn wait_until(
    limit: Duration,
    mut condition: impl FnMut() -> Result<bool>,
) -> Result<bool> {
    let watch = Stopwatch::start();
    loop {
        if condition()? {
            return Ok(true);
        }
        if watch.elapsed() >= limit {
            return Ok(false);
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Whether somebody pressed Ctrl-C since this was made.
#[derive(Clone, Debug)]
pub(crate) struct Interrupts(Arc<AtomicBool>);

impl Interrupts {
    /// From now on Ctrl-C ends the programs called, not this one, so that it can clean up.
    pub(crate) fn catch() -> Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::clone(&flag))
            .context("listen for Ctrl-C")?;
        Ok(Self(flag))
    }

    /// An error once Ctrl-C was pressed.
    pub(crate) fn check(&self) -> Result<()> {
        if self.0.load(Ordering::Relaxed) {
            bail!("interrupted");
        }
        Ok(())
    }
}

/// A program that runs beside this one and ends no later than it.
#[derive(Debug)]
pub(crate) struct Daemon {
    name: String,
    child: Child,
    grace: Duration,
}

impl Daemon {
    /// Starts `program` with its output in the file `log`.
    ///
    /// It stands outside the terminal's foreground group, so that Ctrl-C does not reach it, and
    /// the kernel sends it SIGTERM when the thread that called this ends, however that happens:
    /// call it from the main thread.
    pub(crate) fn start<S: AsRef<OsStr>>(
        program: &Path,
        args: impl IntoIterator<Item = S>,
        log: &Path,
        grace: Duration,
    ) -> Result<Self> {
        let name = program.display().to_string();
        let file = File::create(log).with_context(|| format!("make {}", log.display()))?;
        let twin = file.try_clone().context("share a log")?;
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "TERM", "--"])
            .arg(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(twin)
            .stderr(file);
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.spawn().with_context(|| format!("start {name}"))?;
        Ok(Self { name, child, grace })
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child
            .try_wait()
            .with_context(|| format!("look after {}", self.name))
    }

    /// Ends it at once, as a crash would: it can't do anything about it.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child
            .kill()
            .and_then(|()| self.child.wait())
            .with_context(|| format!("kill {}", self.name))?;
        Ok(())
    }

    /// Asks it to end, waits as long as its grace lasts, then ends it.
    pub(crate) fn stop(&mut self) -> Result<ExitStatus> {
        if let Some(status) = self.ended()? {
            return Ok(status);
        }
        rustix::process::kill_process(Pid::from_child(&self.child), Signal::TERM)
            .with_context(|| format!("ask {} to stop", self.name))?;
        let grace = self.grace;
        if !wait_until(grace, || Ok(self.ended()?.is_some()))? {
            self.child
                .kill()
                .with_context(|| format!("end {}", self.name))?;
            let status = self.child.wait()?;
            bail!(
                "{} did not stop within {} s and was ended: {status}",
                self.name,
                grace.as_secs()
            );
        }
        Ok(self.child.wait()?)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Err(err) = self.stop() {
            crate::output::complain(&format!("warning: {err:#}"));
        }
    }
}

#[cfg(test)]
mod tests;
