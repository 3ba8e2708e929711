//! One websocket. It is made of a connection of the one HTTP client, so it takes the same proxy and
//! trusts the same certificates.

use std::time::Duration;

use anchorhold_channel::{ChannelError, error::Source};
use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::{RequestBuilder, StatusCode, Upgraded};
use tokio::time::timeout;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Bytes, Message,
        handshake::{client::generate_key, derive_accept_key},
        protocol::{Role, WebSocketConfig},
    },
};

/// The longest message that is read, in bytes.
const MESSAGE_LIMIT_BYTES: usize = 4 * 1024 * 1024;
/// How long the other side may take to read what we say.
const WRITE_LIMIT: Duration = Duration::from_secs(10);
const DOING: &str = "listening to Slack";

/// A websocket that is open.
#[derive(Debug)]
pub(crate) struct Link {
    stream: WebSocketStream<Upgraded>,
}

/// What comes over it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// Words.
    Text(String),
    /// A sign of life, or what is not for us.
    Sign,
}

impl Link {
    /// Makes a request a websocket: RFC 6455, 4.1. Every failure is one that may pass: the address is
    /// good for one try.
    pub(crate) async fn open(request: RequestBuilder) -> Result<Self, ChannelError> {
        let key = generate_key();
        let request = request
            .header("connection", "Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", &key);
        let response = request
            .send()
            .await
            .map_err(|error| lost(error.without_url()))?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let status = response.status().as_u16();
            return Err(lost(format!("no websocket, but status {status}")));
        }
        let accept = response.headers().get("sec-websocket-accept");
        if accept
            .is_none_or(|accept| accept.as_bytes() != derive_accept_key(key.as_bytes()).as_bytes())
        {
            return Err(lost("what answers is no websocket"));
        }
        let upgraded = response
            .upgrade()
            .await
            .map_err(|error| lost(error.without_url()))?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_LIMIT_BYTES))
            .max_frame_size(Some(MESSAGE_LIMIT_BYTES));
        let stream = WebSocketStream::from_raw_socket(upgraded, Role::Client, Some(config)).await;
        Ok(Self { stream })
    }

    /// What comes next. Can be dropped at any time.
    pub(crate) async fn next(&mut self) -> Result<Frame, ChannelError> {
        match self.stream.next().await {
            Some(Ok(Message::Text(text))) => Ok(Frame::Text(text.as_str().to_owned())),
            Some(Ok(Message::Close(_))) | None => Err(lost("Slack has closed the connection")),
            Some(Ok(
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_),
            )) => {
                // What was to be answered to a ping is written with what is flushed next.
                self.flush().await?;
                Ok(Frame::Sign)
            }
            Some(Err(error)) => Err(lost(error)),
        }
    }

    /// Says something.
    pub(crate) async fn say(&mut self, text: String) -> Result<(), ChannelError> {
        self.write(Message::Text(text.into())).await
    }

    /// Asks whether somebody is there.
    pub(crate) async fn ping(&mut self) -> Result<(), ChannelError> {
        self.write(Message::Ping(Bytes::new())).await
    }

    async fn write(&mut self, message: Message) -> Result<(), ChannelError> {
        let written = timeout(WRITE_LIMIT, self.stream.send(message)).await;
        written.map_err(lost)?.map_err(lost)
    }

    async fn flush(&mut self) -> Result<(), ChannelError> {
        let flushed = timeout(WRITE_LIMIT, self.stream.flush()).await;
        flushed.map_err(lost)?.map_err(lost)
    }
}

/// A connection that is over.
pub(crate) fn lost(source: impl Into<Source>) -> ChannelError {
    ChannelError::Transient {
        doing: DOING,
        source: source.into(),
    }
}
