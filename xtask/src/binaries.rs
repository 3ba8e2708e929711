//! The programs of the product: the host, and the agent-runner in the form that runs in any image.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use xshell::cmd;

use crate::{
    output::{self, Console},
    workspace::Workspace,
};

/// `PT_INTERP`: the program header that asks for a dynamic loader.
const ASKS_FOR_A_LOADER: u32 = 3;

/// How programs are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Quick to build.
    Dev,
    /// Quick to run.
    Release,
}

impl Profile {
    fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Dev => &[],
            Self::Release => &["--release"],
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Dev => "debug",
            Self::Release => "release",
        }
    }
}

/// Where the host program of a profile is built.
pub(crate) fn host_path(workspace: &Workspace, profile: Profile) -> PathBuf {
    workspace.target.join(profile.folder()).join("anchorhold")
}

/// Builds the host, and says where it is.
pub(crate) fn host(workspace: &Workspace, console: &Console, profile: Profile) -> Result<PathBuf> {
    let sh = workspace.shell()?;
    let flags = profile.flags();
    console.run(cmd!(
        sh,
        "cargo build --locked {flags...} --package anchorhold-host --bin anchorhold"
    ))?;
    Ok(host_path(workspace, profile))
}

/// Builds the agent-runner so that it needs nothing of the image it runs in, and says where it is.
pub(crate) fn runner(
    workspace: &Workspace,
    console: &Console,
    profile: Profile,
) -> Result<PathBuf> {
    let sh = workspace.shell()?;
    let triple = triple(&output::read(cmd!(sh, "rustc -vV"))?)?;
    let flags = profile.flags();
    // A target folder of its own: other flags in the same one would throw away the normal build.
    // Naming the target keeps the flags away from procedural macros, which cannot be static.
    let target = workspace.target.join("static");
    console.run(
        cmd!(
            sh,
            "cargo build --locked {flags...} --package anchorhold-agent-runner --target {triple}"
        )
        .env("CARGO_TARGET_DIR", &target)
        // This form wins over RUSTFLAGS and over what a machine has configured.
        .env("CARGO_ENCODED_RUSTFLAGS", "-C\u{1f}target-feature=+crt-static"),
    )?;
    let path = target
        .join(&triple)
        .join(profile.folder())
        .join("agent-runner");
    let bytes = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
    ensure!(
        !asks_for_a_loader(&bytes)?,
        "{} is not static, so most images could not run it",
        path.display()
    );
    Ok(path)
}

fn triple(version: &str) -> Result<String> {
    version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .context("`rustc -vV` names no host")
}

/// Whether a 64-bit little-endian ELF program wants a dynamic loader.
fn asks_for_a_loader(elf: &[u8]) -> Result<bool> {
    const TRUNCATED: &str = "the program's ELF header is cut short";
    ensure!(
        elf.starts_with(b"\x7fELF\x02\x01"),
        "not a 64-bit little-endian ELF program"
    );
    let table = usize::try_from(u64::from_le_bytes(field(elf, 32).context(TRUNCATED)?))?;
    let size = u16::from_le_bytes(field(elf, 54).context(TRUNCATED)?);
    let count = u16::from_le_bytes(field(elf, 56).context(TRUNCATED)?);
    for index in 0..usize::from(count) {
        let at = table.saturating_add(index.saturating_mul(usize::from(size)));
        let kind = u32::from_le_bytes(field(elf, at).context(TRUNCATED)?);
        if kind == ASKS_FOR_A_LOADER {
            return Ok(true);
        }
    }
    Ok(false)
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// Whether `path` is a program that the host can be told to use.
pub(crate) fn exists(path: &Path) -> Result<()> {
    ensure!(path.is_file(), "{} was not built", path.display());
    Ok(())
}

#[cfg(test)]
mod tests;
