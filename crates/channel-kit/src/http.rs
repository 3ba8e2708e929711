//! Requests to a platform: bounded in time and size, and failures that say what they mean.

use std::time::Duration;

use anchorhold_channel::{ChannelError, LimitScope, error::Source};
use bytes::Bytes;
use jiff::Timestamp;
use reqwest::{Client, Proxy, RequestBuilder, Response, StatusCode, header::HeaderMap, redirect};
use serde::de::DeserializeOwned;

mod retry_after;

pub use retry_after::{LONGEST as LONGEST_WAIT, retry_after};

/// The most of an answer that is read, in bytes, where the caller does not say otherwise.
pub const ANSWER_LIMIT_BYTES: usize = 4 * 1024 * 1024;
/// How long a connection may take to come up.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long a whole request may take where the caller does not say otherwise.
const REQUEST_LIMIT: Duration = Duration::from_secs(30);
/// How long an unused connection is kept: shorter than platforms keep theirs, so that fewer requests
/// meet one that is just being closed.
const IDLE_LIMIT: Duration = Duration::from_secs(20);

/// How long to wait where a platform asks to and does not say for how long.
pub const CUSTOMARY_WAIT: Duration = Duration::from_secs(5);

/// The way to one platform. Cheap to clone.
///
/// It follows no redirect, because a token would go along, and takes no proxy from the environment.
#[derive(Clone, Debug)]
pub struct Http {
    client: Client,
}

/// What a platform answered, read in full.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// An answer that is not what was asked for.
#[derive(Debug, thiserror::Error)]
enum BadAnswer {
    #[error("status {0}")]
    Status(StatusCode),
    #[error("the answer is longer than {0} bytes")]
    TooLong(usize),
    #[error("the answer is not what it should be, at line {line}, column {column}")]
    Unreadable { line: usize, column: usize },
}

impl Http {
    /// A way to the network, through the proxy at this URL if there is one.
    ///
    /// `Permanent` where the proxy's URL is none or the system has no trusted certificates.
    pub fn new(proxy: Option<&str>) -> Result<Self, ChannelError> {
        let mut builder = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            // The same whatever else is built in; a connection can become a websocket.
            .http1_only()
            .connect_timeout(CONNECT_LIMIT)
            .timeout(REQUEST_LIMIT)
            .pool_idle_timeout(IDLE_LIMIT);
        if let Some(url) = proxy {
            // The URL may have a password in it, so what is wrong with it is not repeated.
            let proxy = Proxy::all(url).map_err(|_with_url| permanent("the proxy is no URL"))?;
            builder = builder.proxy(proxy);
        }
        let client = builder
            .build()
            .map_err(|error| permanent(&format!("no HTTP: {}", error.without_url())))?;
        Ok(Self { client })
    }

    /// The client, to build requests with; they are sent by [`Self::ask`].
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Sends a request and reads its answer, at most [`ANSWER_LIMIT_BYTES`], whatever its status.
    ///
    /// `Transient` where the request certainly did not reach anybody, else `Ambiguous`. Dropping the
    /// future leaves open whether it was done.
    pub async fn ask(
        &self,
        doing: &'static str,
        request: RequestBuilder,
    ) -> Result<Answer, ChannelError> {
        self.ask_for(doing, request, ANSWER_LIMIT_BYTES).await
    }

    /// As [`Self::ask`], with another limit.
    pub async fn ask_for(
        &self,
        doing: &'static str,
        request: RequestBuilder,
        limit_bytes: usize,
    ) -> Result<Answer, ChannelError> {
        let response = request.send().await.map_err(|error| unsent(doing, error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = read(doing, response, limit_bytes).await?;
        Ok(Answer {
            status,
            headers,
            body,
        })
    }
}

/// A request that got no answer: only one that never had a connection was certainly not done.
fn unsent(doing: &'static str, error: reqwest::Error) -> ChannelError {
    let never_left = error.is_connect() || error.is_builder();
    let source = Source::from(error.without_url());
    if never_left {
        ChannelError::Transient { doing, source }
    } else {
        ChannelError::Ambiguous { doing, source }
    }
}

async fn read(
    doing: &'static str,
    mut response: Response,
    limit_bytes: usize,
) -> Result<Bytes, ChannelError> {
    let ambiguous = |source: Source| ChannelError::Ambiguous { doing, source };
    let too_long = || ambiguous(Source::from(BadAnswer::TooLong(limit_bytes)));
    let told = response.content_length().unwrap_or_default();
    if usize::try_from(told).map_or(true, |told| told > limit_bytes) {
        return Err(too_long());
    }
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| ambiguous(Source::from(error.without_url())))?
    {
        if body.len() + chunk.len() > limit_bytes {
            return Err(too_long());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.into())
}

impl Answer {
    /// The body as JSON. One that can't be read is `Ambiguous`, and its error has none of it.
    pub fn json<T: DeserializeOwned>(&self, doing: &'static str) -> Result<T, ChannelError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let source = Source::from(BadAnswer::Unreadable { line, column });
            ChannelError::Ambiguous { doing, source }
        })
    }

    /// What a status other than success means, as far as HTTP itself says it; `None` for success.
    ///
    /// A platform that says more in the body is asked first. `refused` are the words for a person
    /// where the platform says no, without anything that was sent.
    pub fn failure(
        &self,
        doing: &'static str,
        (scope, now): (LimitScope, Timestamp),
        refused: &str,
    ) -> Option<ChannelError> {
        let source = || Source::from(BadAnswer::Status(self.status));
        let wait = || retry_after(&self.headers, now);
        Some(match self.status.as_u16() {
            200..=299 => return None,
            401 => ChannelError::Unauthorized {
                reason: "the platform does not accept the credentials".to_owned(),
            },
            429 => ChannelError::RateLimited {
                retry_after: wait().unwrap_or(CUSTOMARY_WAIT),
                scope,
            },
            // It says that it has not taken the request.
            503 => match wait() {
                Some(retry_after) => ChannelError::RateLimited {
                    retry_after,
                    scope: LimitScope::Instance,
                },
                None => ChannelError::Transient {
                    doing,
                    source: source(),
                },
            },
            408 | 500.. => ChannelError::Ambiguous {
                doing,
                source: source(),
            },
            _ => permanent(&format!("{refused} (status {})", self.status.as_u16())),
        })
    }
}

/// The same for a request that changes nothing: whether it was done does not matter.
#[must_use]
pub fn harmless(error: ChannelError) -> ChannelError {
    match error {
        ChannelError::Ambiguous { doing, source } => ChannelError::Transient { doing, source },
        ChannelError::RateLimited { .. }
        | ChannelError::Transient { .. }
        | ChannelError::Permanent { .. }
        | ChannelError::Unauthorized { .. }
        | ChannelError::Absent => error,
    }
}

fn permanent(reason: &str) -> ChannelError {
    ChannelError::Permanent {
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests;
