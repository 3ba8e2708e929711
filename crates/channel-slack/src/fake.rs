//! Slack in memory, with people who use it: for tests, and true to the protocol.
//!
//! What it takes and what it refuses follows <https://docs.slack.dev/apis/>; a client of others is run
//! against it as well, so that it is not only what this crate believes.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anchorhold_channel::{
    conformance::{Side, Trouble},
    error::Source,
};
use anchorhold_channel_kit::{http::Http, webhook::signature};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

mod checks;
mod methods;
mod params;
mod server;
mod socket;
mod state;

pub use state::{Button, File, Shown};

use state::State;

/// The bot's token.
pub const BOT_TOKEN: &str = "xoxb-100-200-AAfakefakefakefakefake";
/// The app's own token.
pub const APP_TOKEN: &str = "xapp-1-A0FAKE-300-fakefakefakefakefake";
/// What calls are signed with.
pub const SIGNING_SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
/// The bot as a person.
pub const BOT: &str = "U0BOT0000";
/// The bot as a bot.
pub const BOT_ID: &str = "B0BOT0000";
/// Its name.
pub const BOT_NAME: &str = "anchorhold";
/// A channel that it is in.
pub const CHANNEL: &str = "C0GENERAL";
/// A thread there.
pub const THREAD: &str = "1767000000.000100";

/// How long a call that was not answered with success is left alone.
const CALL_AGAIN: Duration = Duration::from_millis(5);

/// A workspace, which ends with the value.
#[derive(Debug)]
pub struct FakeSlack {
    state_tx: Arc<watch::Sender<State>>,
    address: SocketAddr,
    _stop: DropGuard,
}

/// The direct messages of a person with the app.
pub fn direct(person: &str) -> String {
    person.replacen('U', "D", 1)
}

