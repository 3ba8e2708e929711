//! What others wrote in Python, each in an environment of its own beside the builds.

use std::{fs, path::PathBuf};

use anyhow::Result;
use xshell::cmd;

use crate::{debian, output::Console, workspace::Workspace};

/// A virtual environment with these packages, made once at this place.
pub(crate) fn with(
    workspace: &Workspace,
    console: &Console,
    place: &str,
    needs: &str,
) -> Result<PathBuf> {
    let place = workspace.target.join("xtask").join(place);
    let (python, done) = (place.join("bin/python"), place.join("needs"));
    if fs::read_to_string(&done).is_ok_and(|had| had == needs) {
        return Ok(place);
    }
    let sh = workspace.shell()?;
    debian::ensure(&sh, console, debian::TO_RUN_PYTHON)?;
    console.run(cmd!(sh, "python3 -m venv --clear {place}"))?;
    let needs_each = needs.split_whitespace();
    console.run(cmd!(sh, "{python} -m pip install --quiet {needs_each...}"))?;
    fs::write(&done, needs)?;
    Ok(place)
}
