//! Discord in memory, with people who use it: its REST API and its gateway, for tests, and true to the
//! protocol.
//!
//! What it takes and what it refuses follows <https://discord.com/developers/docs>; a client of others is
//! run against it as well, and the types of another library read all that it tells, so that it is not
//! only what this crate believes.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anchorhold_channel::{conformance::Trouble, error::Source};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, time::timeout};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

mod connection;
mod letters;
mod objects;
mod params;
mod rest;
mod state;

pub use state::{File, Shown};

use state::State;

/// The bot's token.
pub const TOKEN: &str = "MTAwMDAwMDAwMDAwMDAwMDA0Mg.Fake42.AAFakeFakeFakeFakeFakeFakeFakeFakeFake";
/// The bot's own id.
pub const BOT: u64 = 1_000_000_000_000_000_042;
/// Its application, which has another id.
pub const APPLICATION: u64 = 1_000_000_000_000_000_043;
/// Its name.
pub const BOT_NAME: &str = "Anchorhold";
/// A server.
pub const GUILD: u64 = 1_000_000_000_000_000_100;
/// A role that the bot has there.
pub const ROLE: u64 = 1_000_000_000_000_000_101;
/// A channel there.
pub const GENERAL: u64 = 1_000_000_000_000_000_102;
/// Another one.
pub const RANDOM: u64 = 1_000_000_000_000_000_103;
/// A forum there.
pub const FORUM: u64 = 1_000_000_000_000_000_104;
/// A thread in [`GENERAL`].
pub const THREAD: u64 = 1_000_000_000_000_000_105;
/// A post in [`FORUM`].
pub const POST: u64 = 1_000_000_000_000_000_106;

/// A server, which ends with the value.
#[derive(Debug)]
pub struct FakeDiscord {
    pub(crate) state_tx: Arc<watch::Sender<State>>,
    rest: SocketAddr,
    _stop: DropGuard,
}

impl FakeDiscord {
    /// Starts a server on free ports of this machine.
    pub async fn start() -> Result<Self, Source> {
        let rest_socket = TcpListener::bind("127.0.0.1:0").await?;
        let gateway_socket = TcpListener::bind("127.0.0.1:0").await?;
        let rest = rest_socket.local_addr()?;
        let gateway = gateway_socket.local_addr()?;
        let state = State::new(&format!("ws://{gateway}"), &format!("http://{rest}"));
        let state_tx = Arc::new(watch::channel(state).0);
        let stop = CancellationToken::new();
        let router = rest::router(Arc::clone(&state_tx));
        let gates = connection::serve(gateway_socket, Arc::clone(&state_tx), stop.clone());
        let ending = stop.clone();
        // They end with the guard; nobody waits for them.
        TaskTracker::new().spawn(async move {
            tokio::select! {
                _ended = async { axum::serve(rest_socket, router).await } => {}
                () = ending.cancelled() => {}
            }
        });
        TaskTracker::new().spawn(gates);
        Ok(Self {
            state_tx,
            rest,
            _stop: stop.drop_guard(),
        })
    }

    /// What an instance's key `api` is to say.
    pub fn base(&self) -> String {
        format!("http://{}/api", self.rest)
    }