impl FakeSlack {
    /// Starts a workspace on free ports of this machine.
    pub async fn start() -> Result<Self, Source> {
        let web = TcpListener::bind("127.0.0.1:0").await?;
        let sockets = TcpListener::bind("127.0.0.1:0").await?;
        let address = web.local_addr()?;
        let state = State::new(address, sockets.local_addr()?);
        let state_tx = Arc::new(watch::channel(state).0);
        let stop = CancellationToken::new();
        let router = server::router(Arc::clone(&state_tx));
        let links = socket::serve(sockets, Arc::clone(&state_tx));
        let ending = stop.clone();
        // It ends with the guard; nobody waits for it.
        TaskTracker::new().spawn(async move {
            tokio::select! {
                _ended = async { axum::serve(web, router).await } => {}
                () = links => {}
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
        format!("http://{}/api", self.address)
    }

    fn with<T>(&self, with: impl FnOnce(&mut State) -> T) -> T {
        let mut result = None;
        self.state_tx
            .send_modify(|state| result = Some(with(state)));
        // `send_modify` always calls its closure.
        result.expect("the closure was called")
    }

    /// A person says something: `fields` are those of the message besides who, where and when. Gives its
    /// time stamp. Who names the bot in a channel is told of twice.
    pub fn say(&self, chat: &str, person: &str, fields: Value) -> String {
        self.with(|state| state.say(chat, person, fields))
    }

    /// The app is told once more of a message that it was told of.
    pub fn repeat(&self, chat: &str, ts: &str) {
        self.with(|state| state.repeat(chat, ts));
    }

    /// A person changes what they said.
    pub fn revise(&self, chat: &str, ts: &str, fields: Value) {
        self.with(|state| state.revise(chat, ts, fields));
    }

    /// A person puts a reaction on a message, or takes it away.
    pub fn react(&self, chat: &str, ts: &str, person: &str, (name, added): (&str, bool)) {
        self.with(|state| state.react(chat, ts, person, (name, added)));
    }

    /// A person presses a button of a message of the bot.
    pub fn press(&self, chat: &str, ts: &str, person: &str, action: &str) {
        self.with(|state| state.press(chat, ts, person, action));
    }

    /// Whatever Slack might tell, as an event.
    pub fn tell(&self, event: &Value) {
        self.with(|state| state.event(event));
    }

    /// A file that a message of a person can have; gives the object.
    pub fn file(&self, name: &str, media_type: &str, content: &[u8]) -> Value {
        self.with(|state| state.file(name, media_type, content))
    }

    /// What people see from the bot at a place, in order.
    pub fn seen(&self, chat: &str, thread: Option<&str>) -> Vec<Shown> {
        let state = self.state_tx.borrow();
        let there = |shown: &&Shown| shown.chat == chat && shown.thread.as_deref() == thread;
        state.shown.iter().filter(there).cloned().collect()
    }

    /// What the bot has shown to one person alone.
    pub fn whispers(&self, person: &str) -> Vec<String> {
        let state = self.state_tx.borrow();
        let theirs = state.whispers.iter().filter(|(to, _)| to == person);
        theirs.map(|(_, text)| text.clone()).collect()
    }

    /// The names of the bot's reactions in a chat.
    pub fn reactions(&self, chat: &str) -> Vec<String> {
        let state = self.state_tx.borrow();
        let mine = state
            .reactions
            .iter()
            .filter(|put| put.chat == chat && put.by == BOT);
        mine.map(|put| put.name.clone()).collect()
    }

    /// What the bot called, in order, with the parameters.
    pub fn calls(&self, method: &str) -> Vec<Value> {
        let state = self.state_tx.borrow();
        let calls = state.calls.iter().filter(|(called, _)| called == method);
        calls.map(|(_, params)| params.clone()).collect()
    }

    /// Is all that the app was told about a message acknowledged?
    pub fn is_acknowledged(&self, chat: &str, ts: &str) -> bool {
        self.state_tx.borrow().is_acknowledged(chat, ts)
    }

    /// How often the app has acknowledged something.
    pub fn acknowledged(&self) -> usize {
        self.state_tx.borrow().acknowledged.len()
    }

    /// How many websockets are open.
    pub fn connections(&self) -> usize {
        self.state_tx.borrow().connections
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

    /// Disturbs the next call of this side. To receive, a websocket has to be opened, so those that are
    /// open break.
    pub fn trouble(&self, side: Side, trouble: Trouble) {
        self.with(|state| {
            state.troubles.push((side, trouble));
            if side == Side::Receiving {
                state.generation += 1;
            }
        });
    }

    /// These bytes come over the websocket that is open, or over the next one.
    pub fn garble(&self, bytes: &[u8]) {
        self.with(|state| state.garbage.push_back(bytes.to_vec()));
    }

    /// Breaks every websocket.
    pub fn break_links(&self) {
        self.with(|state| state.generation += 1);
    }

    /// Asks the app for other websockets, for this reason.
    pub fn ask_to_go(&self, reason: &str) {
        self.with(|state| state.goodbyes.push(reason.to_owned()));
    }

    /// After so long, what is not acknowledged is offered again; as a rule after three seconds.
    pub fn offer_again_after(&self, wait: Duration) {
        self.with(|state| state.patience = wait);
    }

    /// From now on the app is silent: its websockets stay open, and nothing comes.
    pub fn fall_silent(&self) {
        self.with(|state| state.silent = true);
    }

    /// What the app is allowed.
    pub fn allow(&self, scopes: &[&str]) {
        self.with(|state| state.scopes = scopes.iter().map(|one| (*one).to_owned()).collect());
    }

    /// It is so many seconds after the beginning of 1970, for who has another clock than the tests here.
    pub fn set_time(&self, seconds: u64) {
        self.with(|state| state.seconds = seconds);
    }

    /// What is not acknowledged by now is never offered again.
    pub fn give_up(&self) {
        self.with(|state| state.pending.clear());
    }

    /// From now on no token is accepted.
    pub fn revoke(&self) {
        self.with(|state| state.revoked = true);
    }

    /// Calls the webhook of the app with what happens until it is taken, as the Events API does. Never
    /// ends.
    pub async fn call(&self, url: impl Fn() -> Option<String>, now: impl Fn() -> i64) -> Source {
        let http = match Http::new(None) {
            Ok(http) => http,
            Err(error) => return error.into(),
        };
        loop {
            let pending = self.state_tx.borrow().pending.front().cloned();
            if let (Some(pending), Some(url)) = (pending, url()) {
                let (kind, body) = pending.body();
                let answered = post(&http, &url, (kind, body), now()).await;
                if answered == Some(200) {
                    self.with(|state| state.acknowledge(&pending.envelope));
                    continue;
                }
            }
            sleep(CALL_AGAIN).await;
        }
    }
}

/// One signed call; the status of its answer, if there is one.
pub async fn post(http: &Http, url: &str, (kind, body): (&str, Vec<u8>), now: i64) -> Option<u16> {
    let now = now.to_string();
    let parts: [&[u8]; 4] = [b"v0:", now.as_bytes(), b":", &body];
    let signed = signature(SIGNING_SECRET.as_bytes(), &parts);
    let request = http
        .client()
        .post(url)
        .header("content-type", kind)
        .header("x-slack-request-timestamp", now.as_str())
        .header("x-slack-signature", format!("v0={signed}"))
        .body(body);
    let answer = http.ask("calling", request).await.ok()?;
    Some(answer.status.as_u16())
}

/// The object of a person, as `users.info` has it.
fn person(id: &str) -> Value {
    let name = id.trim_start_matches(['U', '0']).to_lowercase();
    json!({
        "id": id, "team_id": "T0FAKE", "name": name, "real_name": format!("Person {name}"),
        "is_bot": false,
        "profile": { "display_name": "", "real_name": format!("Person {name}") },
    })
}
