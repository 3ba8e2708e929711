//! How far a platform's stream has been read, across restarts.

use std::{fmt, sync::Arc};

use anchorhold_core::ids::ChannelName;
use async_trait::async_trait;

use crate::error::CursorError;

/// The longest cursor that is stored, in bytes.
pub const VALUE_LIMIT_BYTES: usize = 64 * 1024;

/// Where the host keeps cursors.
#[async_trait]
pub trait CursorStore: Send + Sync + 'static {
    /// The cursor of `channel`, or `None` before the first.
    async fn get(&self, channel: &ChannelName) -> Result<Option<String>, CursorError>;
    /// Replaces the cursor of `channel`; durable when it returns.
    async fn set(&self, channel: &ChannelName, value: &str) -> Result<(), CursorError>;
}

/// One instance's cursor. What it says means something to the adapter alone.
///
/// An adapter moves it only past events for which `deliver` has returned `Accepted` (or that were
/// refused and told): after a crash the stream is read again from here.
#[derive(Clone)]
pub struct Cursor {
    channel: ChannelName,
    store: Arc<dyn CursorStore>,
}

impl Cursor {
    /// The cursor of the instance `channel`.
    pub fn new(channel: ChannelName, store: Arc<dyn CursorStore>) -> Self {
        Self { channel, store }
    }

    /// Where reading starts; `None` before the first `set`.
    pub async fn get(&self) -> Result<Option<String>, CursorError> {
        self.store.get(&self.channel).await
    }

    /// Moves the cursor; durable when it returns. Repeating it is harmless.
    pub async fn set(&self, value: &str) -> Result<(), CursorError> {
        if value.len() > VALUE_LIMIT_BYTES {
            let channel = self.channel.clone();
            let len = value.len();
            return Err(CursorError::TooLong { channel, len });
        }
        self.store.set(&self.channel, value).await
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cursor")
            .field("channel", &self.channel)
            .finish_non_exhaustive()
    }
}
