//! A Bot API server in memory, with people who use it: for tests, and true to the protocol.
//!
//! What it takes and what it refuses follows <https://core.telegram.org/bots/api>; a client of others is
//! run against it as well, so that it is not only what this crate believes.

use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Duration};

use anchorhold_channel::{
    conformance::{Side, Trouble},
    error::Source,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, time::timeout};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

mod markup;
mod methods;
mod params;
mod server;
mod state;

#[cfg(test)]
pub(crate) use markup::visible;
pub use state::{File, Shown};

use state::State;

/// The bot's token.
pub const TOKEN: &str = "4242:AAFakeFakeFakeFakeFakeFakeFakeFakeFa";
/// The bot's own id.
pub const BOT: i64 = 4242;
/// Its name, without the `@`.
pub const BOT_NAME: &str = "anchorhold_test_bot";
/// A supergroup with topics.
pub const FORUM: i64 = -1_001_000_000_001;
/// A topic in it.
pub const TOPIC: i64 = 7;

/// A server, which ends with the value.
#[derive(Debug)]
pub struct FakeTelegram {
    pub(crate) state_tx: Arc<watch::Sender<State>>,
    address: SocketAddr,
    _stop: DropGuard,
}

impl FakeTelegram {
    /// Starts a server on a free port of this machine.
    pub async fn start() -> Result<Self, Source> {
        let socket = TcpListener::bind("127.0.0.1:0").await?;
        let address = socket.local_addr()?;
        let state_tx = Arc::new(watch::channel(State::new()).0);
        let stop = CancellationToken::new();
        let router = server::router(Arc::clone(&state_tx));
        let ending = stop.clone();
        // It ends with the guard; nobody waits for it.
        TaskTracker::new().spawn(async move {
            tokio::select! {
                _ended = async { axum::serve(socket, router).await } => {}
                () = ending.cancelled() => {}
            }
        });
        Ok(Self {
            state_tx,
            address,
            _stop: stop.drop_guard(),
        })
    }

