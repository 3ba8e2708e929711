//! Which of our errors an engine's error is.

use bollard::{errors::Error, models::ContainerWaitResponse};

use crate::{error::RuntimeError, runtime::RuntimeKind};

/// The HTTP status of the engine's answer, if it answered with an error.
#[expect(clippy::wildcard_enum_match_arm, reason = "a foreign enum that grows")]
pub(super) fn status_code(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// Did the engine's wait say that the container ended? An exit status other than 0 comes as error.
pub(super) fn is_exit(said: Option<&Result<ContainerWaitResponse, Error>>) -> bool {
    matches!(
        said,
        Some(Ok(_) | Err(Error::DockerContainerWaitError { .. }))
    )
}

/// Sorts `error`, met while doing `what`, by what the caller does next.
#[expect(clippy::wildcard_enum_match_arm, reason = "a foreign enum that grows")]
pub(super) fn classify(what: &str, error: Error) -> RuntimeError {
    match &error {
        Error::IOError { .. }
        | Error::HyperResponseError { .. }
        | Error::HyperLegacyError { .. }
        | Error::RequestTimeoutError
        | Error::SocketNotFoundError(_) => unavailable(error),
        Error::DockerResponseServerError { status_code, .. } => match *status_code {
            // A proxy in front of an engine that is down.
            502..=504 => unavailable(error),
            400..=499 => RuntimeError::Refused {
                what: format!("the engine would not {what}"),
                source: Some(error.into()),
            },
            _ => RuntimeError::failed(what, error),
        },
        _ => RuntimeError::failed(what, error),
    }
}

fn unavailable(error: Error) -> RuntimeError {
    RuntimeError::Unavailable {
        kind: RuntimeKind::Docker,
        source: error.into(),
    }
}

#[cfg(test)]
mod tests;
