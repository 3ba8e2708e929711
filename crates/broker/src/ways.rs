//! What one session may do: the model it may call, and the hosts it may reach.

use std::{fmt, sync::Arc};

use anchorhold_core::way_out::ModelApi;
use hyper::header::HeaderValue;

use crate::{egress::Egress, usage::Usage};

/// Everything a session may do. Without a model and with an empty list it is nothing.
#[derive(Clone, Debug, Default)]
pub struct Ways {
    /// The model it may call.
    pub model: Option<Arc<Model>>,
    /// The hosts it may reach.
    pub egress: Egress,
}

/// A model, as the operator has configured it.
#[derive(Clone, Debug)]
pub struct Model {
    /// What the provider calls it.
    pub id: String,
    /// How it is spoken to.
    pub api: ModelApi,
    /// Where: `https://…` or, for one of this machine or network, `http://…`; no slash at the end.
    pub base_url: String,
    /// What lets the host in; none for a server that asks for nothing.
    pub key: Option<Key>,
    /// What it costs, as far as is known.
    pub prices: Option<Prices>,
}

/// A key. It can't be shown, compared or serialized.
#[derive(Clone)]
pub struct Key(Arc<str>);

/// A text that can't be a key: it does not fit into a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no key: it has characters that a header can't have")]
pub struct BadKey;

/// Thousandths of a dollar for a million tokens, which is as many billionths of a dollar for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prices {
    /// Input that no cache held.
    pub input: u32,
    /// Output, reasoning included.
    pub output: u32,
    /// Input that came from the cache.
    pub cache_read: u32,
    /// Input that was put into the cache.
    pub cache_write: u32,
}

impl Key {
    /// Takes a key.
    pub fn new(text: &str) -> Result<Self, BadKey> {
        match HeaderValue::from_str(text) {
            Ok(_fits) if !text.is_empty() => Ok(Self(text.into())),
            Ok(_) | Err(_) => Err(BadKey),
        }
    }

    /// For the request that needs it, and to keep it out of what comes back.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

impl Prices {
    /// What this much costs, in millionths of a dollar, rounded up.
    pub fn cost_micros(&self, usage: &Usage) -> u64 {
        let part = |tokens: u64, price: u32| tokens.saturating_mul(u64::from(price));
        part(usage.input, self.input)
            .saturating_add(part(usage.output, self.output))
            .saturating_add(part(usage.cache_read, self.cache_read))
            .saturating_add(part(usage.cache_write, self.cache_write))
            .div_ceil(1000)
    }
}
