//! Questions of agents: asked once, answered once, by people whom the agent hears.

use anchorhold_channel::Questions;
use anchorhold_core::{access::Role, outbound::Question};
use anchorhold_sessiondb::{Handled, Outbound};

use super::*;
use crate::tests::{
    inside::said,
    people::{asked, direct, dm, heard, refused, saying, taken},
};

/// Answers what there is with a question, and ends it.
fn ask(inside: &mut Inside, title: &str, options: [&str; 2], expires_ms: Option<u64>) {
    let seq = inside.claim()[0];
    let question = Outbound::Ask {
        title: title.to_owned(),
        text: String::new(),
        options: options.map(str::to_owned).to_vec(),
        expires_ms,
    };
    inside.finish(vec![(seq, Handled::Done)], vec![said(seq, question)]);
}

impl Host {
    /// The one question that people see there, once they do.
    async fn question_at(&self, place: &Address) -> Question {
        until("a question is asked", async || {
            self.platform().asked(place).pop()
        })
        .await
    }

    /// `ann` has written in her direct chat, and the agent has asked her whether to go now or later.
    async fn asked_ann(&mut self, expires_ms: Option<u64>) -> (Inside, Question) {
        self.heard(direct("ann", "m1")).await;
        let mut inside = self.enter().await;
        ask(&mut inside, "When?", ["Now", "Later"], expires_ms);
        let question = self.question_at(&dm("ann")).await;
        self.until_status(2, MessageStatus::Done).await;
        (inside, question)
    }
}

#[tokio::test]
async fn defect_29_a_late_answer_wakes_once_and_is_consumed_once() {
    let mut host = Host::new(&heard("public", "")).await;
    let (inside, question) = host.asked_ann(None).await;
    assert_eq!(question.options, ["Now", "Later"]);
    host.let_go(inside).await;
    host.advance(Duration::from_hours(23));

    let answered = host.choose("ann", question.id, 1).await;
    assert_eq!(answered, taken("You answered: Later"));
    let mut inside = host.enter().await;
    assert_eq!(inside.texts(), ["answer: Later"]);
    let second = host.choose("ann", question.id, 0).await;
    assert_eq!(second, refused("This was answered already."));
    assert_eq!(inside.texts(), ["answer: Later"]);
    let seq = inside.claim()[0];
    inside.finish(vec![(seq, Handled::Done)], Vec::new());
    host.until_status(seq.get(), MessageStatus::Done).await;
    assert_eq!(inside.texts(), Vec::<String>::new());
    host.let_go(inside).await;
    host.advance(Duration::from_mins(5));
    let due = host.store().due_sessions(host.graph.base.now(), 10).await;
    assert_eq!(due.unwrap(), []);
    assert_eq!(host.runtime().specs().len(), 2);
}

#[tokio::test]
async fn two_answers_at_once_are_one() {
    let mut host = Host::new(&heard("public", "")).await;
    let (mut inside, question) = host.asked_ann(None).await;
    let (first, second) = tokio::join!(
        host.choose("ann", question.id, 0),
        host.choose("bob", question.id, 1),
    );
    let already = refused("This was answered already.");
    assert!(
        (first == already) != (second == already),
        "{first:?} {second:?}"
    );
    assert_eq!(inside.texts().len(), 1);
}

#[tokio::test]
async fn defect_29_an_answer_that_comes_too_late_wakes_nobody() {
    let mut host = Host::new(&heard("public", "")).await;
    let (inside, question) = host.asked_ann(Some(60_000)).await;
    host.let_go(inside).await;
    host.advance(Duration::from_mins(1));
    let over = refused("The time to answer this is over.");
    assert_eq!(host.choose("ann", question.id, 0).await, over);
    host.chores().await;
    assert_eq!(host.choose("ann", question.id, 0).await, over);
    let open = "SELECT count(*) FROM questions WHERE status = 'open'";
    assert_eq!(host.count(open), 0);
    assert_eq!(host.in_file(host.session().await).await, ["m1"]);
    assert_eq!(host.runtime().specs().len(), 1);
}