    pub(crate) fn with<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        let mut result = None;
        self.state_tx
            .send_modify(|state| result = Some(with(state)));
        // `send_modify` always calls its closure.
        result.expect("the closure was called")
    }

    /// The direct chat of a person with the bot.
    pub fn direct(&self, person: u64) -> u64 {
        self.with(|state| state.direct(person))
    }

    /// A new thread in a channel, or a post in a forum.
    pub fn open_thread(&self, parent: u64) -> u64 {
        self.with(|state| state.open_thread(parent))
    }

    /// A person says something: `fields` are those of the message besides who, where and when. Gives
    /// the message's id.
    pub fn say(&self, channel: u64, person: u64, fields: Value) -> u64 {
        self.with(|state| state.say(channel, person, fields))
    }

    /// The bot is told once more of a message that it was told of.
    pub fn repeat(&self, channel: u64, message: u64) {
        self.with(|state| {
            if let Some(message) = state.message(channel, message).cloned() {
                state.dispatch("MESSAGE_CREATE", &message);
            }
        });
    }

    /// A person changes what they said.
    pub fn revise(&self, channel: u64, message: u64, fields: Value) {
        self.with(|state| state.revise(channel, message, fields));
    }

    /// A person puts a reaction on a message.
    pub fn react(&self, channel: u64, message: u64, person: u64, emoji: &str) {
        self.with(|state| state.react("MESSAGE_REACTION_ADD", (channel, message), person, emoji));
    }

    /// A person takes a reaction back.
    pub fn unreact(&self, channel: u64, message: u64, person: u64, emoji: &str) {
        let kind = "MESSAGE_REACTION_REMOVE";
        self.with(|state| state.react(kind, (channel, message), person, emoji));
    }

    /// A person presses the button with this id of a message that the bot sent.
    pub fn press(&self, channel: u64, message: u64, person: u64, button: &str) -> u64 {
        self.with(|state| state.press(channel, message, person, button))
    }

    /// A file that a message of a person has, as its field `attachments` has it.
    pub fn attachment(&self, name: &str, content: &[u8]) -> Value {
        self.with(|state| state.attachment(name, content))
    }

    /// Whatever the gateway might tell, of this kind.
    pub fn tell(&self, kind: &str, what: &Value) {
        self.with(|state| state.dispatch(kind, what));
    }

    /// What people see from the bot in a channel, in order.
    pub fn seen(&self, channel: u64) -> Vec<Shown> {
        self.state_tx.borrow().seen(channel)
    }

    /// The reactions of the bot on a message.
    pub fn reactions(&self, channel: u64, message: u64) -> Vec<String> {
        let state = self.state_tx.borrow();
        let there = state.reactions.get(&(channel, message));
        there.cloned().unwrap_or_default()
    }

    /// What the bot has asked for, as method and path, with what went along.
    pub fn calls(&self, method: &str, path: &str) -> Vec<Value> {
        let state = self.state_tx.borrow();
        let is = |(called, _): &&(String, Value)| {
            called
                .strip_prefix(method)
                .is_some_and(|rest| rest.trim_start().starts_with(path))
        };
        state
            .calls
            .iter()
            .filter(is)
            .map(|(_, body)| body.clone())
            .collect()
    }

    /// What the bot has answered to a click, in order.
    pub fn answers(&self, interaction: u64) -> Vec<Value> {
        let state = self.state_tx.borrow();
        state.answers.get(&interaction).cloned().unwrap_or_default()
    }

    /// How often the gateway was told who the bot is, and how often that a session goes on.
    pub fn begun(&self) -> (u32, u32) {
        let state = self.state_tx.borrow();
        (state.identified, state.resumed)
    }

    /// Waits until `is` holds, at most `limit`; says whether it does.
    pub async fn until(&self, limit: Duration, mut is: impl FnMut(&Self) -> bool) -> bool {
        let mut state_rx = self.state_tx.subscribe();
        let held = async {
            while !is(self) {
                if state_rx.changed().await.is_err() {
                    return false;
                }
            }
            true
        };
        timeout(limit, held).await.unwrap_or(false)
    }

    /// Disturbs the next request that does something.
    pub fn trouble(&self, trouble: Trouble) {
        self.with(|state| state.troubles.push_back(trouble));
    }

    /// The gateway says these bytes.
    pub fn garble(&self, bytes: &[u8]) {
        self.with(|state| state.garbage.push_back(bytes.to_vec()));
    }

    /// Breaks every connection to the gateway. Their sessions can go on.
    pub fn drop_connections(&self) {
        self.with(|state| state.cuts += 1);
    }

    /// No session goes on any more: a new one has to begin.
    pub fn forget_sessions(&self) {
        self.with(|state| {
            for session in &mut state.sessions {
                session.over = true;
            }
        });
    }

    /// The gateway closes the connection with this code.
    pub fn close(&self, code: u16) {
        self.with(|state| state.closes.push_back(code));
    }

    /// The next connections to the gateway are turned away.
    pub fn turn_away(&self, count: u32) {
        self.with(|state| state.turned_away = count);
    }

    /// The message content intent is switched off.
    pub fn forbid_content(&self) {
        self.with(|state| state.content_allowed = false);
    }

    /// So many sessions may still begin.
    pub fn limit_starts(&self, remaining: u32) {
        self.with(|state| state.starts = remaining);
    }

    /// What was sent is not known any more by its nonce, as after some minutes.
    pub fn forget_nonces(&self) {
        self.with(|state| state.nonces.clear());
    }

    /// From now on the token is not accepted.
    pub fn revoke(&self) {
        self.with(|state| state.revoked = true);
    }

    /// A mention of the bot, as a message's fields have it.
    pub fn mention(text: &str) -> Value {
        json!({ "content": format!("<@{BOT}> {text}"), "mentions": [objects::bot()] })
    }
}

/// The bot and its application, for others to read.
#[cfg(test)]
pub(crate) fn objects_for_judges() -> (Value, Value) {
    (objects::me(), objects::application(true))
}
