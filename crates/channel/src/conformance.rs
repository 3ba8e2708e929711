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

use anchorhold_core::{address::Address, ids::ChannelName, outbound::OutboundFile};
use async_trait::async_trait;
use tokio::time;

use crate::{adapter::ChannelAdapter, error::LimitScope};

mod bench;
mod cases;
mod clicks;
mod operations;
mod people;
mod troubles;

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
    /// A chat of several people. Used only where [`ConformanceHarness::mention`] does something.
    Group,
    /// A thread in that chat. Used only where the platform has threads.
    Thread,
}

/// Did what a case wants done to the platform happen?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Did {
    /// It did.
    It,
    /// The platform has nothing like it; the case is skipped.
    NotHere,
}

/// What the platform does with the next request of the kind that is disturbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It asks to wait so long, and says so in its own way.
    Limit(LimitScope, Duration),
    /// It fails on its own side and does nothing.
    ServerError,
    /// It says no to this one request, and would say no again.
    Refuse,
    /// It does not accept the credentials.
    Unauthorized,
    /// It does what it was asked for, and the answer gets lost.
    LoseAnswer,
    /// It does what it was asked for, and the answer is cut off in the middle.
    GarbleAnswer,
}

/// Which requests are disturbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The next one of [`ChannelAdapter::send`].
    Sending,
    /// The next one by which `run` receives.
    Receiving,
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

    /// The texts that the person sees from the bot now, in order: edits made, what was deleted gone,
    /// files without words left out.
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

    /// As [`Self::say`], in a group and in words that address the bot.
    async fn mention(&self, _chat: Chat, _id: &str, _text: &str) -> Result<Did, Failure> {
        Ok(Did::NotHere)
    }

    /// The person changes what they said.
    async fn revise(&self, _chat: Chat, _id: &str, _text: &str) -> Result<Did, Failure> {
        Ok(Did::NotHere)
    }

    /// The person puts a reaction on what they said.
    async fn react(&self, _chat: Chat, _id: &str, _emoji: &str) -> Result<Did, Failure> {
        Ok(Did::NotHere)
    }

    /// The person says something with files, all of it one message.
    async fn share(
        &self,
        _chat: Chat,
        _id: &str,
        _text: &str,
        _files: &[OutboundFile],
    ) -> Result<Did, Failure> {
        Ok(Did::NotHere)
    }

    /// The files that the person has seen from the bot so far, in order. Used only where the
    /// platform takes some.
    async fn files(&self, _chat: Chat) -> Result<Vec<OutboundFile>, Failure> {
        Err(Failure::new("the harness does not see files"))
    }

    /// The reactions of the bot that the person sees now. Used only where the platform has some.
    async fn reactions(&self, _chat: Chat) -> Result<Vec<String>, Failure> {
        Err(Failure::new("the harness does not see reactions"))
    }

    /// Disturbs the next request.
    async fn trouble(&self, _side: Side, _trouble: Trouble) -> Result<Did, Failure> {
        Ok(Did::NotHere)
    }

    /// What must stand in no error: tokens and the like.
    fn secrets(&self) -> Vec<String> {
        Vec::new()
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
    people {
        a_group_is_told_from_a_direct_chat,
        a_thread_is_a_place_of_its_own,
        an_edit_is_known_as_one,
        a_reaction_is_known_as_one,
        files_arrive_with_their_message,
    }
    operations {
        files_are_seen_with_their_text,
        a_message_can_be_changed,
        a_message_can_be_taken_back,
        a_reaction_is_seen,
        typing_is_taken,
        what_is_not_there_is_refused_for_good,
    }
    troubles {
        a_limit_says_whom_it_is_about,
        a_server_error_is_no_verdict,
        a_refusal_is_for_good,
        a_lost_answer_is_ambiguous,
        a_garbled_answer_is_ambiguous,
        refused_credentials_are_told_apart,
        receiving_outlives_an_outage,
        no_error_says_a_secret,
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
