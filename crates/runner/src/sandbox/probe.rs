//! What this machine offers, and what a sandbox on it is really confined by.

use std::{
    collections::BTreeMap,
    fs, io,
    io::Write as _,
    process::{Command, Stdio},
};

use anchorhold_core::{
    ids::{InstallId, SessionId},
    sandbox::Generation,
};
use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use rustix::process::{getgid, getuid};

use super::{
    Host, bwrap,
    cgroup::{Cgroups, Kind},
    record, seccomp,
};
use crate::{
    error::RuntimeError,
    runtime::{Enforcement, RuntimeInfo, RuntimeKind},
    spec::{Capabilities, Limits, Network, Root, RootAccess, SandboxSpec, SandboxUser},
};

/// Where programs are looked for; the environment has no say.
const PROGRAM_DIRS: [&str; 3] = ["/usr/bin", "/bin", "/usr/local/bin"];
/// Options that this crate can't do without; bubblewrap has them all since 0.8.
const NEEDED: [&str; 4] = ["--disable-userns", "--size", "--json-status-fd", "--perms"];
/// The user that probes where the host is root; anybody but root will do.
const NOBODY: u32 = 65534;
const NAMESPACES: [&str; 7] = ["user", "mnt", "pid", "ipc", "uts", "net", "cgroup"];

/// Says about itself what an inhabitant can see.
const INHABITANT: &str = "
for n in user mnt pid ipc uts net cgroup; do echo \"ns-$n: $(readlink /proc/self/ns/$n)\"; done
while read -r line; do echo \"$line\"; done </proc/self/status
if (: >/probe) 2>/dev/null; then echo 'root: writable'; else echo 'root: read-only'; fi
while read -r name rest; do echo \"interface-$name x\"; done </proc/net/dev
";

/// Looks for the programs and at the control groups.
pub(super) fn find_host() -> Result<Host, RuntimeError> {
    let refused = |what: &str| RuntimeError::refused(what);
    let failed = |error: io::Error| RuntimeError::failed("look for bubblewrap", error);
    let bwrap = find_program("bwrap")
        .ok_or_else(|| refused("bubblewrap is not installed: install the package `bubblewrap`"))?;
    let ask = |option: &str| {
        let asked = Command::new(&bwrap).arg(option).env_clear().output();
        asked.map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let version = ask("--version").map_err(failed)?;
    let help = ask("--help").map_err(failed)?;
    if !NEEDED.iter().all(|option| help.contains(option)) {
        return Err(refused(&format!(
            "{} is too old: 0.8.0 or newer is needed",
            version.trim()
        )));
    }
    Ok(Host {
        setpriv: find_program("setpriv"),
        bwrap,
        version: version.trim().to_owned(),
        cgroups: Cgroups::find(),
        boot: record::this_boot().map_err(failed)?,
    })
}

/// Runs a sandbox for a moment and reports what its inhabitant saw.
pub(super) fn describe(host: &Host) -> Result<RuntimeInfo, RuntimeError> {
    let failed = |error: io::Error| RuntimeError::failed("try a sandbox", error);
    let report = inhabit(host).map_err(failed)?;
    let seen: BTreeMap<&str, &str> = report
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(key, value)| (key.trim(), value.trim()))
        .collect();
    let Some(no_new_privs) = seen.get("NoNewPrivs") else {
        return Err(RuntimeError::Refused {
            what: "bubblewrap can't make a sandbox on this machine".to_owned(),
            source: Some(report.into()),
        });
    };
    let memory = host.cgroups.how(Kind::Memory);
    let pids = host.cgroups.how(Kind::Pids);
    let dropped = |set: &&str| {
        let mask = seen.get(set);
        mask.is_some_and(|mask| mask.trim_matches('0').is_empty())
    };
    let capabilities = if ["CapEff", "CapPrm", "CapBnd"].iter().all(dropped) {
        "all dropped"
    } else {
        "not all dropped"
    };
    let yes = |holds: bool, how: &'static str| if holds { how } else { "none" };
    Ok(RuntimeInfo {
        kind: RuntimeKind::Sandbox,
        version: host.version.clone(),
        api: "command line".to_owned(),
        enforcement: vec![
            Enforcement::new("memory limit", memory.unwrap_or("rlimit, each process")),
            Enforcement::new("pids limit", pids.unwrap_or("rlimit, by user")),
            Enforcement::new("cpu limit", host.cgroups.how(Kind::Cpu).unwrap_or("none")),
            Enforcement::new("file size limit", "rlimit"),
            Enforcement::new("namespaces", separate_namespaces(&seen)),
            Enforcement::new(
                "seccomp",
                yes(seen.get("Seccomp") == Some(&"2"), "own filter"),
            ),
            Enforcement::new("no-new-privileges", yes(*no_new_privs == "1", "kernel")),
            Enforcement::new("capabilities", capabilities),
            Enforcement::new(
                "read-only root",
                yes(seen.get("root") == Some(&"read-only"), "mount"),
            ),
            Enforcement::new(
                "network none",
                yes(has_only_loopback(&report), "network namespace"),
            ),
        ],
    })
}

