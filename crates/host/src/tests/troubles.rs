//! Providers that fail: messages wait for them, and who should know is told.

use anchorhold_core::{access::Role, turn_failure::FailureClass};
use anchorhold_sessiondb::{Handled, Trouble};

use super::*;
use crate::{live::Ending, tests::people::dm, trace::timeline::moment};

fn trouble(class: FailureClass) -> Trouble {
    Trouble {
        class,
        detail: "401 key sk-secret\nis no good".to_owned(),
    }
}

impl Inside {
    /// The turn with everything that is there fails, and is to be tried again after `wait`.
    fn fail(&mut self, class: FailureClass, wait: Duration) {
        let handled = Handled::Later {
            trouble: trouble(class),
            until: self.now().checked_add(wait).unwrap(),
            failures: 1,
        };
        let seqs = self.claim();
        self.finish(
            seqs.into_iter().map(|seq| (seq, handled.clone())).collect(),
            vec![],
        );
    }

    fn surface(&mut self, class: FailureClass) {
        let seqs = self.claim().into_iter();
        let handled = seqs.map(|seq| (seq, Handled::Surfaced(trouble(class))));
        self.finish(handled.collect(), vec![]);
    }
}

impl Host {
    /// Waits until a provider has failed so often with message `seq`.
    async fn until_failures(&self, seq: i64, failures: u32) -> Message {
        until(
            &format!("message {seq} has failed {failures} times"),
            async || Some(self.message(seq).await).filter(|message| message.failures == failures),
        )
        .await
    }

    /// Waits until the sweep has found that the session's sandbox has nothing to do; it must not have
    /// found anything wrong with it. An idle one may be let go.
    async fn until_idle(&self, session: SessionId) {
        let live = &self.graph.base.live;
        until("it is idle", async || {
            self.nudge();
            let gone = live.sessions().is_empty();
            (gone || live.idle(session, self.graph.base.mono()).is_some()).then_some(())
        })
        .await;
        let ending = live.ending(session);
        assert!(matches!(ending, None | Some(Ending::Asked)), "{ending:?}");
    }
}

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);
const MINUTE: Duration = Duration::from_mins(1);

/// nc PR#3251: a sandbox that waited for its provider's rate limit was killed as stuck, and its
/// message lost a try each time.
#[tokio::test]
async fn nc_pr_3251_rate_limited_turn_is_not_stuck() {
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    let mut inside = host.enter().await;
    inside.fail(FailureClass::RateLimited, 50 * MINUTE);
    let message = host.until_failures(2, 1).await;
    assert_eq!((message.status, message.tries), (MessageStatus::Pending, 0));
    let next_at = message.next_at.unwrap();
    assert!(next_at >= inside.now().checked_add(50 * MINUTE).unwrap());
    let traced = host.traced("m1").await;
    let waits = traced.steps.iter().find(|step| step.step == "waits");
    assert_eq!(
        waits.map(|step| step.what.as_str()),
        Some(&*format!(
            "waits for its provider until {}",
            moment(next_at)
        ))
    );
    // Another message waits behind it, and that is no reason to do anything either.
    host.stored("m2").await;
    for _ in 0..4 {
        host.advance(10 * MINUTE);
        assert_eq!(inside.texts(), Vec::<String>::new());
        host.until_idle(inside.id.session).await;
    }
    host.advance(HOUR);
    // It may have been let go meanwhile as idle; whichever sandbox is there answers both.
    let mut inside = if host.runtime().running().contains(&inside.id) {
        inside
    } else {
        host.enter().await
    };
    assert_eq!(inside.texts(), ["text of m1", "text of m2"]);
    inside.answer();
    let seen = host.until_seen(&address("c"), 3).await;
    assert_eq!(
        seen,
        [
            "host: The agent's model is asked too often at the moment. Your message is kept and \
             will be tried again.",
            "agent: re text of m1",
            "agent: re text of m2",
        ]
    );
    let message = host.until_status(2, MessageStatus::Done).await;
    assert_eq!(message.tries, 0);
}

