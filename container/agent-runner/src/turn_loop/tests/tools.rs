//! What tools say and ask while their turn runs.

use anchorhold_sessiondb::{Answer, HandledState, Inbound, Outbound, Outcome, Pulled, Seq};
use tokio_util::sync::CancellationToken;

use crate::turn_loop::{
    Ended,
    tests::bench::{Bench, now, posts, states},
};

const ASK: &str =
    r#"!tool ask_user_question {"question":"Go?","options":["yes","no"],"timeout_s":60}"#;

impl Bench {
    /// Waits until the agent has said something during its turn; gives its number.
    async fn said(&self, count: usize) -> Seq {
        loop {
            let pulled = self.pulled();
            if pulled.rows.len() >= count {
                return pulled.rows[count - 1].seq;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Lets the agent ask, answers it as `answer` says, and runs until `count` messages have ended.
    async fn asked(&self, answer: impl Fn(Seq) -> Inbound, count: usize) -> Pulled {
        let mut runner = self.runner(1);
        let stop = CancellationToken::new();
        let host = async {
            self.hear(ASK, true);
            let question = self.said(1).await;
            self.tell(&answer(question), true);
            let pulled = self.ended(count).await;
            stop.cancel();
            pulled
        };
        let (ended, pulled) = tokio::join!(Box::pin(runner.run(&stop)), host);
        assert_eq!(ended.unwrap(), Ended::Told);
        pulled
    }
}

/// What the agent says at the end of its turn.
fn answer(pulled: &Pulled) -> &str {
    let last = &pulled.rows.last().unwrap().op;
    let Outbound::Post { text, .. } = last else {
        panic!("{last:?}");
    };
    text
}

fn written(text: &str) -> Inbound {
    Inbound::Chat(anchorhold_sessiondb::Chat {
        channel: "cli".to_owned(),
        sender: "u2".to_owned(),
        sender_name: Some("Bob".to_owned()),
        about: None,
        text: text.to_owned(),
        sent_at: now(),
        reply_to: None,
        files: Vec::new(),
    })
}

fn chosen(question_seq: Seq) -> Inbound {
    Inbound::Answer(Answer {
        question_seq,
        title: "Go?".to_owned(),
        option: 1,
        text: "no".to_owned(),
        channel: "cli".to_owned(),
        sender: "u2".to_owned(),
        sender_name: None,
        answered_at: now(),
    })
}

#[tokio::test]
async fn a_chosen_answer_reaches_the_tool_and_ends_with_the_turn() {
    let bench = Bench::new();
    let pulled = bench.asked(chosen, 2).await;
    assert_eq!(answer(&pulled), "u2 chose: no");
    let done = [2, 4].map(|seq| (seq, HandledState::Done));
    assert_eq!(states(&pulled), done);
    assert_eq!(pulled.rows[0].in_reply_to, Seq::new(2));
    assert!(pulled.rows[0].awaited);
}

#[tokio::test]
async fn a_question_that_can_not_be_delivered_fails_at_once() {
    let bench = Bench::new();
    *bench.outcome.borrow_mut() = Outcome::Dead("the chat is gone".to_owned());
    bench.hear(ASK, true);
    let pulled = bench.run(bench.runner(1), 1).await;
    let expect = "error: message 3: it could not be sent: the chat is gone";
    assert_eq!(answer(&pulled), expect);
}

/// Nobody is said to have refused what nobody was heard on.
#[tokio::test]
async fn zc_2105_without_an_answer_nobody_is_said_to_have_answered() {
    let bench = Bench::new();
    bench.hear(&ASK.replace("60", "1"), true);
    let pulled = bench.run(bench.runner(1), 1).await;
    let expect = "nobody has answered within 1 s; an answer that comes later is a message of a \
                  later turn";
    assert_eq!(answer(&pulled), expect);
}

#[tokio::test]
async fn what_a_tool_says_is_told_as_the_host_did_it() {
    for (outcome, expect) in [
        (Outcome::Sent, "sent as message 3"),
        (
            Outcome::Waits("no network".to_owned()),
            "sent as message 3, but not yet (no network): it is tried again, and you are told if it \
             is given up",
        ),
        (
            Outcome::Unknown("it broke off".to_owned()),
            "error: message 3: nobody can say whether it was sent: it broke off",
        ),
        (
            Outcome::Refused("no such place".to_owned()),
            "error: message 3: no such place",
        ),
    ] {
        let bench = Bench::new();
        *bench.outcome.borrow_mut() = outcome;
        bench.hear(r#"!tool send_message {"text":"hi","to":"ops"}"#, true);
        let pulled = bench.run(bench.runner(1), 1).await;
        let expect = expect.replace("sent as", "sent to \"ops\" as");
        assert_eq!(answer(&pulled), expect);
        assert_eq!(pulled.rows[0].to.as_deref(), Some("ops"));
    }
}

#[tokio::test]
async fn a_turn_that_begins_again_says_and_asks_nothing_twice() {
    let bench = Bench::new();
    bench.hear("!tool send_message {\"text\":\"hi\"}\n!fail lost 1", true);
    let pulled = bench.run(bench.runner(1), 1).await;
    let expect = [
        (Some(2), "hi"),
        (Some(2), "sent as message 3\nanswered after 1 failures"),
    ];
    assert_eq!(posts(&pulled), expect);

    // The same twice in one try is meant twice.
    let twice = "!tool send_message {\"text\":\"ho\"}\n!tool send_message {\"text\":\"ho\"}";
    bench.hear(twice, true);
    let pulled = bench.run(bench.runner(1), 2).await;
    assert_eq!(
        posts(&pulled)[2..4]
            .iter()
            .filter(|(_, text)| *text == "ho")
            .count(),
        2
    );
}

#[tokio::test]
async fn a_message_that_answers_a_question_is_not_answered_for_itself() {
    let bench = Bench::new();
    let pulled = bench.asked(|_question| written("hm"), 2).await;
    assert_eq!(answer(&pulled), "Bob (u2) wrote: hm");
    assert_eq!(pulled.rows.len(), 2);
    let done = [2, 4].map(|seq| (seq, HandledState::Done));
    assert_eq!(states(&pulled), done);
}

#[tokio::test]
async fn past_conversations_are_kept_and_found() {
    let bench = Bench::new();
    bench.hear("where are the keys?", true);
    bench.run(bench.runner(1), 1).await;
    bench.hear("!tool memory_search {\"query\":\"keys\"}", true);
    let pulled = bench.run(bench.runner(1), 2).await;
    let found = answer(&pulled);
    assert!(
        found.starts_with(".anchorhold/conversations/2027-01-15.md:1\n"),
        "{found}"
    );
    assert!(found.contains("**u1**: where are the keys?"), "{found}");
    assert!(found.contains("**Ada**: I am the offline agent"), "{found}");
}
