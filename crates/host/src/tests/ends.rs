//! What could not be delivered is told: to the agent, to the person, else to the owners, once.

use anchorhold_admin::{render, request::Reply};
use anchorhold_channel::{ChannelError, TextLimit, fake::Scripted};
use anchorhold_core::{access::Role, entity::DeliveryStatus};
use anchorhold_sessiondb::{Handled, Outbound, Seq};

use super::*;
use crate::tests::{
    inside::{post, said},
    people::dm,
};

/// What the agent is told of its row 3, of which nobody knows whether it arrived.
const MAYBE: &str = "note: What you said as number 3 (a message) may not have arrived: \
    post ended without an answer: scripted. \
    It is not sent again, since it might come twice. The conversation is told so.";

fn refused() -> Scripted {
    let reason = "blocked by the person".to_owned();
    Scripted::Fail(ChannelError::Permanent { reason })
}

/// Lets the agent say one thing in answer to everything that is there.
fn say_once(inside: &mut Inside, text: &str) -> i64 {
    let rows = inside.offer();
    let seqs: Vec<Seq> = rows.iter().map(|row| row.seq).collect();
    let last = *seqs.last().unwrap();
    let ends = seqs.into_iter().map(|seq| (seq, Handled::Done)).collect();
    inside.finish(ends, vec![post(last, text)])[0]
}

impl Host {
    /// Waits until everybody was told of the end of the agent's row `seq`.
    async fn until_told(&self, seq: i64) {
        let query = format!("SELECT count(*) FROM deliveries WHERE seq = {seq} AND told_at > 0");
        until(&format!("the end of {seq} is told"), async || {
            (self.count(&query) == 1).then_some(())
        })
        .await;
    }

    /// What there is to answer in the sandbox, once there is something.
    async fn until_offered(&self, inside: &mut Inside) -> Vec<String> {
        until("something is there", async || {
            Some(inside.texts()).filter(|texts| !texts.is_empty())
        })
        .await
    }
}

#[tokio::test]
async fn defect_26_the_agent_and_the_person_learn_of_what_may_not_have_arrived() {
    let mut host = Bench::with_caps(PLAIN, no_dedupe()).start().await;
    host.stored("m1").await;
    let mut inside = host.enter().await;
    host.platform().script(Scripted::TakeAndLoseAnswer);
    let seq = say_once(&mut inside, "a");
    host.until_told(seq).await;
    let seen = host.until_seen(&address("c"), 2).await;
    assert_eq!(
        seen[1],
        "host: A message of the agent's may not have arrived here: \
         post ended without an answer: scripted. \
         It is not sent again, since it might come twice."
    );
    assert_eq!(host.until_offered(&mut inside).await, [MAYBE]);
}

#[tokio::test]
async fn nc_2423_failed_delivery_reaches_agent_person_and_operator() {
    let mut host = Bench::with_caps(PLAIN, no_dedupe()).start().await;
    host.stored("m1").await;
    let mut inside = host.enter().await;
    host.platform().script(Scripted::TakeAndLoseAnswer);
    let seq = say_once(&mut inside, "a");
    host.until_told(seq).await;
    let seen = host.until_seen(&address("c"), 2).await;
    assert!(
        seen[1].starts_with("host: A message of the agent's may not have arrived here"),
        "{seen:?}"
    );
    assert_eq!(host.until_offered(&mut inside).await, [MAYBE]);
    let failed = host.until_delivery(seq, |_| true).await;
    let group = [("group", "helper")];
    let listed = host.admin("deadletters", "list", &group).await;
    let Reply::Rows { rows, .. } = &listed else {
        panic!("no list: {listed:?}");
    };
    let ids: Vec<_> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(ids, [Some(failed.id.to_string().as_str())]);
}

