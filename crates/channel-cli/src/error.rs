//! What can go wrong on either end of the socket.

use std::io;

use anchorhold_channel::ChannelError;
use camino::Utf8PathBuf;

/// The socket could not be served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another host serves it.
    #[error("{path} is served by another host")]
    InUse {
        /// The socket.
        path: Utf8PathBuf,
    },
    /// There is something else in its place, which is left alone.
    #[error("{path} is there and is not a socket")]
    NotSocket {
        /// The path.
        path: Utf8PathBuf,
    },
    /// A step of opening it failed.
    #[error("can't {doing} {path}")]
    Open {
        /// The step, as a verb.
        doing: &'static str,
        /// The file it was about.
        path: Utf8PathBuf,
        /// What failed.
        #[source]
        source: io::Error,
    },
    /// Connections could not be accepted, many times in a row.
    #[error("can't accept connections on {path}")]
    Accept {
        /// The socket.
        path: Utf8PathBuf,
        /// What failed last.
        #[source]
        source: io::Error,
    },
}

impl From<Error> for ChannelError {
    fn from(error: Error) -> Self {
        match error {
            Error::NotSocket { .. } => Self::Permanent {
                reason: error.to_string(),
            },
            // The other host may end, the folder may become writable: worth another try later.
            Error::InUse { .. } | Error::Open { .. } | Error::Accept { .. } => Self::Transient {
                doing: "serving the socket",
                source: Box::new(error),
            },
        }
    }
}

/// A client's talk with the host failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody answers at the socket.
    #[error("can't connect to {path}")]
    Connect {
        /// The socket.
        path: Utf8PathBuf,
        /// What failed.
        #[source]
        source: io::Error,
    },
    /// The host did not welcome the client in time.
    #[error("no welcome from {path}")]
    NoWelcome {
        /// The socket.
        path: Utf8PathBuf,
    },
    /// The host said no.
    #[error("the host says: {what}")]
    Refused {
        /// In its words.
        what: String,
    },
    /// The connection broke.
    #[error("the connection to the host broke")]
    Broken(#[source] io::Error),
    /// The message is too large for one line.
    #[error("the message takes {len} bytes, at most {limit} fit")]
    TooLong {
        /// Its length as a line.
        len: usize,
        /// The limit.
        limit: usize,
    },
    /// The host sent a line that is not of the protocol.
    #[error("the host sent a line that can't be read")]
    Line(#[source] serde_json::Error),
    /// The host sent a line over the limit.
    #[error("the host sent a line that is too long")]
    LineTooLong,
}
