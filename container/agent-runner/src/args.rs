//! The command line. The host writes it, so it has no help and no short forms.

use anchorhold_core::sandbox::{Generation, IN_DIR, OUT_DIR, WORKSPACE_DIR};
use camino::Utf8PathBuf;

use crate::{Error, provider::Harness};

/// Where a harness keeps what it remembers, in the session's `out/`.
const HARNESS_HOME: &str = "harness";

/// What the command line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Args {
    /// Which of the session's sandboxes this is.
    pub generation: Generation,
    /// Where `inbound.db` is.
    pub in_dir: Utf8PathBuf,
    /// Where `outbound.db` is.
    pub out_dir: Utf8PathBuf,
    /// Where the agent works.
    pub workspace: Utf8PathBuf,
    /// The program that runs its turns, for providers that are programs of others.
    pub harness: Harness,
}

impl Args {
    /// Reads the arguments after the program's name. A repeated one counts as given last.
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, Error> {
        let mut generation = None;
        let mut in_dir = Utf8PathBuf::from(IN_DIR);
        let mut out_dir = Utf8PathBuf::from(OUT_DIR);
        let mut workspace = Utf8PathBuf::from(WORKSPACE_DIR);
        let mut harness = Harness::default();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value = |argument| arguments.next().ok_or(Error::MissingValue { argument });
            match argument.as_str() {
                "--generation" => generation = Some(parse_generation(value("--generation")?)?),
                "--in" => in_dir = value("--in")?.into(),
                "--out" => out_dir = value("--out")?.into(),
                "--workspace" => workspace = value("--workspace")?.into(),
                "--harness" => harness = parse_harness(&value("--harness")?)?,
                _ => return Err(Error::UnknownArgument { argument }),
            }
        }
        let generation = generation.ok_or(Error::MissingGeneration)?;
        harness.home = out_dir.join(HARNESS_HOME);
        Ok(Self {
            generation,
            in_dir,
            out_dir,
            workspace,
            harness,
        })
    }
}

fn parse_generation(value: String) -> Result<Generation, Error> {
    match value.parse() {
        Ok(number) if number >= 1 => Ok(Generation(number)),
        Ok(_) | Err(_) => Err(Error::BadGeneration { value }),
    }
}

fn parse_harness(value: &str) -> Result<Harness, Error> {
    serde_json::from_str(value).map_err(|source| Error::BadHarness { source })
}

#[cfg(test)]
mod tests;
