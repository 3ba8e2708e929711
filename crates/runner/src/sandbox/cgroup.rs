//! The limits of a sandbox as control groups, of either version, where this host may make them.

use std::{
    fs, io,
    io::Write as _,
    process::{Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
};

use anchorhold_core::ids::InstallId;
use camino::{Utf8Path, Utf8PathBuf};
use rustix::process::Signal;

use super::process::Process;
use crate::spec::Limits;

const CPU_PERIOD_US: u64 = 100_000;
/// The kernel takes no smaller quota.
const CPU_QUOTA_MIN_US: u64 = 1_000;
/// bubblewrap's own two processes: its first one inside and the one that watches from outside.
const OWN_PROCESSES: u64 = 2;

/// The controllers that are of use here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Memory,
    Pids,
    Cpu,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

/// Where this host can limit what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cgroups(Vec<Controller>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Controller {
    kind: Kind,
    version: Version,
    /// The group below which ours are made.
    base: Utf8PathBuf,
}

/// The groups of one sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Groups(pub(super) Vec<Utf8PathBuf>);

impl Cgroups {
    /// Finds out by trying: makes a group, puts a process in it, removes it again.
    pub(super) fn find() -> Self {
        // silent: a host without them has no control groups, which is what the result says.
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let found = [Kind::Memory, Kind::Pids, Kind::Cpu]
            .into_iter()
            .filter_map(|kind| candidates(kind, &mounts, &own).into_iter().find(is_usable))
            .collect();
        Self(found)
    }

    /// By what `kind` is limited here.
    pub(super) fn how(&self, kind: Kind) -> Option<&'static str> {
        let found = self.0.iter().find(|controller| controller.kind == kind)?;
        Some(match found.version {
            Version::V1 => "cgroup v1",
            Version::V2 => "cgroup v2",
        })
    }

    /// Makes the groups of one sandbox, named by install and `leaf`, with its limits set.
    pub(super) fn create(
        &self,
        install: InstallId,
        leaf: &str,
        limits: Limits,
    ) -> io::Result<Groups> {
        let mut groups = Groups(Vec::new());
        for controller in &self.0 {
            let group = controller.make(&format!("anchorhold-{install}"), leaf)?;
            if !groups.0.contains(&group) {
                groups.0.push(group.clone());
            }
            controller.set(&group, limits)?;
        }
        Ok(groups)
    }

    /// The groups that a sandbox of this name would have.
    pub(super) fn named(&self, install: InstallId, leaf: &str) -> Groups {
        let parent = format!("anchorhold-{install}");
        let mut groups = Vec::new();
        for controller in &self.0 {
            let group = controller.base.join(&parent).join(leaf);
            if group.is_dir() && !groups.contains(&group) {
                groups.push(group);
            }
        }
        Groups(groups)
    }
}

impl Controller {
    fn make(&self, parent: &str, leaf: &str) -> io::Result<Utf8PathBuf> {
        let parent = self.base.join(parent);
        let group = parent.join(leaf);
        // Twice, because a sandbox that ends meanwhile may take an empty parent away.
        for last in [false, true] {
            make_dir(&parent)?;
            if self.version == Version::V2 {
                // silent: on or not shows in the new group's files, which `set` writes.
                drop(self.enable(&self.base));
                drop(self.enable(&parent));
            }
            match make_dir(&group) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && !last => {}
                other => return other.map(|()| group),
            }
        }
        Ok(group)
    }

    fn enable(&self, group: &Utf8Path) -> io::Result<()> {
        fs::write(
            group.join("cgroup.subtree_control"),
            format!("+{}", self.kind.name()),
        )
    }

    fn set(&self, group: &Utf8Path, limits: Limits) -> io::Result<()> {
        let put = |file: &str, value: String| fs::write(group.join(file), value);
        // A kernel that does not count swap has no file for it.
        let put_if_there = |file: &str, value: String| {
            if !group.join(file).exists() {
                return Ok(());
            }
            put(file, value)
        };
        let quota = (u64::from(limits.cpu_millis) * CPU_PERIOD_US / 1000).max(CPU_QUOTA_MIN_US);
        let memory = limits.memory_bytes.to_string();
        let pids = (u64::from(limits.pids) + OWN_PROCESSES).to_string();
        match (self.kind, self.version) {
            (Kind::Memory, Version::V1) => {
                put("memory.limit_in_bytes", memory.clone())?;
                put_if_there("memory.memsw.limit_in_bytes", memory)
            }
            (Kind::Memory, Version::V2) => {
                put("memory.max", memory)?;
                // A sandbox over its limit ends as a whole, not with an odd process missing.
                put("memory.oom.group", "1".to_owned())?;
                put_if_there("memory.swap.max", "0".to_owned())
            }
            (Kind::Pids, _) => put("pids.max", pids),
            (Kind::Cpu, Version::V1) => {
                put("cpu.cfs_period_us", CPU_PERIOD_US.to_string())?;
                put("cpu.cfs_quota_us", quota.to_string())
            }
            (Kind::Cpu, Version::V2) => put("cpu.max", format!("{quota} {CPU_PERIOD_US}")),
        }
    }

    fn limit_file(&self) -> &'static str {
        match (self.kind, self.version) {
            (Kind::Memory, Version::V1) => "memory.limit_in_bytes",
            (Kind::Memory, Version::V2) => "memory.max",
            (Kind::Pids, _) => "pids.max",
            (Kind::Cpu, Version::V1) => "cpu.cfs_quota_us",
            (Kind::Cpu, Version::V2) => "cpu.max",
        }
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Pids => "pids",
            Self::Cpu => "cpu",
        }
    }
}

