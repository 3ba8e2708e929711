//! What can go wrong with a runtime, by what the caller does next.

use std::error::Error;

use crate::{runtime::RuntimeKind, spec::InstanceId};

/// The cause below a [`RuntimeError`], whichever library it came from.
pub type Cause = Box<dyn Error + Send + Sync + 'static>;

/// A runtime did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The engine does not answer. Nothing is known about its sandboxes: keep everything, ask again.
    #[error("the {kind} runtime does not answer")]
    Unavailable {
        /// Which runtime.
        kind: RuntimeKind,
        /// Why it is taken for unavailable.
        #[source]
        source: Cause,
    },
    /// What was asked for can't be done as it stands: an operator must change something.
    #[error("refused: {what}")]
    Refused {
        /// What is wrong and, where known, what mends it.
        what: String,
        /// The engine's own words.
        #[source]
        source: Option<Cause>,
    },
    /// This one attempt failed; another may succeed.
    #[error("failed: {what}")]
    Failed {
        /// What was being done.
        what: String,
        /// Why it failed.
        #[source]
        source: Option<Cause>,
    },
    /// The runtime answers, and has no such instance.
    #[error("there is no sandbox {id}")]
    Gone {
        /// The instance that was asked about.
        id: InstanceId,
    },
}

impl RuntimeError {
    /// An attempt that failed for `source`.
    pub(crate) fn failed(what: impl Into<String>, source: impl Into<Cause>) -> Self {
        Self::Failed {
            what: what.into(),
            source: Some(source.into()),
        }
    }

    /// A request that can't be met, for a reason of our own.
    pub(crate) fn refused(what: impl Into<String>) -> Self {
        Self::Refused {
            what: what.into(),
            source: None,
        }
    }
}

/// The host will not have a sandbox started for this session now; it has recorded why.
#[derive(Debug, thiserror::Error)]
#[error("the sandbox was not prepared")]
pub struct PrepareError(#[source] pub Cause);

/// The error and all its causes in one line, for a log field or a health detail.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
