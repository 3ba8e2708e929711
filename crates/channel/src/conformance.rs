//! The suite that proves an adapter keeps the contract.
//!
//! An adapter's tests implement [`ConformanceHarness`] over the platform (a fake server, or the real
//! one) and run the suite in a few lines:
//!
//! ```ignore
//! let report = conformance::run(Harness::start).await;
//! assert_eq!(report.failures(), Vec::<String>::new(), "{report}");
//! ```

use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use anchorhold_core::{address::Address, ids::ChannelName};
use async_trait::async_trait;
use tokio::time;

use crate::adapter::ChannelAdapter;

mod bench;
mod cases;
mod clicks;

/// How long a case waits for something that has to happen.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How long a case looks at something that must not happen.
pub const QUIET: Duration = Duration::from_millis(150);
/// How long `run` may take to end after its token has fired.
pub const STOP_LIMIT: Duration = Duration::from_secs(3);

/// The longest a case may take altogether.
const CASE_LIMIT: Duration = Duration::from_mins(1);

/// One of the chats that the cases talk in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Chat {
    /// The first.
    One,
    /// The second.
    Two,
    /// The direct chat, opened by the bot, with the person who talks in the first; it may be the same
    /// chat as that. Used only where the platform has such chats.
    Direct,
}

/// What a person, or the platform on their behalf, knows about a message to the bot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Nothing so far. Where a platform never tells, it is always this.
    Nothing,
    /// The bot has acknowledged it: the platform will not offer it again.
    Accepted,
    /// It was not taken, and somebody has been told.
    NotAccepted,
}

/// Why a case failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);

impl Failure {
    /// A failure in these words.
    pub fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

/// A platform with people on it, as one case needs it. Each case gets a fresh one.
///
/// No call waits for the adapter: what people see is asked again until it shows, or the case fails.
#[async_trait]
pub trait ConformanceHarness: Send + Sync {
    /// The instance's name.
    fn channel(&self) -> ChannelName;

    /// The address that the adapter gives to the chat.
    fn address(&self, chat: Chat) -> Address;

    /// An adapter of this platform as a starting host builds it. Called again for a restart.
    async fn adapter(&self) -> Result<Arc<dyn ChannelAdapter>, Failure>;

    /// The person opens the chat. Does nothing where people are always there.
    async fn arrive(&self, chat: Chat) -> Result<(), Failure>;

    /// The person goes away. Does nothing where people are always there.
    async fn leave(&self, chat: Chat) -> Result<(), Failure>;

    /// The person says something. The same `id` again is the same platform message again.
    /// Where the platform can't take it because the bot is down, that is `Told::NotAccepted`.
    async fn say(&self, chat: Chat, id: &str, text: &str) -> Result<(), Failure>;

    /// What is known about the message `id` by now.
    async fn told(&self, chat: Chat, id: &str) -> Result<Told, Failure>;

    /// The texts that the person has seen from the bot so far, in order.
    async fn seen(&self, chat: Chat) -> Result<Vec<String>, Failure>;

    /// The questions that the person has seen from the bot so far, in order, each as what its options
    /// say. Used only where the platform asks questions itself.
    async fn asked(&self, _chat: Chat) -> Result<Vec<Vec<String>>, Failure> {
        Err(Failure::new("the harness does not see questions"))
    }

    /// The person of this chat chooses an option; `question` is an index into what [`Self::asked`]
    /// gives, `option` one into its options. Used only where the platform asks questions itself.
    async fn click(&self, _chat: Chat, _question: usize, _option: usize) -> Result<(), Failure> {
        Err(Failure::new("the harness does not choose answers"))
    }

    /// Gives the adapter these bytes where it expects the platform's.
    async fn hostile(&self, input: &[u8]) -> Result<(), Failure>;

