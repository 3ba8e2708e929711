//! The sandboxes as the machine sees them, without asking a host.

use std::{fs, process::Command};

use rustix::process::Signal;

use crate::e2e::harness::signal_to;

/// What walls the agents in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wall {
    /// A container engine.
    Docker,
    /// bubblewrap.
    Sandbox,
}

impl Wall {
    /// As it is named in a configuration.
    pub(crate) fn named(name: &str) -> Self {
        let both = [Self::Docker, Self::Sandbox];
        let found = both.into_iter().find(|wall| wall.name() == name);
        found.expect("a name of a wall")
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Sandbox => "sandbox",
        }
    }

    /// Who commands inside are.
    pub(crate) fn uid(self) -> u32 {
        let ours = rustix::process::getuid();
        match self {
            Self::Docker if ours.is_root() => 65_532,
            Self::Docker => ours.as_raw(),
            Self::Sandbox => 1000,
        }
    }

    /// The containers, or the processes outside, of a session's sandboxes.
    pub(crate) fn sandboxes(self, engine: &str, session: &str) -> Vec<String> {
        match self {
            Self::Docker => {
                let filter = format!("label=anchorhold.session={session}");
                let listed = docker(engine, &["ps", "--all", "--quiet", "--filter", &filter]);
                listed.lines().map(str::to_owned).collect()
            }
            Self::Sandbox => processes(session).iter().map(u32::to_string).collect(),
        }
    }

    /// Kills what runs of a session, as an operator would.
    pub(crate) fn kill(self, engine: &str, session: &str) {
        let found = self.sandboxes(engine, session);
        assert!(!found.is_empty(), "a sandbox of {session} runs");
        match self {
            Self::Docker => {
                for container in found {
                    docker(engine, &["kill", &container]);
                }
            }
            Self::Sandbox => {
                for pid in found {
                    signal_to(pid.parse().unwrap(), Signal::KILL);
                }
            }
        }
    }

    /// Takes away all that is left of a session, whatever its state.
    pub(crate) fn remove(self, engine: &str, session: &str) {
        match self {
            Self::Docker => {
                for container in self.sandboxes(engine, session) {
                    docker(engine, &["rm", "--force", &container]);
                }
            }
            Self::Sandbox => {
                for pid in processes(session) {
                    signal_to(pid, Signal::KILL);
                }
            }
        }
    }
}

/// Calls the engine's client; what fails prints nothing.
pub(crate) fn docker(engine: &str, args: &[&str]) -> String {
    let done = Command::new("docker")
        .args(args)
        .env("DOCKER_HOST", engine)
        .output()
        .unwrap();
    String::from_utf8(done.stdout).unwrap()
}

/// The first processes inside of a session's sandboxes: everything else ends with them.
fn processes(session: &str) -> Vec<u32> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| is_init_of(*pid, session)).collect()
}

fn is_init_of(pid: u32, session: &str) -> bool {
    // silent: a process that has ended has nothing to read, so it is none of them.
    let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mut arguments = line.split('\0');
    let inner = status.lines().find(|line| line.starts_with("NSpid:"));
    arguments.next().is_some_and(|name| name.ends_with("bwrap"))
        && arguments.any(|argument| argument.contains(session))
        && inner.is_some_and(|ids| ids.split_whitespace().count() > 2 && ids.ends_with("\t1"))
}