impl Groups {
    /// Puts `pid` into each group; what it starts from then on is in them too.
    pub(super) fn join(&self, pid: i32) -> io::Result<()> {
        self.0
            .iter()
            .try_for_each(|group| fs::write(group.join("cgroup.procs"), pid.to_string()))
    }

    /// The processes that are left.
    pub(super) fn processes(&self) -> Vec<i32> {
        let mut pids: Vec<i32> = self
            .0
            .iter()
            // silent: a group that is gone has no processes.
            .filter_map(|group| fs::read_to_string(group.join("cgroup.procs")).ok())
            .flat_map(|list| list.lines().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
            .collect();
        pids.sort_unstable();
        pids.dedup();
        pids
    }

    /// Sends SIGKILL to the processes that are left.
    pub(super) fn kill(&self) -> io::Result<()> {
        for pid in self.processes() {
            // Held first and looked up again after, so that a reused id is left alone.
            if let Some(process) = Process::open(pid)?
                && self.processes().contains(&pid)
            {
                process.signal(Signal::KILL)?;
            }
        }
        Ok(())
    }

    /// Did the kernel kill a process in them for want of memory?
    pub(super) fn went_out_of_memory(&self) -> bool {
        let killed = |text: String| {
            text.lines()
                .filter_map(|line| line.strip_prefix("oom_kill "))
                .any(|count| count.trim() != "0")
        };
        self.0
            .iter()
            .flat_map(|group| [group.join("memory.oom_control"), group.join("memory.events")])
            // silent: only one of the two is there, in only one of the groups.
            .filter_map(|path| fs::read_to_string(path).ok())
            .any(killed)
    }

    /// Removes the groups, and their parents if those are empty now. False: a process that has
    /// ended is not quite out yet, try again.
    pub(super) fn remove(&self) -> io::Result<bool> {
        for group in &self.0 {
            match fs::remove_dir(group) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => return Ok(false),
                Err(error) => return Err(error),
            }
            if let Some(parent) = group.parent() {
                // silent: other sandboxes of the same install still use it.
                drop(fs::remove_dir(parent));
            }
        }
        Ok(true)
    }
}

/// Where groups with the controller `kind` might be made, best first.
///
/// First the top, because what is below the host's own group may be killed or removed together
/// with it, and sandboxes outlive the host. Then beside the host, then below it: one of those is
/// what a service manager hands over to a host that is not root.
fn candidates(kind: Kind, mounts: &str, own: &str) -> Vec<Controller> {
    let mut found = Vec::new();
    for mount in mounts.lines().filter_map(parse_mount) {
        let (version, line) = match mount.kind {
            "cgroup" if mount.options.split(',').any(|o| o == kind.name()) => {
                let has = |line: &&str| {
                    let list = line.split(':').nth(1).unwrap_or_default();
                    list.split(',').any(|name| name == kind.name())
                };
                (Version::V1, own.lines().find(has))
            }
            "cgroup2" => (
                Version::V2,
                own.lines().find(|line| line.starts_with("0::")),
            ),
            _ => continue,
        };
        let own_path = line.and_then(|line| line.splitn(3, ':').nth(2));
        let top = Utf8PathBuf::from(mount.point);
        let mut bases = vec![top.clone()];
        if let Some(inside) = own_path.and_then(|path| path.strip_prefix(mount.root)) {
            let own = top.join(inside.trim_start_matches('/'));
            let beside = own.parent().filter(|parent| parent.starts_with(&top));
            bases.extend(beside.map(Utf8Path::to_path_buf));
            bases.push(own);
        }
        bases.dedup();
        found.extend(bases.into_iter().map(|base| Controller {
            kind,
            version,
            base,
        }));
    }
    found
}

struct MountLine<'a> {
    root: &'a str,
    point: &'a str,
    kind: &'a str,
    options: &'a str,
}

fn parse_mount(line: &str) -> Option<MountLine<'_>> {
    let (left, right) = line.split_once(" - ")?;
    let mut left = left.split(' ').skip(3);
    let mut right = right.split(' ');
    Some(MountLine {
        root: left.next()?,
        point: left.next()?,
        kind: right.next()?,
        options: right.nth(1)?,
    })
}

fn is_usable(controller: &Controller) -> bool {
    // Two probes at a time, in one process or in two, must not remove each other's group.
    static PROBES: AtomicU64 = AtomicU64::new(0);
    let probe = PROBES.fetch_add(1, Ordering::Relaxed);
    let parent = format!("anchorhold-probe-{}-{probe}", std::process::id());
    let group = controller.make(&parent, "probe");
    let usable = group.is_ok_and(|group| {
        let usable = group.join(controller.limit_file()).exists() && takes_processes(&group);
        // silent: the answer is known; an empty group that stays behind limits nothing.
        drop(fs::remove_dir(&group));
        usable
    });
    // silent: as above.
    drop(fs::remove_dir(controller.base.join(parent)));
    usable
}

/// Puts a short-lived process into `group`.
fn takes_processes(group: &Utf8Path) -> bool {
    let attempt = || -> io::Result<()> {
        let mut child = Command::new("/bin/sh")
            .args(["-c", "read -r _"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let joined = fs::write(group.join("cgroup.procs"), child.id().to_string());
        if let Some(mut input) = child.stdin.take() {
            // silent: closing the pipe ends the process just as well.
            drop(input.write_all(b"\n"));
        }
        child.wait()?;
        joined
    };
    attempt().is_ok()
}

fn make_dir(path: &Utf8Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests;
