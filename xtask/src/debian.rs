//! What must be installed on the machine, and installing it where that is allowed.

pub(crate) mod sources;

use std::path::Path;

use anyhow::{Result, bail};
use xshell::{Cmd, Shell, cmd};

use crate::{
    machine,
    output::{self, Console},
};

/// Something the machine must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    /// A program on the search path, or the absolute path of a file.
    pub(crate) probe: &'static str,
    /// The Debian package it comes in.
    pub(crate) package: &'static str,
    /// What it is for.
    pub(crate) why: &'static str,
}

/// Builds and the sandbox without a container engine.
pub(crate) const TO_RUN: &[Need] = &[
    Need {
        probe: "cc",
        package: "gcc",
        why: "compiles SQLite, which is written in C, and links",
    },
    Need {
        probe: "/usr/include/stdio.h",
        package: "libc6-dev",
        why: "the C library's headers and its static form, for the agent-runner",
    },
    Need {
        probe: "bwrap",
        package: "bubblewrap",
        why: "walls agents in where no container engine answers",
    },
    Need {
        probe: "setpriv",
        package: "util-linux",
        why: "ends the host together with the command that started it",
    },
];

/// Counting what a running program makes durable.
pub(crate) const TO_COUNT_SYNCS: &[Need] = &[Need {
    probe: "strace",
    package: "strace",
    why: "counts the fsyncs of the running programs",
}];

/// What others wrote in Python: clients of chat platforms, and a homeserver.
pub(crate) const TO_RUN_PYTHON: &[Need] = &[Need {
    probe: "python3",
    package: "python3-venv",
    why: "runs clients and servers that are written in Python",
}];

/// Clients of chat platforms that others wrote in JavaScript.
pub(crate) const TO_TRY_CLIENTS: &[Need] = &[
    Need {
        probe: "node",
        package: "nodejs",
        why: "runs clients that are written in JavaScript",
    },
    Need {
        probe: "npm",
        package: "npm",
        why: "gets clients that are written in JavaScript",
    },
];

/// An engine of our own.
pub(crate) const TO_START_AN_ENGINE: &[Need] = &[
    Need {
        probe: "dockerd",
        package: "docker.io",
        why: "the container engine that the tests need",
    },
    Need {
        probe: "docker-init",
        package: "docker.io",
        why: "the first process of each container",
    },
    Need {
        probe: "docker",
        package: "docker.io",
        why: "talks to the container engine",
    },
    Need {
        probe: "ip",
        package: "iproute2",
        why: "shows what network a sandbox has",
    },
];

/// Where Debian ships the engine's client apart from the engine (Debian 13 and later).
const CLIENT_APART: Need = Need {
    probe: "docker",
    package: "docker-cli",
    why: "talks to the container engine",
};

/// An agents' image without a registry.
pub(crate) const TO_BOOTSTRAP: &[Need] = &[Need {
    probe: "debootstrap",
    package: "debootstrap",
    why: "makes the agents' image from Debian packages, as no registry answers",
}];

/// In whose name packages can be installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Privilege {
    /// We are root.
    Root,
    /// `sudo` works and asks for no password.
    Sudo,
    /// Neither.
    None,
}

impl Privilege {
    /// What this process may do.
    pub(crate) fn of_this_process(sh: &Shell) -> Self {
        if rustix::process::geteuid().is_root() {
            Self::Root
        } else if output::succeeds(cmd!(sh, "sudo -n true")) {
            Self::Sudo
        } else {
            Self::None
        }
    }

    /// A command as root, if that is possible.
    pub(crate) fn command<'a>(self, sh: &'a Shell, program: &str) -> Result<Cmd<'a>> {
        match self {
            Self::Root => Ok(sh.cmd(program)),
            Self::Sudo => Ok(cmd!(sh, "sudo -n {program}")),
            Self::None => bail!("`{program}` takes root, or a sudo that asks for no password"),
        }
    }
}

/// Installs what is missing where that is allowed, else says which one command does it.
pub(crate) fn ensure(sh: &Shell, console: &Console, needs: &[Need]) -> Result<()> {
    let missing = missing(needs, present);
    if missing.is_empty() {
        return Ok(());
    }
    for need in &missing {
        console.say(&format!(
            "missing: {} (package {}): {}",
            need.probe, need.package, need.why
        ));
    }
    if machine::which("apt-get").is_none() {
        bail!("install what is missing above; only Debian's apt-get is known here");
    }
    let privilege = Privilege::of_this_process(sh);
    let mut packages = packages(&missing);
    if privilege == Privilege::None {
        bail!("run: {}", by_hand(&packages));
    }
    let quiet = ["-q", "-y", "--no-install-recommends"];
    // One broken source among many fails this, and need not matter: the installation tells.
    if let Err(err) = console.run(privilege.command(sh, "apt-get")?.args(["-q", "update"])) {
        console.say(&format!("{err:#}"));
    }
    if missing.iter().any(|need| need.probe == CLIENT_APART.probe)
        && output::succeeds(cmd!(sh, "apt-cache show docker-cli"))
    {
        packages.push(CLIENT_APART.package);
    }
    console.run(
        privilege
            .command(sh, "env")?
            .arg("DEBIAN_FRONTEND=noninteractive")
            .args(["apt-get", "install"])
            .args(quiet)
            .args(&packages),
    )
}

fn present(probe: &str) -> bool {
    if probe.starts_with('/') {
        Path::new(probe).exists()
    } else {
        machine::which(probe).is_some()
    }
}

fn missing(needs: &[Need], present: impl Fn(&str) -> bool) -> Vec<Need> {
    needs
        .iter()
        .copied()
        .filter(|need| !present(need.probe))
        .collect()
}

fn packages(missing: &[Need]) -> Vec<&'static str> {
    let mut packages: Vec<_> = missing.iter().map(|need| need.package).collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

fn by_hand(packages: &[&str]) -> String {
    format!(
        "sudo apt-get update && sudo apt-get install -y --no-install-recommends {}",
        packages.join(" ")
    )
}

#[cfg(test)]
mod tests;
