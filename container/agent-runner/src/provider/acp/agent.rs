//! The child, and the session that it has.

use std::{fs, io};

use serde_json::Value;
use tokio_util::task::TaskTracker;

use crate::provider::{
    Harness, TurnIo,
    acp::{FOLDERS, Launch, protocol},
    kept::Child,
    pipe::{Pipe, Start},
};

/// A running agent.
#[derive(Debug)]
pub(super) struct Agent {
    launch: Launch,
    pipe: Pipe,
    session: Option<String>,
    /// What it starts as the server of its tools.
    pub(super) tools: Vec<String>,
    /// What it is to be told of itself before anything else.
    pub(super) introduction: Option<String>,
    calls: u64,
}

impl Agent {
    pub(super) fn start(
        launch: Launch,
        harness: &Harness,
        io: &TurnIo,
        tasks: &TaskTracker,
    ) -> io::Result<Self> {
        for (_, folder) in FOLDERS {
            // Some want to find theirs.
            fs::create_dir_all(harness.home.join(folder))?;
        }
        let start = Start {
            command: &launch.command,
            environment: &launch.environment,
            home: &harness.home,
        };
        let pipe = Pipe::open(&start, io, tasks)?;
        tracing::info!("agent of others started");
        Ok(Self {
            launch,
            pipe,
            session: None,
            tools: harness.tools.clone(),
            introduction: None,
            calls: 0,
        })
    }

    pub(super) fn launch(&self) -> &Launch {
        &self.launch
    }

    pub(super) fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// From now on this is its session.
    pub(super) fn has(&mut self, session: &str) {
        self.session = Some(session.to_owned());
    }

    /// Asks it for something; gives the number of the call.
    pub(super) async fn ask(&mut self, method: &str, params: &Value) -> io::Result<u64> {
        self.calls += 1;
        let call = protocol::call(self.calls, method, params);
        self.pipe.send(&call).await?;
        Ok(self.calls)
    }

    /// Tells it something.
    pub(super) async fn send(&mut self, message: &Value) -> io::Result<()> {
        self.pipe.send(message).await
    }

    /// The next line; `None` at its end. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<String> {
        self.pipe.next().await
    }

    /// What it said last of its errors.
    pub(super) fn errors(&self) -> String {
        self.pipe.errors()
    }
}

impl Child for Agent {
    async fn end(&mut self) {
        let session = self.session.as_deref().unwrap_or_default();
        let cancel = protocol::cancel(session);
        self.pipe.end(&cancel).await;
    }
}
