//! Starting one sandbox: prepare, fork, limit, write down, and only then let go.

use std::{fs, io, io::Write as _, process::Stdio, time::Duration};

use camino::Utf8Path;
use rustix::process::{Pid, Resource, Rlimit, getuid, prlimit};
use tokio::{
    io::AsyncWriteExt as _,
    process::{Child, Command},
};

use super::{
    Host, LOOK_AGAIN, blocking, bwrap,
    cgroup::{Groups, Kind},
    leaf,
    process::{self, ProcessRef},
    record::{Folder, Record},
    seccomp, stage,
};
use crate::{
    error::RuntimeError,
    log,
    spec::{Limits, Root, SandboxSpec, SandboxUser},
};

/// Waits for the word to go, opens the files by number, and becomes the program that follows.
///
/// Without that word, which a dead host can't give, it ends: a sandbox that no record knows can't
/// come to be. Every value is a positional argument; none is ever part of the script.
const WRAPPER: &str = r#"
read -r go && [ "$go" = go ] || exit 125
exec </dev/null 3>>"$1" 4<"$2" 5<"$3" 6<"$4" 7<"$5" 8<"$6" 9<"$7"
shift 7
exec "$@"
"#;

/// How long bubblewrap may take until the command runs.
const START_LIMIT: Duration = Duration::from_secs(20);
/// How much of bubblewrap's complaint goes into an error.
const COMPLAINT_BYTES: u64 = 400;

/// Refuses what can't work on this host, in words that say what to change.
pub(super) fn check(host: &Host, spec: &SandboxSpec) -> Result<(), RuntimeError> {
    let refuse = |what: String| Err(RuntimeError::refused(what));
    if spec.command.is_empty() {
        return refuse("the sandbox has no command".to_owned());
    }
    if let Root::Image(image) = &spec.root {
        return refuse(format!(
            "the sandbox runtime has no images, and {image} is one"
        ));
    }
    let SandboxUser { uid, .. } = spec.user;
    let own = getuid();
    if uid == 0 {
        return refuse("the sandbox's user must not be root".to_owned());
    }
    if own.is_root() && host.setpriv.is_none() {
        return refuse("setpriv (util-linux) is needed where the host is root".to_owned());
    }
    if !own.is_root() && own.as_raw() != uid {
        return refuse(format!(
            "a host that is not root can run sandboxes only as itself, {}, not as {uid}",
            own.as_raw()
        ));
    }
    for source in &stage::sources(spec) {
        if !own.is_root()
            && let Some(closed) = stage::closed_to(spec.user, source)
        {
            return refuse(format!(
                "user {uid} can't reach {source}: {closed} needs the search permission (x) for it"
            ));
        }
        if !source.is_dir() {
            return refuse(format!("{source} is not a directory"));
        }
    }
    let bad = |text: &String| text.contains('\0');
    if spec.env.iter().any(|(name, value)| bad(name) || bad(value)) {
        return refuse("a variable has a zero byte".to_owned());
    }
    Ok(())
}

/// Starts the sandbox. On an error the caller cleans up whatever came to be.
pub(super) async fn launch(
    host: &Host,
    folder: &Folder,
    spec: &SandboxSpec,
) -> Result<(), RuntimeError> {
    let failed = |error: io::Error| RuntimeError::failed("start a sandbox", error);
    let (record, wrapper) = {
        let (host, folder, spec) = (host.clone(), folder.clone(), spec.clone());
        blocking(move || prepare(&host, &folder, &spec))
            .await?
            .map_err(failed)?
    };
    let log_start = fs::metadata(&record.log).map_or(0, |meta| meta.len());
    let mut child = spawn(&record.log, &wrapper).map_err(failed)?;
    let record = {
        let (host, folder, limits) = (host.clone(), folder.clone(), spec.limits);
        let uid = spec.user.uid;
        let pid = child.id();
        blocking(move || confine(&host, &folder, record, pid, (limits, uid)))
            .await?
            .map_err(failed)?
    };
    let mut gate = child
        .stdin
        .take()
        .ok_or_else(|| failed(io::ErrorKind::BrokenPipe.into()))?;
    gate.write_all(b"go\n").await.map_err(failed)?;
    drop(gate);
    // Dropped, not killed: the child goes on without us, and tokio reaps it if we are still here.
    drop(child);
    match tokio::time::timeout(START_LIMIT, running(folder, record)).await {
        Ok(Ok(Some(()))) => Ok(()),
        Ok(Ok(None)) => {
            let grown = fs::metadata(&spec.log).map_or(0, |meta| meta.len());
            let new = grown.saturating_sub(log_start).min(COMPLAINT_BYTES);
            Err(RuntimeError::failed(
                "start a sandbox",
                log::tail_text(&spec.log, new),
            ))
        }
        Ok(Err(error)) => Err(failed(error)),
        Err(elapsed) => Err(RuntimeError::failed("start a sandbox in time", elapsed)),
    }
}

