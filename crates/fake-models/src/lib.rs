//! A local stand-in for models: the Messages API, Chat Completions and Responses, streamed, by a script.
//!
//! **For**: tests of what calls models, and of what relays such calls.
//!
//! **Deliberately not**: anything that a program of ours depends on, and anything clever. It answers
//! as the script says, one entry a call.
//!
//! **Must stay true**: it refuses what the real ones refuse, in their words: calls of tools without
//! results, empty messages, roles that don't take turns, a conversation that is too long. It listens
//! on the loopback or on a Unix socket, and nowhere else.
//!
//! **Start at** [`FakeModels`].
#![warn(missing_docs)]

mod chat;
mod checks;
mod messages;
mod responses;
mod server;

use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;
use tokio::{
    net::{TcpListener, UnixListener},
    sync::Notify,
};
use tokio_util::task::TaskTracker;

/// What one call leads to.
#[derive(Clone, Debug)]
pub enum Act {
    /// An answer in words.
    Say(String),
    /// Calls of tools, by name and arguments, all in one answer.
    Call(Vec<(&'static str, Value)>),
    /// Words that end because an answer may not be longer.
    Cut(String),
    /// It refuses to answer.
    Refuse,
    /// An error with this status and message, and the seconds after which to ask again.
    Fail(u16, &'static str, Option<u32>),
    /// An error in the middle of the stream: it is overloaded.
    FailInside,
    /// A stream that is none.
    Garbage,
    /// A stream that ends before its end.
    BreakOff,
    /// Words, after [`FakeModels::release`] was called.
    Held(String),
}

/// A call as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The path.
    pub path: String,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The content.
    pub content: Value,
}

/// All APIs, by one script. Cheap to clone; clones are the same.
#[derive(Clone, Debug, Default)]
pub struct FakeModels(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// A call has come.
    called: Notify,
    release: Notify,
    tasks: TaskTracker,
}

#[derive(Debug, Default)]
struct State {
    script: VecDeque<Act>,
    asked: Vec<Asked>,
    /// The longest conversation that is read, in characters.
    window: Option<usize>,
}

impl FakeModels {
    /// Answers by this script; after its end everything is answered with `done`.
    pub fn new(script: impl IntoIterator<Item = Act>) -> Self {
        let fake = Self::default();
        fake.then(script);
        fake
    }

    /// Adds to the script.
    pub fn then(&self, script: impl IntoIterator<Item = Act>) {
        self.state().script.extend(script);
    }

    /// From now on a conversation of more characters than this is too long.
    pub fn window(&self, characters: usize) {
        self.state().window = Some(characters);
    }

    /// Every call that came.
    pub fn asked(&self) -> Vec<Asked> {
        self.state().asked.clone()
    }

    /// Waits until there were so many calls.
    pub async fn until_asked(&self, count: usize) {
        loop {
            // Made before the look, so that no call between the two is missed.
            let called = self.0.called.notified();
            if self.state().asked.len() >= count {
                return;
            }
            called.await;
        }
    }

    /// Lets one [`Act::Held`] go on.
    pub fn release(&self) {
        self.0.release.notify_one();
    }

    /// Listens on a free port of the loopback, for as long as the runtime lives.
    pub async fn listen(&self) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (fake, tasks) = (self.clone(), self.0.tasks.clone());
        self.0.tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tasks.spawn(server::serve(fake.clone(), stream));
            }
        });
        Ok(address)
    }

    /// Listens on a Unix socket, for as long as the runtime lives.
    pub fn listen_at(&self, socket: &Path) -> io::Result<()> {
        let listener = UnixListener::bind(socket)?;
        let (fake, tasks) = (self.clone(), self.0.tasks.clone());
        self.0.tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tasks.spawn(server::serve(fake.clone(), stream));
            }
        });
        Ok(())
    }

    /// Puts a call on record; gives what it leads to, and how much can be read.
    fn take(&self, asked: Asked) -> (Act, Option<usize>) {
        let mut state = self.state();
        state.asked.push(asked);
        let act = state.script.pop_front();
        let window = state.window;
        drop(state);
        self.0.called.notify_waiters();
        (act.unwrap_or_else(|| Act::Say("done".to_owned())), window)
    }

    /// What was taken for a call that is refused is there for the next one.
    fn give_back(&self, act: Act) {
        self.state().script.push_front(act);
    }

    async fn released(&self) {
        self.0.release.notified().await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
