//! What tools are told of what they said and asked.

use anchorhold_channel::{ChannelError, fake::Scripted};
use anchorhold_sessiondb::{Emit, Outbound, Outcome, Seq, Wish, WishReply};

use super::*;
use crate::tests::{
    inside::{post, said},
    people::{direct, dm, heard, refused},
};

impl Host {
    async fn told(&self, inside: &Inside, seq: Seq, expect: &Outcome) {
        until(&format!("{seq} is told as {expect:?}"), async || {
            (inside.outcome(seq).as_ref() == Some(expect)).then_some(())
        })
        .await;
    }

    async fn replied(&self, inside: &Inside, id: i64) -> WishReply {
        until("the wish is answered", async || inside.reply(id)).await
    }
}

fn to(name: &str, emit: Emit) -> Emit {
    Emit {
        to: Some(name.to_owned()),
        ..emit
    }
}

#[tokio::test]
async fn what_becomes_of_a_word_is_told_inside() {
    let mut host = Host::new(&heard("public", "")).await;
    host.heard(direct("ann", "m1")).await;
    let mut inside = host.enter().await;
    let asked = inside.claim()[0];
    let hi = inside.say(&post(asked, "hi"));
    host.told(&inside, hi, &Outcome::Sent).await;

    // Only a destination of its own, by its name.
    let nowhere = inside.say(&to("nowhere", post(asked, "hi")));
    let why = "there is no destination \"nowhere\", nor any other";
    let refused = Outcome::Refused(why.to_owned());
    host.told(&inside, nowhere, &refused).await;

    let source = "scripted".into();
    let doing = "sending";
    host.platform()
        .script(Scripted::Fail(ChannelError::Transient { doing, source }));
    let later = inside.say(&post(asked, "later"));
    let waits = until("it waits", async || inside.outcome(later)).await;
    assert!(matches!(waits, Outcome::Waits(_)), "{waits:?}");
    host.advance(Duration::from_secs(2));
    host.told(&inside, later, &Outcome::Sent).await;
}

#[tokio::test]
async fn a_question_that_can_not_be_delivered_is_told_at_once() {
    let mut host = Host::new(&heard("public", "")).await;
    host.heard(direct("ann", "m1")).await;
    let mut inside = host.enter().await;
    let asked = inside.claim()[0];
    let reason = "the chat is gone".to_owned();
    host.platform()
        .script(Scripted::Fail(ChannelError::Permanent { reason }));
    let question = Outbound::Ask {
        title: "Go?".to_owned(),
        text: String::new(),
        options: vec!["yes".to_owned(), "no".to_owned()],
        expires_ms: None,
    };
    let question = inside.say(&said(asked, question));
    let dead = until("it is told", async || inside.outcome(question)).await;
    assert!(
        matches!(&dead, Outcome::Dead(why) if why.contains("the chat is gone")),
        "{dead:?}"
    );
}

#[tokio::test]
async fn a_question_that_was_answered_in_words_takes_no_choice() {
    let mut host = Host::new(&heard("public", "")).await;
    host.heard(direct("ann", "m1")).await;
    let mut inside = host.enter().await;
    let asked = inside.claim()[0];
    let question = Outbound::Ask {
        title: "Go?".to_owned(),
        text: String::new(),
        options: vec!["yes".to_owned(), "no".to_owned()],
        expires_ms: None,
    };
    let seq = inside.say(&said(asked, question));
    host.told(&inside, seq, &Outcome::Sent).await;
    let question = host.platform().asked(&dm("ann")).pop().unwrap();
    let id = inside.wish(&Wish::CloseQuestion { seq });
    assert_eq!(host.replied(&inside, id).await, WishReply::Done {});
    let late = host.choose("ann", question.id, 0).await;
    assert_eq!(late, refused("The time to answer this is over."));
}

/// Tools are no administration: they work where an agent may administer nothing.
#[tokio::test]
async fn wishes_are_answered_whatever_an_agent_may_administer() {
    let mut host = Host::new(&heard("public", "")).await;
    host.heard(direct("ann", "m1")).await;
    let mut inside = host.enter().await;
    let id = inside.wish(&Wish::Destinations {});
    assert_eq!(
        host.replied(&inside, id).await,
        WishReply::Destinations(Vec::new())
    );
    let id = inside.wish(&Wish::Status {});
    let WishReply::Status(facts) = host.replied(&inside, id).await else {
        panic!("no status");
    };
    assert_eq!((facts.agent.as_str(), facts.waiting), ("helper", 1));
}