/// Writes the files of the instance and makes its control groups; gives the wrapper's arguments.
fn prepare(host: &Host, folder: &Folder, spec: &SandboxSpec) -> io::Result<(Record, Vec<String>)> {
    folder.create()?;
    let mut record = Record {
        name: spec.name(),
        boot: host.boot.clone(),
        log: spec.log.clone(),
        cgroups: Vec::new(),
        monitor: None,
        init: None,
        ended: None,
    };
    let groups = host
        .cgroups
        .create(spec.install, &leaf(&spec.id()), spec.limits);
    record.cgroups = match &groups {
        Ok(groups) => groups.0.clone(),
        // What was made before it failed must be found by the clean-up.
        Err(_failed) => host.cgroups.named(spec.install, &leaf(&spec.id())).0,
    };
    folder.write(&record)?;
    groups?;
    fs::write(folder.status_file(), "")?;
    let filter = seccomp::program();
    let staged = stage::stage(spec)?;
    let seen = staged.as_ref().map_or(spec, |(_, seen)| seen);
    let hidden = bwrap::hidden(seen, &bwrap::host_layout(), filter.is_some());
    let mut args = fs::File::create(folder.file("args"))?;
    for argument in hidden {
        args.write_all(argument.as_bytes())?;
        args.write_all(&[0])?;
    }
    fs::write(folder.file("seccomp"), filter.unwrap_or_default())?;
    let mut wrapper = vec![folder.status_file()];
    wrapper.extend(["args", "seccomp"].map(|name| folder.file(name)));
    for (name, _, text) in bwrap::ETC {
        fs::write(folder.file(name), text)?;
        wrapper.push(folder.file(name));
    }
    let mut wrapper: Vec<String> = wrapper.into_iter().map(String::from).collect();
    if let Some((command, _)) = staged {
        wrapper.extend(command);
    }
    if let Some(setpriv) = host.setpriv.as_ref().filter(|_| getuid().is_root()) {
        wrapper.extend([
            setpriv.to_string(),
            format!("--reuid={}", spec.user.uid),
            format!("--regid={}", spec.user.gid),
            "--clear-groups".to_owned(),
            "--no-new-privs".to_owned(),
            "--".to_owned(),
        ]);
    }
    wrapper.push(host.bwrap.to_string());
    wrapper.extend(bwrap::visible(&spec.name(), &spec.command));
    Ok((record, wrapper))
}

fn spawn(log: &Utf8Path, wrapper: &[String]) -> io::Result<Child> {
    let output = log::open_append(log)?;
    Command::new("/bin/sh")
        .args(["-c", WRAPPER, "anchorhold"])
        .args(wrapper)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(output.try_clone()?)
        .stderr(output)
        // A Ctrl-C at the host's terminal is meant for the host.
        .process_group(0)
        .kill_on_drop(false)
        .spawn()
}

/// Limits the process that still waits for the word to go, and writes down which one it is.
fn confine(
    host: &Host,
    folder: &Folder,
    mut record: Record,
    pid: Option<u32>,
    (limits, uid): (Limits, u32),
) -> io::Result<Record> {
    let ended = || io::Error::from(io::ErrorKind::BrokenPipe);
    let pid = pid
        .and_then(|pid| i32::try_from(pid).ok())
        .ok_or_else(ended)?;
    Groups(record.cgroups.clone()).join(pid)?;
    let raw = Pid::from_raw(pid).ok_or_else(ended)?;
    let limit = |resource, most: u64| {
        let both = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        prlimit(Some(raw), resource, both).map_err(io::Error::from)
    };
    limit(Resource::Fsize, limits.file_bytes)?;
    limit(Resource::Core, 0)?;
    // Where the kernel can't count for the sandbox as a whole, it counts by process and by user.
    if host.cgroups.how(Kind::Memory).is_none() {
        limit(Resource::As, limits.memory_bytes)?;
    }
    if host.cgroups.how(Kind::Pids).is_none() {
        let others = process::count_of_user(uid);
        limit(Resource::Nproc, others.saturating_add(limits.pids.into()))?;
    }
    record.monitor = Some(ProcessRef::of(pid).ok_or_else(ended)?);
    folder.write(&record)?;
    Ok(record)
}

/// Waits until the command runs, or ran and ended. `None`: bubblewrap gave up before that.
async fn running(folder: &Folder, mut record: Record) -> io::Result<Option<()>> {
    let monitor = match record.monitor {
        Some(monitor) => monitor.open()?,
        None => None,
    };
    loop {
        // Asked before the status is read: what a monitor that is over now wrote is in the file.
        let over = match &monitor {
            Some(monitor) => monitor.is_over()?,
            None => true,
        };
        let status = folder.status()?;
        if status.exit_code.is_some() {
            return Ok(Some(()));
        }
        if let Some(init) = status.init.and_then(ProcessRef::of)
            && process::command_of(init.pid)?.is_some()
        {
            record.init = Some(init);
            folder.write(&record)?;
            return Ok(Some(()));
        }
        if over {
            return Ok(None);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
