//! What the commands say, and where the programs they call write.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the only file of this program that prints"
)]

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use xshell::Cmd;

/// How much of a log is shown when its step failed.
const TAIL_LINES: usize = 400;

/// Prints a line on standard output.
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// Prints a line on standard error.
pub(crate) fn complain(line: &str) {
    eprintln!("{line}");
}

/// Prints the beginning of a line, so that a step that hangs has a name.
pub(crate) fn begin(text: &str) {
    print!("{text}");
    // silent: a terminal that cannot be flushed shows the text a moment later
    drop(io::stdout().flush());
}

/// Where a step speaks and its commands write: the terminal, or a log of its own.
#[derive(Debug)]
pub(crate) struct Console {
    log: Option<PathBuf>,
}

impl Console {
    /// Shows everything on the terminal.
    pub(crate) fn terminal() -> Self {
        Self { log: None }
    }

    /// Writes everything to the file at `path`, made empty first.
    pub(crate) fn log(path: &Path) -> Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        }
        File::create(path).with_context(|| format!("make {}", path.display()))?;
        let log = Some(path.to_owned());
        Ok(Self { log })
    }

    /// Says one line.
    pub(crate) fn say(&self, line: &str) {
        match self.file() {
            Ok(Some(mut file)) => {
                // silent: a log that cannot be written must not stop the step it tells of
                drop(writeln!(file, "{line}"));
            }
            Ok(None) => complain(line),
            Err(err) => complain(&format!("{line} ({err:#})")),
        }
    }

    /// Runs a command to its end; one that fails is an error that names it.
    pub(crate) fn run(&self, command: Cmd<'_>) -> Result<()> {
        let name = command.to_string();
        self.say(&format!("$ {name}"));
        let status = self
            .direct(command)?
            .status()
            .with_context(|| format!("start `{name}`"))?;
        if !status.success() {
            bail!("`{name}` ended with {status}");
        }
        Ok(())
    }

    /// The command with its output sent here, and nothing to read.
    fn direct(&self, command: Cmd<'_>) -> Result<Command> {
        let mut command = Command::from(command);
        command.stdin(Stdio::null());
        match self.file()? {
            Some(file) => {
                let twin = file.try_clone().context("share the log with a command")?;
                command.stdout(twin).stderr(file);
            }
            // Standard output belongs to the answers of `up`; what builds say goes beside it.
            None => {
                command.stdout(io::stderr());
            }
        }
        Ok(command)
    }

    fn file(&self) -> Result<Option<File>> {
        let Some(path) = &self.log else {
            return Ok(None);
        };
        let file = File::options()
            .append(true)
            .open(path)
            .with_context(|| format!("open {}", path.display()))?;
        Ok(Some(file))
    }
}

/// Runs a command for what it prints on standard output; the terminal sees nothing of it.
pub(crate) fn read(command: Cmd<'_>) -> Result<String> {
    let text = command.quiet().ignore_stderr().read()?;
    Ok(text)
}

/// Whether a command starts and succeeds; the terminal sees nothing of it.
pub(crate) fn succeeds(command: Cmd<'_>) -> bool {
    command
        .quiet()
        .ignore_stdout()
        .ignore_stderr()
        .run()
        .is_ok()
}

/// The last lines of a log, or why there are none.
pub(crate) fn tail(path: &Path) -> String {
    match fs::read(path) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let lines: Vec<&str> = text.lines().collect();
            let from = lines.len().saturating_sub(TAIL_LINES);
            lines.get(from..).unwrap_or_default().join("\n")
        }
        Err(err) => format!("({}: {err})", path.display()),
    }
}
