//! What the agent is told of a run of a task.

use std::{fmt, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How long the script of a task may take.
pub const TASK_SCRIPT_LIMIT: Duration = Duration::from_mins(1);

/// A run of a task that was planned for this time.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// What the host knows it by.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Which run of it this is, counted from 1.
    pub run: u32,
    /// What is to be done.
    pub prompt: String,
    /// A command line that says whether the agent is woken at all; see [`TASK_SCRIPT_LIMIT`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    /// When it was due.
    pub due_at: Timestamp,
    /// The time zone of its schedule, by its name,
    pub zone: String,
    /// and how far clocks there were ahead of UTC at that time, in seconds.
    pub offset_s: i32,
    /// So many runs more were due by then; this one stands for them, too.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub missed: u32,
    /// What the script had to say, as JSON; put there by the agent-runner.
    #[serde(skip)]
    pub found: Option<String>,
}

impl fmt::Debug for Task {
    /// Text never reaches a log: only its length is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("id", &self.id)
            .field("run", &self.run)
            .field("prompt_bytes", &self.prompt.len())
            .field("script_bytes", &self.script.as_ref().map(String::len))
            .finish_non_exhaustive()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}
