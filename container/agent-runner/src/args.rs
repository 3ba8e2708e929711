//! The command line. The host writes it, so it has no help and no short forms.

use anchorhold_core::sandbox::{Generation, IN_DIR, OUT_DIR, WORKSPACE_DIR};
use camino::Utf8PathBuf;

use crate::Error;

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
}

impl Args {
    /// Reads the arguments after the program's name. A repeated one counts as given last.
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, Error> {
        let mut generation = None;
        let mut in_dir = Utf8PathBuf::from(IN_DIR);
        let mut out_dir = Utf8PathBuf::from(OUT_DIR);
        let mut workspace = Utf8PathBuf::from(WORKSPACE_DIR);
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut value = |argument| arguments.next().ok_or(Error::MissingValue { argument });
            match argument.as_str() {
                "--generation" => generation = Some(parse_generation(value("--generation")?)?),
                "--in" => in_dir = value("--in")?.into(),
                "--out" => out_dir = value("--out")?.into(),
                "--workspace" => workspace = value("--workspace")?.into(),
                _ => return Err(Error::UnknownArgument { argument }),
            }
        }
        let generation = generation.ok_or(Error::MissingGeneration)?;
        Ok(Self {
            generation,
            in_dir,
            out_dir,
            workspace,
        })
    }
}

fn parse_generation(value: String) -> Result<Generation, Error> {
    match value.parse() {
        Ok(number) if number >= 1 => Ok(Generation(number)),
        Ok(_) | Err(_) => Err(Error::BadGeneration { value }),
    }
}

#[cfg(test)]
mod tests;
