//! `cargo xtask synapse`: the homeserver that tests start and talk to, from `PyPI`.

use std::process::ExitCode;

use anyhow::Result;

use crate::{
    output::{self, Console},
    python,
    workspace::Workspace,
};

/// The tests look for it at this place beside the builds.
const PLACE: &str = "synapse";
const NEEDS: &str = "matrix-synapse==1.163.2";

pub(crate) fn run(workspace: &Workspace, console: &Console) -> Result<ExitCode> {
    ensure(workspace, console)?;
    output::say("the homeserver for tests is there");
    Ok(ExitCode::SUCCESS)
}

/// Installs it if it is not there.
pub(crate) fn ensure(workspace: &Workspace, console: &Console) -> Result<()> {
    python::with(workspace, console, PLACE, NEEDS)?;
    Ok(())
}