    /// Breaks every connection between the adapter and the platform. New ones can be made.
    async fn drop_connection(&self) -> Result<(), Failure>;
}

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As the contract wants it.
    Passed,
    /// It does not apply to this platform, for the reason given.
    Skipped(&'static str),
    /// Otherwise.
    Failed(Failure),
}

type CaseFuture<'a> = Pin<Box<dyn Future<Output = Result<Outcome, Failure>> + Send + 'a>>;

/// One case of the suite.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Its name.
    pub name: &'static str,
    run: for<'a> fn(&'a dyn ConformanceHarness) -> CaseFuture<'a>,
}

macro_rules! cases {
    ($($module:ident { $($name:ident,)* })*) => {
        /// Every case, in the order in which they run.
        pub const CASES: &[Case] = &[$($(Case {
            name: stringify!($name),
            run: |harness| Box::pin($module::$name(harness)),
        },)*)*];
    };
}

cases! {
    cases {
        probe_identifies,
        text_in_arrives_once,
        text_out_is_seen,
        same_key_is_seen_once,
        nothing_is_acknowledged_before_it_is_stored,
        a_failed_intake_is_not_silent,
        a_refused_message_does_not_stop_the_next,
        the_same_platform_message_is_stored_once,
        hostile_input_does_not_end_run,
        chats_are_kept_apart,
        shutdown_while_receiving_is_prompt,
        shutdown_while_sending_is_prompt,
        an_aborted_run_lets_the_next_one_start,
        a_direct_chat_is_opened_in_silence,
        nobody_there_is_never_sent,
        a_restart_is_not_silent,
        a_dropped_connection_comes_back,
    }
    clicks {
        a_click_answers_its_question_once,
        a_failed_click_does_not_end_run,
        a_question_outlives_a_restart,
    }
}

impl Case {
    /// Runs the case on a fresh harness.
    pub async fn run(&self, harness: &dyn ConformanceHarness) -> Outcome {
        match time::timeout(CASE_LIMIT, (self.run)(harness)).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(failure)) => Outcome::Failed(failure),
            Err(_elapsed) => Outcome::Failed(Failure::new("the case took too long")),
        }
    }
}

/// How each case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Names and outcomes, in order.
    pub cases: Vec<(&'static str, Outcome)>,
}

impl Report {
    /// The cases that failed, as `name: why`.
    pub fn failures(&self) -> Vec<String> {
        self.named(|outcome| match outcome {
            Outcome::Failed(failure) => Some(failure.0.as_str()),
            Outcome::Passed | Outcome::Skipped(_) => None,
        })
    }

    /// The cases that did not apply, as `name: why`.
    pub fn skipped(&self) -> Vec<String> {
        self.named(|outcome| match outcome {
            Outcome::Skipped(why) => Some(*why),
            Outcome::Passed | Outcome::Failed(_) => None,
        })
    }

    fn named(&self, why: impl Fn(&Outcome) -> Option<&str>) -> Vec<String> {
        let named = |(name, outcome): &(&'static str, Outcome)| {
            why(outcome).map(|why| format!("{name}: {why}"))
        };
        self.cases.iter().filter_map(named).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, outcome) in &self.cases {
            match outcome {
                Outcome::Passed => writeln!(f, "passed   {name}")?,
                Outcome::Skipped(why) => writeln!(f, "skipped  {name}: {why}")?,
                Outcome::Failed(failure) => writeln!(f, "FAILED   {name}: {failure}")?,
            }
        }
        Ok(())
    }
}

/// Runs every case, each on a fresh harness from `make`.
pub async fn run<H, M, F>(make: M) -> Report
where
    H: ConformanceHarness,
    M: Fn() -> F,
    F: Future<Output = Result<H, Failure>>,
{
    let mut cases = Vec::new();
    for case in CASES {
        let outcome = match make().await {
            Ok(harness) => case.run(&harness).await,
            Err(failure) => Outcome::Failed(failure),
        };
        cases.push((case.name, outcome));
    }
    Report { cases }
}

#[cfg(test)]
mod tests;
