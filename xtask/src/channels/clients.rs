//! Clients that others wrote, against our fakes of their platforms.
//!
//! A channel's folder `clients/` has programs for an example `fake` of its crate, which prints the
//! address of a server and a token, and ends well if the client did all that it should.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use xshell::cmd;

use crate::{output::Console, python, workspace::Workspace};

/// Begins the first line of a client, before the packages that it needs.
const NEEDS: &str = "# pip: ";

/// Ends a process with the value.
struct Ending(Child);

impl Drop for Ending {
    fn drop(&mut self) {
        // silent: it may have ended by itself
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Runs every client of one channel; gives their names.
pub(super) fn run(
    workspace: &Workspace,
    console: &Console,
    package: &str,
    folder: &Path,
) -> Result<Vec<String>> {
    let clients = folder.join("clients");
    if !clients.is_dir() {
        return Ok(Vec::new());
    }
    let sh = workspace.shell()?;
    console.run(cmd!(
        sh,
        "cargo build --locked --package {package} --features fake --example fake"
    ))?;
    let server = workspace.target.join("debug/examples/fake");
    let mut names = Vec::new();
    for entry in fs::read_dir(&clients).with_context(|| format!("read {}", clients.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|kind| kind == "py") {
            let name = path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let python = environment(workspace, console, &path, &name)?;
            against(console, &server, &python, &path).with_context(|| format!("run {name}"))?;
            names.push(name);
        }
    }
    Ok(names)
}

/// A Python that has what the client needs.
fn environment(
    workspace: &Workspace,
    console: &Console,
    client: &Path,
    name: &str,
) -> Result<PathBuf> {
    let text = fs::read_to_string(client)?;
    let first = text.lines().next().unwrap_or_default();
    let needs = first
        .strip_prefix(NEEDS)
        .context("the client does not say what it needs")?;
    python::with(workspace, console, &format!("clients/{name}"), needs)
}

/// One client against a server of its own.
fn against(console: &Console, server: &Path, python: &Path, client: &Path) -> Result<()> {
    let mut serving = Ending(Command::new(server).stdout(Stdio::piped()).spawn()?);
    let stdout = serving.0.stdout.take().context("the server says nothing")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    console.say(&format!("{} against a fake", client.display()));
    let _client = Ending(
        Command::new(python)
            .arg(client)
            .args(line.split_whitespace())
            .stdout(Stdio::null())
            .spawn()?,
    );
    let status = serving.0.wait()?;
    ensure!(status.success(), "the client did not do what it should");
    Ok(())
}
