//! Secrets: named in the configuration, never written there, never shown.

use std::{fmt, io};

use camino::{Utf8Path, Utf8PathBuf};

use crate::error::SecretError;

/// The longest secret that is taken, in bytes.
pub const LIMIT_BYTES: usize = 64 * 1024;

/// Where a secret is to be had: `env:NAME` or `file:/absolute/path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretRef {
    /// An environment variable of the host.
    Env(String),
    /// A file that the host can read.
    File(Utf8PathBuf),
}

impl SecretRef {
    /// Reads a reference. Text that is none is not repeated in the error: it may be the secret.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        if let Some(name) = text.strip_prefix("env:") {
            let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            if !plain || !starts_well {
                return Err(SecretError::BadVariable);
            }
            return Ok(Self::Env(name.to_owned()));
        }
        if let Some(path) = text.strip_prefix("file:") {
            let path = Utf8Path::new(path);
            if !path.is_absolute() {
                return Err(SecretError::BadPath);
            }
            return Ok(Self::File(path.to_owned()));
        }
        Err(SecretError::NotReference)
    }

    /// Fetches the secret. Line ends after it, as editors leave them in files, are not part of it.
    pub fn resolve(&self, source: &SecretSource) -> Result<Secret, SecretError> {
        let found = match self {
            Self::Env(name) => {
                let name = name.clone();
                (source.env)(&name).ok_or(SecretError::NoVariable { name })?
            }
            Self::File(path) => (source.file)(path).map_err(|source| SecretError::File {
                path: path.clone(),
                source,
            })?,
        };
        let content = found.trim_end_matches(['\r', '\n']);
        if content.is_empty() {
            let at = self.to_string();
            return Err(SecretError::Empty { at });
        }
        if content.len() > LIMIT_BYTES {
            let at = self.to_string();
            let limit_bytes = LIMIT_BYTES;
            return Err(SecretError::TooLong { at, limit_bytes });
        }
        Ok(Secret(content.into()))
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{path}"),
        }
    }
}

/// A secret's content. It can't be printed, compared or serialized, only exposed on purpose.
#[derive(Clone)]
pub struct Secret(Box<str>);

impl Secret {
    /// The content: for the request that needs it, and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Looks an environment variable up.
pub type EnvLookup = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;
/// Reads a file, at most a little more than [`LIMIT_BYTES`] of it.
pub type FileReader = Box<dyn Fn(&Utf8Path) -> io::Result<String> + Send + Sync>;

/// The two places that secrets come from, handed in by the host: only it reads its environment.
pub struct SecretSource {
    /// For `env:` references.
    pub env: EnvLookup,
    /// For `file:` references.
    pub file: FileReader,
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretSource").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
