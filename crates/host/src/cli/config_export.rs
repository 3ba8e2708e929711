//! `anchorhold config export`

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    process::ExitCode,
};

use anchorhold_store::Store;
use anyhow::{Context, bail};
use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;

use crate::{
    cli::Common,
    dirs::Dirs,
    output,
    settings::{self, Exported},
};

/// What is exported where.
#[derive(Debug, Args)]
pub struct Export {
    /// A new file, instead of standard output; one that is there is never overwritten
    #[arg(long, value_name = "FILE")]
    output: Option<Utf8PathBuf>,
}

/// Reads the configuration file and the database, beside a host that may be running, and changes
/// neither.
pub async fn run(common: &Common, export: &Export) -> anyhow::Result<ExitCode> {
    let exported = read(&common.config, &common.data_dir).await?;
    match &export.output {
        Some(path) => {
            write_new(path, &exported.text).with_context(|| format!("can't write {path}"))?;
        }
        None if common.json => output::json(&serde_json::json!({
            "text": exported.text,
            "left_out": exported.left_out,
        }))?,
        None => print(&exported.text).context("can't write to standard output")?,
    }
    for line in &exported.left_out {
        output::note(line);
    }
    Ok(ExitCode::SUCCESS)
}

/// The file that says what the database below `data_dir` holds, beside what only `config` knows.
async fn read(config: &Utf8Path, data_dir: &Utf8Path) -> anyhow::Result<Exported> {
    let (config, _text) = settings::read(config)?;
    let path = Dirs::look(data_dir)?.database();
    if !path.exists() {
        bail!("there is no database at {path}");
    }
    let store = Store::open_reading(path.as_std_path()).await?;
    let held = store.entities(&settings::policies(&config)).await;
    store.close().await;
    Ok(settings::export(&config, held?)?)
}

/// Writes a file that only its owner can read: it says who is trusted with what. What can't be
/// written to its end is removed again.
fn write_new(path: &Utf8Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all());
    if written.is_err() {
        // silent: the error that is returned says more.
        drop(fs::remove_file(path));
    }
    written
}

/// Half a configuration must not pass for a whole one, so unlike other data this is not printed
/// without a look at how it went.
fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

#[cfg(test)]
mod tests;
