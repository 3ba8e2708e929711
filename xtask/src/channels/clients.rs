//! Clients that others wrote, against our fakes of their platforms.
//!
//! A channel's folder `clients/` has programs for an example `fake-CHANNEL` of its crate, which prints the
//! address of a server and a token, and ends well if the client did all that it should.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use xshell::cmd;

use crate::{channels::PREFIX, output::Console, python, workspace::Workspace};

/// What runs a client, by the ending of its file.
#[derive(Clone, Copy)]
enum Language {
    Python,
    JavaScript,
}

impl Language {
    fn of(client: &Path) -> Option<Self> {
        match client.extension()?.to_str()? {
            "py" => Some(Self::Python),
            "cjs" => Some(Self::JavaScript),
            _ => None,
        }
    }

    /// Begins the first line of a client, before the packages that it needs.
    fn needs(self) -> &'static str {
        match self {
            Self::Python => "# pip: ",
            Self::JavaScript => "// npm: ",
        }
    }
}

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
    let short = package.strip_prefix(PREFIX).unwrap_or(package);
    let example = format!("fake-{short}");
    console.run(cmd!(
        sh,
        "cargo build --locked --package {package} --features fake --example {example}"
    ))?;
    let server = workspace.target.join("debug/examples").join(&example);
    let mut names = Vec::new();
    for entry in fs::read_dir(&clients).with_context(|| format!("read {}", clients.display()))? {
        let path = entry?.path();
        if let Some(language) = Language::of(&path) {
            let name = path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let place = environment(workspace, console, (&path, language), &name)?;
            let client = command(&place, &path, language);
            against(console, &server, client, &path).with_context(|| format!("run {name}"))?;
            names.push(name);
        }
    }
    Ok(names)
}

/// A folder that has what the client needs, made once.
fn environment(
    workspace: &Workspace,
    console: &Console,
    (client, language): (&Path, Language),
    name: &str,
) -> Result<PathBuf> {
    let text = fs::read_to_string(client)?;
    let first = text.lines().next().unwrap_or_default();
    let needs = first
        .strip_prefix(language.needs())
        .context("the client does not say what it needs")?;
    let place = format!("clients/{name}");
    match language {
        Language::Python => python::with(workspace, console, &place, needs),
        Language::JavaScript => node(workspace, console, &place, needs),
    }
}

/// A folder that has these packages of npm, made once.
fn node(workspace: &Workspace, console: &Console, place: &str, needs: &str) -> Result<PathBuf> {
    let place = workspace.target.join("xtask").join(place);
    let done = place.join("needs");
    if fs::read_to_string(&done).is_ok_and(|had| had == needs) {
        return Ok(place);
    }
    let sh = workspace.shell()?;
    let needs_each = needs.split_whitespace();
    console.run(cmd!(
        sh,
        "npm install --silent --no-audit --no-fund --ignore-scripts --prefix {place} {needs_each...}"
    ))?;
    fs::write(&done, needs)?;
    Ok(place)
}

/// What runs a client with what it needs.
fn command(place: &Path, client: &Path, language: Language) -> Command {
    let mut command = match language {
        Language::Python => Command::new(place.join("bin/python")),
        Language::JavaScript => {
            let mut node = Command::new("node");
            node.env("NODE_PATH", place.join("node_modules"));
            node
        }
    };
    command.arg(client);
    command
}

/// One client against a server of its own.
fn against(console: &Console, server: &Path, mut command: Command, client: &Path) -> Result<()> {
    let mut serving = Ending(Command::new(server).stdout(Stdio::piped()).spawn()?);
    let stdout = serving.0.stdout.take().context("the server says nothing")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    console.say(&format!("{} against a fake", client.display()));
    let _client = Ending(
        command
            .args(line.split_whitespace())
            .stdout(Stdio::null())
            .spawn()?,
    );
    let status = serving.0.wait()?;
    ensure!(status.success(), "the client did not do what it should");
    Ok(())
}