#[tokio::test]
async fn an_end_is_told_once_also_by_the_next_host() {
    let mut host = Bench::with_caps(PLAIN, no_dedupe()).start().await;
    host.stored("m1").await;
    let mut inside = host.enter().await;
    host.platform().script(Scripted::TakeAndLoseAnswer);
    // The host has told the agent, and dies before that is on record.
    host.break_table("UPDATE OF told_at", "deliveries").await;
    let seq = say_once(&mut inside, "a");
    assert_eq!(host.until_offered(&mut inside).await, [MAYBE]);
    assert_eq!(host.seen(&address("c")), ["agent: a"]);
    host.mend_table().await;
    drop(inside);
    let host = host.stop().await.start().await;
    host.until_told(seq).await;
    host.until_seen(&address("c"), 2).await;
    let notes = host.in_file(host.session().await).await;
    assert_eq!(notes.len(), 2, "{notes:?}");
    // And no other host after that.
    let host = host.stop().await.start().await;
    host.stored("m2").await;
    assert_eq!(host.in_file(host.session().await).await.len(), 3);
    assert_eq!(host.seen(&address("c")).len(), 2);
}

#[tokio::test]
async fn owners_are_told_elsewhere_of_a_chat_that_takes_nothing_once_an_hour() {
    let mut host = Host::new(PLAIN).await;
    host.grant("olga", Role::Owner).await;
    host.stored("m1").await;
    let mut inside = host.enter().await;
    host.platform().script(refused());
    let seq = say_once(&mut inside, "a");
    host.until_told(seq).await;
    let words = [
        "host: A message of the agent's could not be delivered to the conversation `c` on `one`: \
         refused for good: blocked by the person. It was tried once and is now given up. \
         `anchorhold deadletters list` shows all that was not delivered. \
         For an hour you are not told again about this conversation.",
    ];
    assert_eq!(host.until_seen(&dm("olga"), 1).await, words);
    assert_eq!(host.seen(&address("c")), Vec::<String>::new());
    let told = host.until_offered(&mut inside).await;
    assert!(
        told[0].ends_with("Nothing is said about it in the conversation."),
        "{told:?}"
    );

    // Another one within the hour is on the list only; after it they are told again.
    for (id, later, words) in [("m2", 0, 1), ("m3", 61, 2)] {
        let open = inside.offer().into_iter();
        inside.finish(
            open.map(|row| (row.seq, Handled::Done)).collect(),
            Vec::new(),
        );
        until("nothing waits", async || {
            (host.store().counts().await.unwrap().messages_pending == 0).then_some(())
        })
        .await;
        host.let_go(inside).await;
        host.advance(Duration::from_mins(later));
        host.stored(id).await;
        inside = host.enter().await;
        host.platform().script(refused());
        let seq = say_once(&mut inside, "b");
        host.until_told(seq).await;
        host.until_offered(&mut inside).await;
        assert_eq!(host.until_seen(&dm("olga"), words).await.len(), words);
    }
    assert_eq!(host.store().counts().await.unwrap().deliveries_dead, 3);
}

#[tokio::test]
async fn where_the_line_dies_too_the_owners_are_told() {
    let mut host = Bench::with_caps(PLAIN, no_dedupe()).start().await;
    host.grant("olga", Role::Owner).await;
    host.stored("m1").await;
    let mut inside = host.enter().await;
    host.platform().script(Scripted::TakeAndLoseAnswer);
    host.platform().script(refused());
    say_once(&mut inside, "a");
    let seen = host.until_seen(&dm("olga"), 1).await;
    assert!(
        seen[0].starts_with("host: A message of the host's could not be"),
        "{seen:?}"
    );
    assert_eq!(host.seen(&address("c")), ["agent: a"]);
}

