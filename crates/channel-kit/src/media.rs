//! Files from the network: bounded, and called what they are.

use std::time::Duration;

use anchorhold_channel::ChannelError;
use anchorhold_core::inbound::{ATTACHMENT_LIMIT_BYTES, Attachment};
use reqwest::RequestBuilder;

use crate::http::harmless;

/// How long a file may take.
const DOWNLOAD_LIMIT: Duration = Duration::from_mins(2);
/// What is said of content that nobody knows.
const UNKNOWN: &str = "application/octet-stream";

/// A file that a platform has, and what it says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    /// The name the sender gave.
    pub name: Option<String>,
    /// What it is called where it has no name, without an ending.
    pub kind: &'static str,
    /// The media type the platform tells.
    pub media_type: Option<String>,
    /// Its size, where the platform tells.
    pub bytes: Option<u64>,
}

impl Offered {
    /// Is it, by what the platform says, more than is taken?
    pub fn is_too_large(&self) -> bool {
        let limit = u64::try_from(ATTACHMENT_LIMIT_BYTES).unwrap_or(u64::MAX);
        self.bytes.is_some_and(|bytes| bytes > limit)
    }

    /// The file with its content. What the content shows itself to be counts for more than what the
    /// platform said it is; a file without a name gets one with the fitting ending.
    pub fn with(self, content: Vec<u8>) -> Attachment {
        let seen = infer::get(&content);
        let told = self.media_type.filter(|told| told != UNKNOWN);
        let media_type = seen
            .map(|seen| seen.mime_type().to_owned())
            .or(told)
            .or(Some(UNKNOWN.to_owned()));
        let name = self.name.filter(|name| !name.trim().is_empty());
        let name = name.unwrap_or_else(|| match seen {
            Some(seen) => format!("{}.{}", self.kind, seen.extension()),
            None => self.kind.to_owned(),
        });
        Attachment {
            name,
            media_type,
            content,
        }
    }
}

/// What became of a file that was asked for.
#[derive(Debug)]
pub enum Fetched {
    /// All of it.
    All(Vec<u8>),
    /// There is more of it than is taken, or the platform does not give it out.
    Refused(String),
}

/// Fetches a file of at most [`ATTACHMENT_LIMIT_BYTES`].
///
/// A failure that may pass is an error, so that the message it came with can be offered again; the
/// request is taken for one that changes nothing.
pub async fn fetch(request: RequestBuilder) -> Result<Fetched, ChannelError> {
    const DOING: &str = "fetching a file";
    let request = request.timeout(DOWNLOAD_LIMIT);
    let mut response = match request.send().await {
        Ok(response) => response,
        Err(error) => {
            return Err(ChannelError::Transient {
                doing: DOING,
                source: Box::new(error.without_url()),
            });
        }
    };
    let status = response.status();
    let refused = status.is_redirection() || status.is_client_error();
    if refused && status.as_u16() != 429 && status.as_u16() != 408 {
        let why = format!(
            "the platform does not give it out (status {})",
            status.as_u16()
        );
        return Ok(Fetched::Refused(why));
    }
    let passing = |source| {
        harmless(ChannelError::Ambiguous {
            doing: DOING,
            source,
        })
    };
    if !status.is_success() {
        return Err(passing(format!("status {}", status.as_u16()).into()));
    }
    let mut content = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| passing(Box::new(error.without_url())))?
    {
        if content.len() + chunk.len() > ATTACHMENT_LIMIT_BYTES {
            return Ok(Fetched::Refused(too_large()));
        }
        content.extend_from_slice(&chunk);
    }
    Ok(Fetched::All(content))
}

/// What a person and the agent hear of a file that was too large.
pub fn too_large() -> String {
    format!(
        "it has more than {} MiB",
        ATTACHMENT_LIMIT_BYTES / 1024 / 1024
    )
}

/// The line that stands for a file that was not taken, for the agent to read.
pub fn left_out(name: &str, why: &str) -> String {
    format!("[The file “{name}” is not here: {why}.]")
}

#[cfg(test)]
mod tests;