/// The namespaces that are not the host's.
fn separate_namespaces(seen: &BTreeMap<&str, &str>) -> String {
    let separate = |name: &&str| {
        let inside = seen.get(format!("ns-{name}").as_str()).copied();
        let outside = fs::read_link(format!("/proc/self/ns/{name}")).ok();
        let outside = outside.as_deref().and_then(|link| link.to_str());
        inside.is_some_and(|inside| !inside.is_empty()) && inside != outside
    };
    NAMESPACES
        .into_iter()
        .filter(separate)
        .collect::<Vec<_>>()
        .join(" ")
}

fn has_only_loopback(report: &str) -> bool {
    let mut names = report
        .lines()
        .filter_map(|line| line.strip_prefix("interface-"))
        .filter_map(|line| line.split(':').next().filter(|_| line.contains(':')));
    names.next() == Some("lo") && names.next().is_none()
}

/// Runs the inhabitant with the arguments that every sandbox gets; gives all it said.
fn inhabit(host: &Host) -> io::Result<String> {
    let spec = probe_spec();
    let filter = seccomp::program();
    // Only one pipe is left over here, so the argument that would read the files is answered
    // by the sandbox's own empty ones: an /etc is of no interest to the probe.
    let mut args = bwrap::hidden(&spec, &bwrap::host_layout(), false);
    for (_, descriptor, _) in bwrap::ETC {
        while let Some(at) = args.iter().position(|arg| arg == "--file")
            && args.get(at + 1).map(String::as_str) == Some(descriptor)
        {
            // `--perms MODE --file FD DEST`
            args.drain(at.saturating_sub(2)..at + 3);
        }
    }
    let mut command = match host.setpriv.as_ref().filter(|_| getuid().is_root()) {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args([
                &format!("--reuid={NOBODY}"),
                &format!("--regid={NOBODY}"),
                "--clear-groups",
                "--no-new-privs",
                "--",
                host.bwrap.as_str(),
            ]);
            command
        }
        None => Command::new(&host.bwrap),
    };
    if filter.is_some() {
        // The filter comes through standard input.
        command.args(["--seccomp", "0"]);
    }
    let mut child = command
        .args(&args)
        .arg("--")
        .args(&spec.command)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // silent: a bubblewrap that gave up does not read it, and says why on its error output.
        drop(input.write_all(&filter.unwrap_or_default()));
    }
    let output = child.wait_with_output()?;
    let said = [output.stdout, output.stderr].concat();
    Ok(String::from_utf8_lossy(&said).into_owned())
}

fn probe_spec() -> SandboxSpec {
    let user = if getuid().is_root() {
        (NOBODY, NOBODY)
    } else {
        (getuid().as_raw(), getgid().as_raw())
    };
    SandboxSpec {
        install: InstallId::mint(Timestamp::UNIX_EPOCH, [0; 10]),
        session: SessionId::mint(Timestamp::UNIX_EPOCH, [0; 10]),
        generation: Generation(0),
        root: Root::HostTools,
        command: ["/bin/sh", "-c", INHABITANT].map(str::to_owned).into(),
        env: vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())],
        workdir: Utf8PathBuf::from("/"),
        mounts: Vec::new(),
        user: SandboxUser {
            uid: user.0,
            gid: user.1,
        },
        limits: Limits {
            memory_bytes: 0,
            cpu_millis: 0,
            pids: 0,
            file_bytes: 0,
            tmp_bytes: 65536,
        },
        capabilities: Capabilities::None,
        root_access: RootAccess::ReadOnly,
        network: Network::None,
        log: Utf8PathBuf::from("/dev/null"),
    }
}

fn find_program(name: &str) -> Option<Utf8PathBuf> {
    PROGRAM_DIRS
        .into_iter()
        .map(|dir| Utf8Path::new(dir).join(name))
        .find(|path| path.is_file())
}