#[tokio::test]
async fn owners_whose_own_chats_take_nothing_make_no_circle() {
    let mut host = Host::new(PLAIN).await;
    for owner in ["olga", "omar"] {
        host.grant(owner, Role::Owner).await;
    }
    host.stored("m1").await;
    let mut inside = host.enter().await;
    // The answer, a word to each, and a word to each about the other's.
    for _ in 0..5 {
        host.platform().script(refused());
    }
    say_once(&mut inside, "a");
    until("all is told", async || {
        let ended = host.count("SELECT count(*) FROM deliveries WHERE told_at > 0");
        (ended == 5).then_some(())
    })
    .await;
    assert_eq!(host.count("SELECT count(*) FROM deliveries"), 5);
    assert_eq!(host.platform().sends().len(), 5);
}

#[tokio::test]
async fn an_agent_whose_answer_to_such_a_word_fails_is_not_told_of_that() {
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    let mut inside = host.enter().await;
    for _ in 0..2 {
        host.platform().script(refused());
    }
    say_once(&mut inside, "a");
    host.until_offered(&mut inside).await;
    let answer = say_once(&mut inside, "it was blocked");
    host.until_told(answer).await;
    assert_eq!(inside.texts(), Vec::<String>::new());
    // Its answers to people are told of as before.
    host.stored("m2").await;
    host.platform().script(refused());
    say_once(&mut inside, "b");
    assert_eq!(host.until_offered(&mut inside).await.len(), 1);
}

#[tokio::test]
async fn an_agent_is_told_of_so_many_ends_an_hour_and_no_more() {
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    let mut inside = host.enter().await;
    let seq = inside.offer()[0].seq;
    let texts: Vec<String> = (0..8).map(|n| format!("text {n}")).collect();
    for _ in &texts {
        host.platform().script(refused());
    }
    let emit = texts.iter().map(|text| post(seq, text)).collect();
    let said = inside.finish(vec![(seq, Handled::Done)], emit);
    for seq in said {
        host.until_told(seq).await;
    }
    assert_eq!(inside.texts().len(), 5);
}

#[tokio::test]
async fn what_can_not_be_sent_at_all_is_told_in_the_conversation_once_and_to_the_agent() {
    let caps = ChannelCaps {
        text: TextLimit::Chars(200),
        reactions: Support::No,
        ..quiet_caps()
    };
    let mut host = Bench::with_caps(PLAIN, caps).start().await;
    host.stored("m1").await;
    let mut inside = host.enter().await;
    let seq = inside.offer()[0].seq;
    let react = Outbound::React {
        target: seq,
        emoji: "+".to_owned(),
    };
    let row = inside.finish(vec![(seq, Handled::Done)], vec![said(seq, react)])[0];
    host.until_told(row).await;
    let told = "note: What you said as number 3 (a reaction) was not delivered: \
        this channel has no reactions. It was not tried at all. The conversation is told so.";
    assert_eq!(host.until_offered(&mut inside).await, [told]);
    let lines = "SELECT count(*) FROM deliveries WHERE origin = 'host'";
    assert_eq!(host.count(lines), 1);
    let seen = host.until_seen(&address("c"), 1).await;
    assert!(
        seen[0].starts_with("host: Something the agent wanted to send"),
        "{seen:?}"
    );
}

#[tokio::test]
async fn an_agent_whose_files_fail_keeps_nobody_else_in_the_dark_for_long() {
    let mut host = Bench::with_caps(PLAIN, no_dedupe()).start().await;
    host.stored("m1").await;
    let mut inside = host.enter().await;
    host.platform().script(Scripted::TakeAndLoseAnswer);
    host.break_table("INSERT", "messages").await;
    let seq = say_once(&mut inside, "a");
    host.until_delivery(seq, |one| one.status == DeliveryStatus::Unknown)
        .await;
    assert_eq!(
        host.count("SELECT count(*) FROM deliveries WHERE told_at > 0"),
        0
    );
    host.advance(Duration::from_mins(11));
    host.graph.deliver.ends().notify_one();
    host.until_told(seq).await;
    host.until_seen(&address("c"), 2).await;
}

/// The text of a reply, with this id left out.
fn shown(reply: &Reply, id: &str) -> String {
    render::text(reply).replace(id, "ID")
}

