//! What a failure of the SDK means. None of its own words are repeated: they may have a body in them.

use std::time::Duration;

use anchorhold_channel::{ChannelError, LimitScope, error::Source};
use anchorhold_channel_kit::http::{CUSTOMARY_WAIT, LONGEST_WAIT};
use matrix_sdk::{
    Error, HttpError, RumaApiError,
    ruma::api::error::{ErrorKind, FromHttpResponseError, RetryAfter},
};

/// What a failed call means for the operation that it was made for.
pub(crate) fn of(doing: &'static str, error: Error) -> ChannelError {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the SDK has many more, and all of them are its own affairs"
    )]
    match error {
        Error::Http(error) => http(doing, *error),
        Error::WrongRoomState(_) => refused("the bot is not in this room"),
        Error::InsufficientData => transient(doing, "the room is not known yet"),
        Error::AuthenticationRequired => ChannelError::Unauthorized {
            reason: "the bot is not logged in".to_owned(),
        },
        Error::SerdeJson(_) => ambiguous(doing, "the answer can't be read"),
        Error::CryptoStoreError(_) | Error::OlmError(_) | Error::MegolmError(_) => {
            transient(doing, "the keys can't be used")
        }
        Error::StateStore(_) => transient(doing, "the rooms can't be remembered"),
        _ => transient(doing, "the SDK failed"),
    }
}

/// The same of a call that was one request.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the SDK may have more, and none of it says what the server did"
)]
pub(crate) fn http(doing: &'static str, error: HttpError) -> ChannelError {
    match error {
        HttpError::Reqwest(error) => {
            let never_left = error.is_connect() || error.is_builder();
            let source = Source::from(error.without_url());
            if never_left {
                ChannelError::Transient { doing, source }
            } else {
                ChannelError::Ambiguous { doing, source }
            }
        }
        HttpError::Api(error) => match *error {
            FromHttpResponseError::Server(RumaApiError::MatrixError(error)) => {
                said(doing, error.status_code.as_u16(), error.error_kind())
            }
            FromHttpResponseError::Server(RumaApiError::AuthResponse(_)) => {
                refused("the server asks for the password again, which a bot can't be asked")
            }
            _ => ambiguous(doing, "the answer can't be read"),
        },
        HttpError::IntoHttp(_) => transient(doing, "the request can't be made"),
        HttpError::RefreshToken(_) => ChannelError::Unauthorized {
            reason: "the access token has run out".to_owned(),
        },
        HttpError::Cached(_) => transient(doing, "the server did not say what it can do"),
    }
}

/// What the server said.
pub(crate) fn said(doing: &'static str, status: u16, kind: Option<&ErrorKind>) -> ChannelError {
    let code = kind.map_or_else(
        || "no error code".to_owned(),
        |kind| kind.errcode().to_string(),
    );
    match status {
        401 => ChannelError::Unauthorized {
            reason: format!("the server does not accept the access token ({code})"),
        },
        429 => ChannelError::RateLimited {
            retry_after: wait(kind),
            // The server does not say what it counted.
            scope: LimitScope::Instance,
        },
        408 | 500.. => ambiguous(doing, &format!("status {status}, {code}")),
        _ => refused(&format!("the server says no (status {status}, {code})")),
    }
}

fn wait(kind: Option<&ErrorKind>) -> Duration {
    match kind {
        Some(ErrorKind::LimitExceeded(limit)) => match limit.retry_after {
            Some(RetryAfter::Delay(wait)) => wait.min(LONGEST_WAIT),
            Some(RetryAfter::DateTime(_)) | None => CUSTOMARY_WAIT,
        },
        Some(_) | None => CUSTOMARY_WAIT,
    }
}

pub(crate) fn refused(reason: &str) -> ChannelError {
    ChannelError::Permanent {
        reason: reason.to_owned(),
    }
}

pub(crate) fn transient(doing: &'static str, what: &str) -> ChannelError {
    ChannelError::Transient {
        doing,
        source: Source::from(what.to_owned()),
    }
}

fn ambiguous(doing: &'static str, what: &str) -> ChannelError {
    ChannelError::Ambiguous {
        doing,
        source: Source::from(what.to_owned()),
    }
}
