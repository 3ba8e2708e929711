//! The child, and where its conversation is.

use std::io;

use serde_json::Value;
use tokio_util::task::TaskTracker;

use crate::provider::{
    TurnIo,
    claude_code::{
        Point,
        launch::Launch,
        protocol::{self, Event},
    },
    kept::Child,
    pipe::{Pipe, Start},
};

/// A running Claude Code.
#[derive(Debug)]
pub(super) struct Running {
    launch: Launch,
    /// Where its conversation is.
    point: Option<Point>,
    pipe: Pipe,
}

impl Running {
    /// Starts one that goes on from `point`.
    pub(super) fn start(
        launch: Launch,
        point: Option<Point>,
        io: &TurnIo,
        tasks: &TaskTracker,
    ) -> io::Result<Self> {
        let start = Start {
            command: &launch.command(point.as_ref()),
            environment: launch.environment(),
            home: &launch.home,
        };
        let pipe = Pipe::open(&start, io, tasks)?;
        tracing::info!(resumed = point.is_some(), "claude code started");
        Ok(Self {
            launch,
            point,
            pipe,
        })
    }

    pub(super) fn launch(&self) -> &Launch {
        &self.launch
    }

    pub(super) fn point(&self) -> Option<&Point> {
        self.point.as_ref()
    }

    /// The conversation has come to here.
    pub(super) fn move_to(&mut self, point: Option<Point>) {
        self.point = point;
    }

    /// Tells it something.
    pub(super) async fn send(&mut self, message: &Value) -> io::Result<()> {
        self.pipe.send(message).await
    }

    /// The next event; `None` at its end. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Event> {
        self.pipe.next().await.map(|line| protocol::read(&line))
    }

    /// What it said last of its errors.
    pub(super) fn errors(&self) -> String {
        self.pipe.errors()
    }
}

impl Child for Running {
    async fn end(&mut self) {
        self.pipe.end(&protocol::interrupt()).await;
    }
}