#[tokio::test]
async fn the_operator_lists_shows_retries_and_discards() {
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    let mut inside = host.enter().await;
    host.platform().script(refused());
    let seq = say_once(&mut inside, "a secret");
    host.until_told(seq).await;
    let dead = host.until_delivery(seq, |_| true).await;
    let id = dead.id.to_string();

    let listed = host
        .admin("deadletters", "list", &[("group", "helper")])
        .await;
    let Reply::Rows { rows, .. } = &listed else {
        panic!("no list: {listed:?}");
    };
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0][0].as_str(), Some(id.as_str()));
    let of_id = [("id", id.as_str())];
    let show = host.admin("deadletters", "show", &of_id).await;
    let text = shown(&show, &id);
    for part in [
        "dead",
        "refused for good: blocked by the person",
        "permanent",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    for reply in [&listed, &show] {
        assert!(!render::json(reply).contains("secret"), "{reply:?}");
    }

    let retried = host.admin("deadletters", "retry", &of_id).await;
    assert_eq!(
        shown(&retried, &id),
        "it is sent again now; `deadletters list` has it again if it fails (id ID)\n"
    );
    let seen = host.until_seen(&address("c"), 1).await;
    assert_eq!(seen, ["agent: a secret"]);
    host.until_delivery(seq, |one| one.status == DeliveryStatus::Sent)
        .await;
    let again = host.admin("deadletters", "retry", &of_id).await;
    assert_eq!(
        shown(&again, &id),
        "error: it has not failed: it is sent or on its way (conflict)\n"
    );
    let discarded = host.admin("deadletters", "discard", &of_id).await;
    assert_eq!(
        shown(&discarded, &id),
        "error: it is not on the list (conflict)\n"
    );
    let nothing = [("id", "01890a5d-ac96-774b-bcce-b302099a8057")];
    for verb in ["show", "retry", "discard"] {
        let absent = host.admin("deadletters", verb, &nothing).await;
        let text = render::text(&absent);
        assert!(text.contains("there is no such"), "{verb}: {text}");
    }
    let ruling = |verb: &str| {
        (
            "operator".to_owned(),
            format!("deadletters {verb}"),
            "allowed".to_owned(),
        )
    };
    assert!(host.rulings().contains(&ruling("retry")));
    assert!(!host.rulings().contains(&ruling("show")));
}

#[tokio::test]
async fn defect_18_what_may_have_arrived_is_shown_as_such_and_sent_again_on_a_second_word() {
    let mut host = Bench::with_caps(PLAIN, no_dedupe()).start().await;
    host.stored("m1").await;
    let mut inside = host.enter().await;
    host.platform().script(Scripted::TakeAndLoseAnswer);
    let seq = say_once(&mut inside, "a");
    host.until_told(seq).await;
    let unknown = host.until_delivery(seq, |_| true).await;
    assert_eq!(unknown.status, DeliveryStatus::Unknown);
    let id = unknown.id.to_string();
    let refused = host.admin("deadletters", "retry", &[("id", &id)]).await;
    assert_eq!(
        render::text(&refused),
        "error: nobody can say whether it arrived, so it may come twice; \
         to send it all the same, add --even-if-it-arrived (conflict)\n"
    );
    let discarded = host.admin("deadletters", "discard", &[("id", &id)]).await;
    assert_eq!(
        shown(&discarded, &id),
        "discarded; it is not sent any more and stays on record (id ID)\n"
    );
    assert_eq!(host.store().counts().await.unwrap().deliveries_unknown, 0);
    // Who thinks better of it can still have it sent.
    let fields = [("id", id.as_str()), ("even-if-it-arrived", "true")];
    host.admin("deadletters", "retry", &fields).await;
    host.until_delivery(seq, |one| one.status == DeliveryStatus::Sent)
        .await;
    let mut seen = host.seen(&address("c"));
    seen.retain(|line| line.starts_with("agent"));
    assert_eq!(seen, ["agent: a", "agent: a"]);
}
