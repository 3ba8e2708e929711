//! What cargo knows of this workspace.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;
use xshell::{Shell, cmd};

use crate::output;

/// The workspace as `cargo metadata --no-deps` tells it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Workspace {
    /// The folder with the workspace's `Cargo.toml`.
    #[serde(rename = "workspace_root")]
    pub(crate) root: PathBuf,
    /// Where builds land.
    #[serde(rename = "target_directory")]
    pub(crate) target: PathBuf,
    /// The workspace's own packages.
    pub(crate) packages: Vec<Package>,
}

/// One package of the workspace.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Package {
    /// Its full name.
    pub(crate) name: String,
    /// What it depends on, of all kinds.
    pub(crate) dependencies: Vec<Dependency>,
    /// Its features and what each turns on.
    pub(crate) features: BTreeMap<String, Vec<String>>,
}

/// One dependency of a package.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Dependency {
    /// The name of the package depended on.
    pub(crate) name: String,
    /// `dev`, `build`, or nothing for a normal one.
    pub(crate) kind: Option<String>,
}

impl Workspace {
    /// Asks cargo about the workspace that the current folder is in.
    pub(crate) fn load() -> Result<Self> {
        let sh = Shell::new()?;
        let text = output::read(cmd!(sh, "cargo metadata --no-deps --format-version 1"))?;
        Self::parse(&text)
    }

    /// A shell in the root folder.
    pub(crate) fn shell(&self) -> Result<Shell> {
        let sh = Shell::new()?;
        sh.change_dir(&self.root);
        Ok(sh)
    }

    fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text).context("read what `cargo metadata` says")
    }
}

#[cfg(test)]
mod tests;
