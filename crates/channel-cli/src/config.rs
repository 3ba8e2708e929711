//! An instance's table: one key, `socket`, which can be left out.

use std::sync::Arc;

use anchorhold_channel::{ChannelAdapter, ChannelFactory, FactoryContext, Problem, TableReader};
use camino::{Utf8Path, Utf8PathBuf};
use toml::Table;

use crate::adapter::CliAdapter;

/// The longest path of a Unix socket on Linux, in bytes.
const PATH_LIMIT_BYTES: usize = 107;
/// What the socket is called while it is being made, with its folder: `.12345678/s`.
const PRIVATE_NAME_BYTES: usize = 11;

/// Builds adapters of this channel.
pub const FACTORY: ChannelFactory = ChannelFactory {
    type_name: "cli",
    build,
};

fn build(cx: &FactoryContext, table: Table) -> Result<Arc<dyn ChannelAdapter>, Vec<Problem>> {
    let socket = read(cx, table)?;
    Ok(Arc::new(CliAdapter::new(cx, socket)))
}

/// The path of the socket.
pub(crate) fn read(cx: &FactoryContext, table: Table) -> Result<Utf8PathBuf, Vec<Problem>> {
    let mut reader = TableReader::new(table);
    let given: Option<Utf8PathBuf> = reader.optional("socket");
    // A relative path starts at the data folder; joining keeps an absolute one as it is.
    let name = given.unwrap_or_else(|| format!("{}.sock", cx.name).into());
    let socket = cx.data_dir.join(name);
    if socket.file_name().is_none() {
        reader.problem("socket", "has to end in a file name");
    }
    let folder = socket.parent().map_or(0, |folder| folder.as_str().len());
    let longest = socket.as_str().len().max(folder + 1 + PRIVATE_NAME_BYTES);
    if longest > PATH_LIMIT_BYTES {
        let what = format!("the path is too long: a socket's has at most {PATH_LIMIT_BYTES} bytes");
        reader.problem("socket", what);
    }
    reader.finish(Some(socket))
}

/// The socket of the instance `name` where its table does not say otherwise.
pub fn default_socket(data_dir: &Utf8Path, name: &str) -> Utf8PathBuf {
    data_dir.join(format!("{name}.sock"))
}

#[cfg(test)]
mod tests;