/// Defect 20 of the reference: any error of a provider ended the message, with its raw text as the
/// answer.
#[tokio::test]
async fn defect_20_provider_errors_are_not_terminal() {
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    let mut inside = host.enter().await;
    for failures in 1..=10 {
        inside.fail(FailureClass::Transient, SECOND);
        let message = host.until_failures(2, failures).await;
        assert_eq!((message.status, message.tries), (MessageStatus::Pending, 0));
        assert_eq!(
            message.last_error.as_deref(),
            Some("the provider failed: transient (401 key sk-secret is no good)")
        );
        assert_eq!(host.seen(&address("c")), Vec::<String>::new());
        host.advance(2 * SECOND);
    }
    // There is an end to it, which is the host's to say.
    inside.fail(FailureClass::Transient, SECOND);
    host.until_status(2, MessageStatus::Failed).await;
    assert_eq!(
        host.until_seen(&address("c"), 1).await,
        [
            "host: Your message could not be answered: the agent's model can't be reached at the \
             moment. It was tried 11 times and is now given up."
        ]
    );
    host.advance(HOUR);
    assert_eq!(inside.texts(), Vec::<String>::new());
}

#[tokio::test]
async fn what_needs_an_owner_is_told_to_the_owners_and_the_message_is_kept() {
    let mut host = Host::new(PLAIN).await;
    host.grant("olga", Role::Owner).await;
    host.stored("m1").await;
    let mut inside = host.enter().await;
    inside.fail(FailureClass::Unauthorised, MINUTE);
    host.until_failures(2, 1).await;
    assert_eq!(
        host.until_seen(&dm("olga"), 1).await,
        [
            "host: Messages to the agent `helper` wait: the agent's model does not accept its key. \
             They are tried again now and then, and given up visibly if that goes on for too long. \
             For an hour you are not told again."
        ]
    );
    let waits = "host: The agent's model does not accept its key. Your message is kept and will be \
        tried again. Its owners are told what to mend.";
    assert_eq!(host.until_seen(&address("c"), 1).await, [waits]);
    // Within the hour nobody is told twice.
    host.advance(2 * MINUTE);
    inside.fail(FailureClass::Unauthorised, MINUTE);
    host.until_failures(2, 2).await;
    // After the configured time it has an end.
    host.advance(7 * HOUR);
    let mut inside = if host.runtime().running().contains(&inside.id) {
        inside
    } else {
        host.enter().await
    };
    inside.fail(FailureClass::Unauthorised, MINUTE);
    host.until_status(2, MessageStatus::Failed).await;
    assert_eq!(
        host.until_seen(&address("c"), 2).await,
        [
            waits,
            "host: Your message could not be answered: the agent's model does not accept its key. \
             It was tried 3 times and is now given up."
        ]
    );
    assert_eq!(host.seen(&dm("olga")).len(), 1);
}

#[tokio::test]
async fn what_is_not_tried_again_is_told_at_once_in_words_of_the_host() {
    let mut host = Host::new(PLAIN).await;
    for (n, class, words) in [
        (
            1,
            FailureClass::Rejected,
            "the agent's model refuses to answer it",
        ),
        (
            2,
            FailureClass::ContextFull,
            "this conversation has become too long for the agent, and could not be shortened",
        ),
        (
            3,
            FailureClass::ContinuationLost,
            "the agent's memory of this conversation is lost, and beginning afresh did not help",
        ),
    ] {
        host.stored(&format!("m{n}")).await;
        let mut inside = host.enter().await;
        inside.surface(class);
        let seen = host.until_seen(&address("c"), n).await;
        let line = format!("host: Your message could not be answered: {words}.");
        assert_eq!(seen.last(), Some(&line));
        let seq = 2 * i64::try_from(n).unwrap();
        let message = host.until_status(seq, MessageStatus::Failed).await;
        let kept = message.last_error.unwrap();
        assert!(kept.ends_with("(401 key sk-secret is no good)"), "{kept}");
        host.let_go(inside).await;
    }
}

/// nc#1216: who had lost a conversation failed at every message from then on.
#[tokio::test]
async fn nc_1216_lost_continuation_restarts_once_and_says_so() {
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    let mut inside = host.enter().await;
    let seqs = inside.claim();
    let answer = inside::post(seqs[0], "afresh");
    inside.finish(vec![(seqs[0], Handled::DoneAfresh)], vec![answer]);
    assert_eq!(
        host.until_seen(&address("c"), 2).await,
        [
            "host: The agent's memory of this conversation was lost; it goes on without what was \
             said before.",
            "agent: afresh"
        ]
    );
    host.until_status(2, MessageStatus::Done).await;
}
