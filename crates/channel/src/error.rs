//! What can go wrong, and what the host does about it.

use std::{error::Error as StdError, io, time::Duration};

use anchorhold_core::ids::ChannelName;
use camino::Utf8PathBuf;

/// Any error that an adapter met on its way.
pub type Source = Box<dyn StdError + Send + Sync>;

/// Why an operation on a platform failed.
///
/// Each variant is a claim about what happened on the platform; the host acts on
/// [`ChannelError::disposition`] alone and never reads the text.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The platform asks to wait. Nothing was done.
    #[error("the platform asks to wait {retry_after:?}")]
    RateLimited {
        /// How long, as the platform said it; where it did not, what is customary there.
        retry_after: Duration,
        /// Who has to wait.
        scope: LimitScope,
    },
    /// It did not work this time, certainly nothing was done, and it may work later: no connection,
    /// a server error before the request was taken.
    #[error("{doing} failed for now")]
    Transient {
        /// What was being done, in lowercase words.
        doing: &'static str,
        /// What failed.
        #[source]
        source: Source,
    },
    /// Nobody can say whether the platform has done it: the answer got lost.
    #[error("{doing} ended without an answer")]
    Ambiguous {
        /// What was being done, in lowercase words.
        doing: &'static str,
        /// What failed.
        #[source]
        source: Source,
    },
    /// The platform said no, and would say no again. Nothing was done.
    #[error("refused for good: {reason}")]
    Permanent {
        /// Why, without message text or secrets.
        reason: String,
    },
    /// The credentials are not accepted, or lack a right that the whole instance needs.
    #[error("not authorized: {reason}")]
    Unauthorized {
        /// Why, without the credentials.
        reason: String,
    },
    /// Nobody is there to read, and the platform keeps nothing. The host keeps the message until
    /// `inbox.present(address)` is called.
    #[error("nobody is there to read")]
    Absent,
}

/// Whom a platform's limit is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LimitScope {
    /// What goes to this chat. Others are not slowed down by it.
    Chat,
    /// Everything that the instance sends. Where the platform does not tell, it is this.
    Instance,
}

/// What the host does after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Pause the sends that the limit is about for so long, then try again; it does not count as a
    /// failed try.
    RetryAfter {
        /// How long.
        wait: Duration,
        /// Whose sends.
        scope: LimitScope,
    },
    /// Try again after a growing wait, a limited number of times.
    Backoff,
    /// Try again with the same key where [`crate::ChannelCaps::dedupes_by_key`] says so; else record
    /// that the outcome is unknown and tell.
    SettleUnknownOrResend,
    /// Give this operation up, visibly.
    Dead,
    /// Stop the instance until an operator has acted; keep its messages.
    ParkInstance,
    /// Keep the message until somebody is present at its address.
    ParkUntilPresent,
}

impl ChannelError {
    /// What the host does about it.
    pub fn disposition(&self) -> Disposition {
        match self {
            Self::RateLimited { retry_after, scope } => Disposition::RetryAfter {
                wait: *retry_after,
                scope: *scope,
            },
            Self::Transient { .. } => Disposition::Backoff,
            Self::Ambiguous { .. } => Disposition::SettleUnknownOrResend,
            Self::Permanent { .. } => Disposition::Dead,
            Self::Unauthorized { .. } => Disposition::ParkInstance,
            Self::Absent => Disposition::ParkUntilPresent,
        }
    }
}

/// Why an event or a click was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// It can't be stored at the moment: keep it, or leave it with the platform, and offer it again.
    #[error("the host can't store messages at the moment")]
    Unavailable(#[source] Source),
    /// It will never be taken: tell the person, then acknowledge it to the platform.
    #[error("refused: {why}")]
    Refused {
        /// Why, in words that a person may see.
        why: String,
    },
    /// The host is stopping: leave it with the platform and wait for the shutdown token.
    #[error("the host is stopping")]
    Stopping,
}

/// A cursor that could not be read or moved. The adapter carries on from the one it has.
#[derive(Debug, thiserror::Error)]
pub enum CursorError {
    /// The store failed.
    #[error("the cursor of {channel} can't be reached")]
    Store {
        /// Whose cursor.
        channel: ChannelName,
        /// What failed.
        #[source]
        source: Source,
    },
    /// The value is longer than [`crate::cursor::VALUE_LIMIT_BYTES`].
    #[error("a cursor of {channel} is {len} bytes long")]
    TooLong {
        /// Whose cursor.
        channel: ChannelName,
        /// Its length in bytes.
        len: usize,
    },
}

/// A secret that could not be had. No variant holds any part of the secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The text is not a reference; it may be the secret itself, so it is not repeated.
    #[error("a secret is given as `env:NAME` or `file:PATH`, never in the file itself")]
    NotReference,
    /// The variable's name has a character that such names can't have.
    #[error("after `env:` comes the name of a variable: letters, digits and `_`")]
    BadVariable,
    /// The path is empty or relative.
    #[error("after `file:` comes an absolute path")]
    BadPath,
    /// There is no such variable.
    #[error("the environment variable {name} is not set")]
    NoVariable {
        /// Its name.
        name: String,
    },
    /// The file can't be read.
    #[error("the secret file {path} can't be read")]
    File {
        /// Its path.
        path: Utf8PathBuf,
        /// What failed.
        #[source]
        source: io::Error,
    },
    /// There is nothing in it.
    #[error("the secret at {at} is empty")]
    Empty {
        /// The reference.
        at: String,
    },
    /// There is more in it than a secret has.
    #[error("the secret at {at} is longer than {limit_bytes} bytes")]
    TooLong {
        /// The reference.
        at: String,
        /// The limit.
        limit_bytes: usize,
    },
}

#[cfg(test)]
mod tests;