    /// What an instance's key `api` is to say.
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn with<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        let mut result = None;
        self.state_tx
            .send_modify(|state| result = Some(with(state)));
        // `send_modify` always calls its closure.
        result.expect("the closure was called")
    }

    /// A person says something in a chat: `fields` are those of the message besides who, where and
    /// when. Gives the message's number.
    pub fn say(&self, chat: i64, person: i64, fields: Value) -> i64 {
        self.with(|state| state.say(chat, person, fields, 0))
    }

    /// The same, seen by the bot only in the poll after `polls` others.
    pub fn say_after(&self, polls: u32, chat: i64, person: i64, fields: Value) -> i64 {
        self.with(|state| state.say(chat, person, fields, polls))
    }

    /// The bot is told once more of a message that it was told of.
    pub fn repeat(&self, chat: i64, number: i64) {
        self.with(|state| {
            if let Some(message) = state.said(chat, number) {
                state.update("message", &message, 0);
            }
        });
    }

    /// A person changes what they said.
    pub fn revise(&self, chat: i64, number: i64, fields: Value) {
        self.with(|state| state.revise(chat, number, fields));
    }

    /// A person has these reactions on a message now.
    pub fn react(&self, chat: i64, number: i64, person: i64, emoji: &[&str]) {
        let kinds: Vec<Value> = emoji
            .iter()
            .map(|emoji| json!({ "type": "emoji", "emoji": emoji }))
            .collect();
        self.with(|state| {
            let reaction = json!({
                "chat": state.chat(chat),
                "message_id": number,
                "user": State::person(person),
                "date": state.tick(),
                "old_reaction": [],
                "new_reaction": kinds,
            });
            state.update("message_reaction", &reaction, 0);
        });
    }

    /// A person presses the button of a message that the bot sent.
    pub fn press(&self, chat: i64, number: i64, person: i64, data: &str) {
        self.with(|state| {
            let query = state.press(chat, number, person, data);
            state.update("callback_query", &query, 0);
        });
    }

    /// Whatever Telegram might tell, as an update of this kind.
    pub fn tell(&self, kind: &str, what: &Value) {
        self.with(|state| state.update(kind, what, 0));
    }

    /// A group becomes a supergroup with this id, and the bot is told.
    pub fn upgrade(&self, group: i64, supergroup: i64) {
        self.with(|state| state.upgrade(group, supergroup, true));
    }

    /// The same while the bot is not told.
    pub fn upgrade_unseen(&self, group: i64, supergroup: i64) {
        self.with(|state| state.upgrade(group, supergroup, false));
    }

    /// A file that a message of a person can name; gives its id.
    pub fn file(&self, name: &str, content: &[u8]) -> String {
        self.with(|state| state.file(name, content))
    }

    /// Is there a chat with this id? It is made with what it is.
    pub fn chat(&self, chat: Value) {
        self.with(|state| state.add_chat(chat));
    }

    /// What people see from the bot in a chat, or in a topic of it, in order.
    pub fn seen(&self, chat: i64, topic: Option<i64>) -> Vec<Shown> {
        let state = self.state_tx.borrow();
        let there = |shown: &&Shown| shown.chat == chat && shown.topic == topic;
        state.shown.iter().filter(there).cloned().collect()
    }

    /// The reactions of the bot in a chat, by message.
    pub fn reactions(&self, chat: i64) -> HashMap<i64, Vec<String>> {
        let state = self.state_tx.borrow();
        let there = state.reactions.iter().filter(|((at, _), _)| *at == chat);
        there
            .map(|((_, number), emoji)| (*number, emoji.clone()))
            .collect()
    }

    /// What the bot called, in order, with the parameters.
    pub fn calls(&self, method: &str) -> Vec<Value> {
        let state = self.state_tx.borrow();
        let calls = state.calls.iter().filter(|(called, _)| called == method);
        calls.map(|(_, params)| params.clone()).collect()
    }

    /// The number of the newest update about this message.
    pub fn update_of(&self, chat: i64, number: i64) -> Option<i64> {
        self.state_tx.borrow().update_of(chat, number)
    }

    /// Has the bot asked for what comes behind this update, or taken it over its webhook, so that it is
    /// never offered again?
    pub fn is_confirmed(&self, update: i64) -> bool {
        let state = self.state_tx.borrow();
        state.confirmed >= update || state.taken.contains(&update)
    }

    /// Updates that are to come, as a webhook would be called with them.
    pub fn pending(&self) -> Vec<Value> {
        self.state_tx
            .borrow()
            .updates
            .iter()
            .map(|(_, update)| update.clone())
            .collect()
    }

    /// The webhook has answered this update with success.
    pub fn taken(&self, update: i64) {
        self.with(|state| {
            state.updates.retain(|(number, _)| *number != update);
            state.taken.insert(update);
        });
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

    /// Disturbs the next call of this side.
    pub fn trouble(&self, side: Side, trouble: Trouble) {
        self.with(|state| state.troubles.push((side, trouble)));
    }

    /// The next poll is answered with these bytes.
    pub fn garble(&self, bytes: &[u8]) {
        self.with(|state| state.garbage.push_back(bytes.to_vec()));
    }

    /// Breaks the poll that is open, or the next one.
    pub fn break_poll(&self) {
        self.trouble(Side::Receiving, Trouble::LoseAnswer);
    }

    /// The next text with markup is one that the server can't read.
    pub fn refuse_markup(&self) {
        self.with(|state| state.markup_refused = true);
    }

    /// Another program polls once with the bot's token.
    pub fn poll_elsewhere(&self) {
        self.with(|state| state.polls += 1);
    }

    /// From now on the token is not accepted.
    pub fn revoke(&self) {
        self.with(|state| state.revoked = true);
    }
}
