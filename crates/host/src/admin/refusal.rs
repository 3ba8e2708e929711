//! Why a request is not answered as it was meant.

use anchorhold_admin::{
    request::{FailCode, Usage},
    scope,
};
use anchorhold_store::{Disposition, Error as StoreError};

/// Why a request is not answered as it was meant.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Whoever asked is told why.
    Said(FailCode, String),
    /// The host's own fault: its log has it.
    Failed(Box<dyn std::error::Error + Send + Sync>),
}

impl Refusal {
    pub(super) fn said(code: FailCode, what: impl Into<String>) -> Self {
        Self::Said(code, what.into())
    }

    /// There is no such thing, or none for whoever asks: the same words for both.
    pub(super) fn absent(what: &str, argument: &str) -> Self {
        Self::Said(
            FailCode::NotFound,
            format!("there is no such {what} ({argument})"),
        )
    }

    pub(super) fn usage(usage: &Usage) -> Self {
        Self::Said(FailCode::Usage, usage.to_string())
    }

    pub(super) fn scope(refusal: &scope::Refusal) -> Self {
        Self::Said(refusal.code(), refusal.to_string())
    }
}

impl From<StoreError> for Refusal {
    fn from(failure: StoreError) -> Self {
        match failure.disposition() {
            Disposition::Refused => Self::Said(FailCode::Conflict, failure.to_string()),
            Disposition::Later | Disposition::Damaged => Self::Failed(Box::new(failure)),
        }
    }
}

impl From<Box<dyn std::error::Error + Send + Sync>> for Refusal {
    fn from(failure: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Self::Failed(failure)
    }
}
