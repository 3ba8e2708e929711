//! A base image without a registry: a small Debian root, made by debootstrap and kept.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use tempfile::TempDir;
use xshell::{Shell, cmd};

use super::key;
use crate::{
    debian::{self, Privilege, sources, sources::Archive},
    engine::Engine,
    machine,
    output::{self, Console},
};

/// What an agent never needs, and what is true of the building machine only.
const LEFT_OUT: &[&str] = &[
    "./dev/*",
    "./etc/hostname",
    "./etc/resolv.conf",
    "./usr/share/doc/*",
    "./usr/share/info/*",
    "./usr/share/locale/*",
    "./usr/share/man/*",
    "./var/cache/apt/*",
    "./var/lib/apt/lists/*",
    "./var/log/*",
];

/// Gives the engine a base image with these packages, and says its name.
pub(super) fn import(
    sh: &Shell,
    console: &Console,
    engine: &Engine,
    packages: &str,
) -> Result<String> {
    let archive = sources::of_this_machine()?;
    let tar = obtain(sh, console, &archive, packages)?;
    let tag = format!("anchorhold-base:{}", archive.suite);
    console.run(
        engine
            .client(sh)
            .args(["import", "--change", r#"CMD ["bash"]"#])
            .arg(&tar)
            .arg(&tag),
    )?;
    Ok(tag)
}

/// The root as a tar file: the one kept from an earlier time, or a newly made one.
fn obtain(sh: &Shell, console: &Console, archive: &Archive, packages: &str) -> Result<PathBuf> {
    let cache = machine::cache()?;
    let key = key(&[
        &archive.suite,
        &archive.components.join(","),
        packages,
        &LEFT_OUT.join(","),
    ]);
    let kept = cache.join(format!("root-{}-{key}.tar", archive.suite));
    if kept.is_file() {
        console.say(&format!("using the Debian root kept in {}", kept.display()));
        return Ok(kept);
    }
    debian::ensure(sh, console, debian::TO_BOOTSTRAP)?;
    fs::create_dir_all(&cache).with_context(|| format!("make {}", cache.display()))?;
    // In the cache, not in /tmp: that may forbid device files, or be too small.
    let folder = tempfile::Builder::new()
        .prefix("root-")
        .tempdir_in(&cache)
        .context("make a folder for a Debian root")?;
    let made = bootstrap(sh, console, archive, packages, &folder);
    let moved = made.and_then(|tar| {
        fs::rename(&tar, &kept).with_context(|| format!("keep {}", kept.display()))
    });
    clean(sh, console, folder)?;
    moved?;
    Ok(kept)
}

fn bootstrap(
    sh: &Shell,
    console: &Console,
    archive: &Archive,
    packages: &str,
    folder: &TempDir,
) -> Result<PathBuf> {
    let privilege = Privilege::of_this_process(sh);
    let root = folder.path().join("root");
    let tar = folder.path().join("root.tar");
    let proxy = proxy(sh);
    console.run(
        privilege
            .command(sh, "env")?
            .args(proxy.map(|address| format!("http_proxy={address}")))
            .args(debootstrap(archive, packages))
            .args([
                archive.suite.as_str(),
                &root.display().to_string(),
                &archive.uri,
            ]),
    )?;
    let excludes = LEFT_OUT.iter().map(|path| format!("--exclude={path}"));
    console.run(
        privilege
            .command(sh, "tar")?
            .args(["--create", "--numeric-owner", "--one-file-system"])
            .args(excludes)
            .arg(format!("--directory={}", root.display()))
            .arg(format!("--file={}", tar.display()))
            .arg("."),
    )?;
    Ok(tar)
}

/// The call of debootstrap, without the three arguments at its end.
fn debootstrap(archive: &Archive, packages: &str) -> Vec<String> {
    let packages: Vec<_> = packages.split_whitespace().collect();
    vec![
        "debootstrap".to_owned(),
        "--variant=minbase".to_owned(),
        format!("--components={}", archive.components.join(",")),
        format!("--include={}", packages.join(",")),
    ]
}

/// The proxy apt fetches through on this machine; debootstrap would not ask apt for it.
fn proxy(sh: &Shell) -> Option<String> {
    // silent: a machine whose apt cannot be asked has no proxy in it
    let text = output::read(cmd!(
        sh,
        "apt-config --format %v%n dump Acquire::http::Proxy"
    ))
    .ok()?;
    let address = text.lines().next()?.trim();
    let known = !address.is_empty() && address != "DIRECT";
    known.then(|| address.to_owned())
}

/// Removes the folder, whose files may be root's.
fn clean(sh: &Shell, console: &Console, folder: TempDir) -> Result<()> {
    let privilege = Privilege::of_this_process(sh);
    if privilege == Privilege::Sudo {
        let root: &Path = &folder.path().join("root");
        console.run(privilege.command(sh, "rm")?.arg("-rf").arg(root))?;
    }
    folder.close().context("remove the folder of a Debian root")
}

#[cfg(test)]
mod tests;
