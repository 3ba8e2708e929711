//! How many tokens a call took, read from the answer as it passes by.

use serde::Deserialize;

/// The longest line or whole answer that is looked into, in bytes; longer ones pass by unread.
const LOOK_LIMIT_BYTES: usize = 4 * 1024 * 1024;

/// The tokens of one call. No token is counted twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Input that no cache held.
    pub input: u64,
    /// Output, reasoning included.
    pub output: u64,
    /// Input that came from the cache.
    pub cache_read: u64,
    /// Input that was put into the cache.
    pub cache_write: u64,
    /// The part of the output that was reasoning, where the provider tells.
    pub reasoning: u64,
}

/// Watches an answer go by.
#[derive(Debug, Default)]
pub struct Tap {
    /// The line so far, or the whole of an answer that is no stream.
    line: Vec<u8>,
    /// The line is too long and is not looked into.
    skip: bool,
    streamed: bool,
    seen: Option<Usage>,
}

impl Tap {
    /// For an answer that is a stream of events, or is one whole.
    pub fn new(streamed: bool) -> Self {
        Self {
            streamed,
            ..Self::default()
        }
    }

    /// The next bytes of the answer.
    pub fn pass(&mut self, mut bytes: &[u8]) {
        if !self.streamed {
            return self.keep(bytes);
        }
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = bytes.split_at(end);
            self.keep(line);
            self.end_line();
            bytes = rest.get(1..).unwrap_or_default();
        }
        self.keep(bytes);
    }

    /// What was told until now.
    pub fn usage(&mut self) -> Option<Usage> {
        self.end_line();
        self.seen
    }

    fn keep(&mut self, bytes: &[u8]) {
        self.skip |= self.line.len() + bytes.len() > LOOK_LIMIT_BYTES;
        if self.skip {
            self.line = Vec::new();
        } else {
            self.line.extend_from_slice(bytes);
        }
    }

    fn end_line(&mut self) {
        let json = if self.streamed {
            self.line.strip_prefix(b"data:")
        } else {
            Some(self.line.as_slice())
        };
        // Most events of a stream are text and tell nothing.
        if let Some(json) = json
            && contains(json, b"\"usage\"")
            && let Ok(event) = serde_json::from_slice::<Event>(json)
        {
            let told = [
                event.usage,
                event.message.and_then(|nested| nested.usage),
                event.response.and_then(|nested| nested.usage),
            ];
            for told in told.into_iter().flatten() {
                told.add_to(self.seen.get_or_insert_default());
            }
        }
        self.line.clear();
        self.skip = false;
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}

#[derive(Deserialize)]
struct Event {
    usage: Option<Told>,
    message: Option<Nested>,
    response: Option<Nested>,
}

#[derive(Deserialize)]
struct Nested {
    usage: Option<Told>,
}

/// What the three APIs tell, under all their names.
#[derive(Deserialize)]
struct Told {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    #[serde(alias = "prompt_tokens_details")]
    input_tokens_details: Option<InputDetails>,
    #[serde(alias = "completion_tokens_details")]
    output_tokens_details: Option<OutputDetails>,
}

#[derive(Deserialize)]
struct InputDetails {
    cached_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct OutputDetails {
    reasoning_tokens: Option<u64>,
}

impl Told {
    /// What is told later counts: the numbers grow while a stream goes on.
    fn add_to(self, usage: &mut Usage) {
        // Within the input of the one family of APIs, beside it in the other.
        let cached = self
            .input_tokens_details
            .and_then(|details| details.cached_tokens);
        if let Some(input) = self.input_tokens.or(self.prompt_tokens) {
            usage.input = input.saturating_sub(cached.unwrap_or(0));
        }
        if let Some(cached) = cached.or(self.cache_read_input_tokens) {
            usage.cache_read = cached;
        }
        if let Some(written) = self.cache_creation_input_tokens {
            usage.cache_write = written;
        }
        if let Some(output) = self.output_tokens.or(self.completion_tokens) {
            usage.output = output;
        }
        let details = self.output_tokens_details;
        if let Some(reasoning) = details.and_then(|details| details.reasoning_tokens) {
            usage.reasoning = reasoning;
        }
    }
}

#[cfg(test)]
mod tests;