#[tokio::test]
async fn an_answer_to_a_conversation_that_is_over_wakes_nobody() {
    let mut host = Host::new(&heard("public", "")).await;
    let (inside, question) = host.asked_ann(None).await;
    let session = host.session().await;
    host.tell(saying("/new", direct("ann", "c1"))).await;
    host.until_empty().await;
    drop(inside);
    let answered = host.choose("ann", question.id, 0).await;
    assert_eq!(
        answered,
        refused("The conversation that asked this is over.")
    );
    assert_eq!(host.in_file(session).await, ["m1"]);
    host.advance(Duration::from_mins(1));
    assert_eq!(host.runtime().specs().len(), 1);
}

#[tokio::test]
async fn only_people_whom_the_agent_hears_may_answer_it() {
    let mut host = Host::new(&heard("strict", "")).await;
    host.member("ann", "helper").await;
    host.member("bob", "helper").await;
    let (mut inside, question) = host.asked_ann(None).await;
    let not_yours = refused("You may not answer this.");
    assert_eq!(host.choose("eve", question.id, 0).await, not_yours);
    let nothing = refused("There is no such answer.");
    assert_eq!(host.choose("ann", question.id, 2).await, nothing);
    assert_eq!(inside.texts(), Vec::<String>::new());
    let answered = host.choose("bob", question.id, 0).await;
    assert_eq!(answered, taken("You answered: Now"));
    assert_eq!(inside.texts(), ["answer: Now"]);
}

/// Looks are nothing: the host knows by the id what a click is about.
#[tokio::test]
async fn defect_04_a_question_that_looks_like_an_approval_approves_nothing() {
    let mut host = Host::new(&heard("request_approval", "")).await;
    host.grant("olga", Role::Owner).await;
    host.declined(asked("eve", "m1"), "awaits_approval").await;
    let card = host.card("olga").await;
    host.heard(direct("olga", "m2")).await;
    let mut inside = host.enter().await;
    ask(&mut inside, &card.title, ["Approve", "Reject"], None);
    let cards = host.cards("olga", 2).await;
    assert_eq!(cards[1].title, cards[0].title);
    assert_ne!(cards[1].id, cards[0].id);
    let answered = host.choose("olga", cards[1].id, 0).await;
    assert_eq!(answered, taken("You answered: Approve"));
    assert_eq!(inside.texts(), ["answer: Approve"]);
    assert_eq!(host.open().await, [card.id]);
    assert!(!host.knows("eve", host.agent("helper").await.id).await);
}

#[tokio::test]
async fn where_there_are_no_buttons_the_answer_is_written() {
    let caps = ChannelCaps {
        questions: Questions::Text,
        ..quiet_caps()
    };
    let mut host = Bench::with_caps(&heard("public", ""), caps).start().await;
    host.heard(direct("ann", "m1")).await;
    let mut inside = host.enter().await;
    ask(&mut inside, "When?", ["Now", "Later"], None);
    let shown = host.until_seen(&dm("ann"), 1).await.remove(0);
    let code = shown.split("`/answer ").nth(1).unwrap();
    let code: String = code.chars().take(6).collect();
    let words = |number: u32| format!("/answer {code} {number}");
    let said = host.tell(saying(&words(3), direct("ann", "a1"))).await;
    assert_eq!(said, "host: There is no such answer.");
    let said = host.tell(saying(&words(2), direct("ann", "a2"))).await;
    assert_eq!(said, "host: You answered: Later");
    assert_eq!(inside.texts(), ["answer: Later"]);
    let said = host.tell(saying(&words(1), direct("ann", "a3"))).await;
    assert_eq!(
        said,
        "host: There is no open question with that code; it may have been answered already."
    );
}

#[tokio::test]
async fn an_answer_is_taken_by_the_next_host() {
    let mut host = Host::new(&heard("public", "")).await;
    let (inside, question) = host.asked_ann(None).await;
    drop(inside);
    let mut host = host.stop().await.start().await;
    let answered = host.choose("ann", question.id, 0).await;
    assert_eq!(answered, taken("You answered: Now"));
    assert_eq!(host.enter().await.texts(), ["answer: Now"]);
}
