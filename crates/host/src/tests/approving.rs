//! What needs somebody's word: strangers, conversations that nobody hears, and who may decide.

use anchorhold_channel::{
    ChannelError, Questions,
    fake::{Scripted, question_id},
};
use anchorhold_core::{
    access::Role,
    entity::{ApprovalStatus, EngageMode, IgnoredPolicy, SenderScope},
    guard::act::Act,
    ids::{QuestionId, UserId},
};
use anchorhold_store::approvals::{Choice, NewApproval, Pick};

use super::*;
use crate::tests::people::{
    UNHEARD, asked, choice, direct, dm, handle, heard, refused, said, saying, taken, threaded,
};

const NOT_KNOWN: &str = "host: You are not known here yet. Somebody is asked to let you in; your \
                         message waits.";
const NOT_WIRED: &str = "host: No agent hears this conversation yet. An owner is asked which one \
                         is to; your message waits.";
const NOBODY_THERE: &str = "host: No agent hears this conversation yet, and nobody who could \
                            change that can be reached at the moment. Your message waits.";
const REFUSED: &str = "host: Your request was refused; your message is not answered.";
const NOBODY: &str = "host: Nobody has decided about your request in time; your message is not \
                      answered. Write again to ask anew.";
const NOT_DONE: &str = "host: Your request was approved but could not be carried out; your message \
                        is not answered. Write again to ask anew.";
const NOT_YOURS: &str = "You may not decide this; your try is on record.";
const CONNECTED: &str = "Connected. What waited there is answered now.";
const LET_IN: &str = "The person is let in.";

/// Strangers who address the bot are asked about.
fn gated() -> String {
    heard("request_approval", "engage = \"mention\"")
}

/// A host with an owner `olga`, where the stranger `eve` waits with the message `m1`.
async fn eve_waits() -> (Host, QuestionId) {
    let host = Host::new(&gated()).await;
    host.grant("olga", Role::Owner).await;
    host.declined(asked("eve", "m1"), "awaits_approval").await;
    let card = host.card("olga").await;
    host.until_seen(&group(), 1).await;
    (host, card.id)
}

fn group() -> Address {
    address("g")
}

/// Only decides, as a host does that dies right after.
async fn only_decide(host: &Host, id: QuestionId, pick: Pick, by: Option<UserId>) {
    let now = host.graph.base.now();
    let decided = host.store().decide_approval(id, &pick, by, now);
    decided.await.unwrap();
}

/// A message can come when the decision is on record and nothing of it is done yet.
#[tokio::test]
async fn what_comes_right_after_a_decision_joins_what_waits_for_it() {
    for unheard in [false, true] {
        let config = if unheard { UNHEARD.to_owned() } else { gated() };
        let mut host = Host::new(&config).await;
        let olga = host.grant("olga", Role::Owner).await;
        let reason = if unheard {
            "awaits_wiring"
        } else {
            "awaits_approval"
        };
        host.declined(asked("eve", "m1"), reason).await;
        let card = host.card("olga").await;
        let pick = if unheard {
            Pick::Connect(host.agent("helper").await.id)
        } else {
            Pick::Approve
        };
        only_decide(&host, card.id, pick, Some(olga)).await;
        host.declined(asked("eve", "m2"), reason).await;
        assert_eq!(host.open().await, [], "a second request");
        host.chores().await;
        let session = host.session().await;
        assert_eq!(host.in_file(session).await, ["m1", "m2"]);
        assert_eq!(host.enter().await.texts(), ["text of m1", "text of m2"]);
        assert_eq!(host.platform().asked(&dm("olga")).len(), 1);
    }
}

#[tokio::test]
async fn a_stranger_waits_until_somebody_lets_them_in() {
    let mut host = Host::new(&gated()).await;
    host.grant("olga", Role::Owner).await;
    host.declined(asked("eve", "m1"), "awaits_approval").await;
    host.declined(asked("eve", "m2"), "awaits_approval").await;
    assert_eq!(host.until_seen(&group(), 1).await, [NOT_KNOWN]);
    let card = host.card("olga").await;
    assert_eq!(card.title, "Let somebody in?");
    assert_eq!(card.options, ["Approve", "Reject"]);
    assert_eq!(host.sessions().await, []);

    assert_eq!(host.choose("olga", card.id, 0).await, taken(LET_IN));
    assert!(host.knows("eve", host.agent("helper").await.id).await);
    let session = host.session().await;
    assert_eq!(host.in_file(session).await, ["m1", "m2"]);
    let mut inside = host.enter().await;
    assert_eq!(inside.texts(), ["text of m1", "text of m2"]);
    inside.answer();
    host.until_seen(&group(), 3).await;
    // Everything was said once, to one person, and what was dropped did happen.
    assert_eq!(host.platform().asked(&dm("olga")).len(), 1);
    assert_eq!(host.platform().opened(), [handle("olga")]);
    assert_eq!(host.open().await, []);
    assert_eq!(host.dropped().await, ["eve awaits_approval 2"]);
    let again = host.hand_over(asked("eve", "m1")).await.unwrap();
    assert_eq!(again, Accepted::Duplicate);
    host.heard(asked("eve", "m3")).await;
    assert_eq!(inside.texts(), ["text of m3"]);
}

#[tokio::test]
async fn defect_04_only_who_may_do_it_may_decide_it() {
    let (host, card) = eve_waits().await;
    let mia = host.member("mia", "helper").await;
    let eve = host.user("eve").await;
    let zoe = host.user("zoe").await;
    for (who, user) in [("eve", eve), ("mia", mia), ("zoe", zoe)] {
        for option in [0, 1] {
            assert_eq!(host.choose(who, card, option).await, refused(NOT_YOURS));
            let (actor, ruling) = (format!("user {user}"), "refused".to_owned());
            let entry = (actor, "admit_sender".to_owned(), ruling);
            assert_eq!(host.rulings().last(), Some(&entry), "{who}");
        }
    }
    // Nor in words.
    let words = format!("/answer {} 1", card.code());
    let said = host.tell(saying(&words, asked("mia", "w1"))).await;
    assert_eq!(said, format!("host: {NOT_YOURS}"));
    host.declined(saying(&words, asked("eve", "w2")), "awaits_approval")
        .await;
    let approval = host.store().approval(card).await.unwrap().unwrap();
    assert_eq!(approval.status, ApprovalStatus::Pending);
    assert_eq!(host.sessions().await, []);
    assert!(!host.knows("eve", host.agent("helper").await.id).await);

    // A global admin may, though the card went to the owner; through the platform this time.
    let ada = host.grant("ada", Role::Admin).await;
    let click = choice("ada", card, 0);
    host.platform().click(click.clone());
    host.platform().click(choice("olga", card, 1));
    assert!(host.platform().until_answered(LIMIT, 2).await);
    let shown: Vec<_> = host
        .platform()
        .answered()
        .into_iter()
        .map(|one| one.1)
        .collect();
    assert_eq!(
        shown,
        [taken(LET_IN), refused("This was approved already.")]
    );
    assert_eq!(
        host.choose("ada", card, 0).await,
        refused("This was approved already.")
    );
    let rulings: Vec<_> = host
        .rulings()
        .into_iter()
        .map(|one| (one.0, one.2))
        .collect();
    assert_eq!(rulings[0], (format!("user {eve}"), "held".to_owned()));
    let given = (format!("user {ada}"), "approved".to_owned());
    assert_eq!(rulings.iter().filter(|one| **one == given).count(), 1);
}

#[tokio::test]
async fn an_admin_of_the_agent_is_asked_first_and_one_of_another_may_not_decide() {
    let config = format!("{}[agents.second]\nprovider = \"offline\"\n", gated());
    let host = Host::new(&config).await;
    let (helper, second) = (host.agent("helper").await.id, host.agent("second").await.id);
    host.grant("olga", Role::Owner).await;
    host.grant("ada", Role::Admin).await;
    host.grant("gus", Role::GroupAdmin(helper)).await;
    host.grant("sam", Role::GroupAdmin(second)).await;
    host.declined(asked("eve", "m1"), "awaits_approval").await;
    let card = host.card("gus").await;
    assert_eq!(host.choose("sam", card.id, 0).await, refused(NOT_YOURS));
    assert_eq!(host.choose("gus", card.id, 0).await, taken(LET_IN));
    for who in ["olga", "ada", "sam"] {
        assert_eq!(host.platform().asked(&dm(who)), [], "{who}");
    }
}

#[tokio::test]
async fn a_choice_that_is_none_is_refused() {
    let (host, card) = eve_waits().await;
    let nothing = refused("There is no such answer.");
    assert_eq!(host.choose("olga", card, 2).await, nothing);
    let other = question_id(7);
    let gone = refused("This question is gone.");
    assert_eq!(host.choose("olga", other, 0).await, gone);
    assert_eq!(host.open().await, [card]);
}

#[tokio::test]
async fn a_refusal_is_told_and_remembered_for_a_week() {
    let (host, card) = eve_waits().await;
    host.declined(asked("eve", "m2"), "awaits_approval").await;
    assert_eq!(host.choose("olga", card, 1).await, taken("Refused."));
    let seen = host.until_seen(&group(), 2).await;
    assert_eq!(seen, [NOT_KNOWN, REFUSED]);
    assert_eq!(host.sessions().await, []);

    host.advance(Duration::from_hours(7 * 24 - 1));
    host.declined(asked("eve", "m3"), "unknown_sender").await;
    assert_eq!(host.open().await, []);
    // Somebody else is not refused with them.
    host.declined(asked("bob", "m4"), "awaits_approval").await;
    assert_eq!(host.cards("olga", 2).await.len(), 2);

    host.advance(Duration::from_hours(2));
    host.declined(asked("eve", "m5"), "awaits_approval").await;
    assert_eq!(host.cards("olga", 3).await.len(), 3);
    assert_eq!(host.seen(&group()).last().unwrap(), NOT_KNOWN);
}

#[tokio::test]
async fn no_more_messages_wait_than_may_and_the_next_is_told() {
    let (host, card) = eve_waits().await;
    for number in 2..=50 {
        let event = asked("eve", &format!("m{number}"));
        host.declined(event, "awaits_approval").await;
    }
    host.declined(asked("eve", "m51"), "awaits_approval").await;
    let seen = host.until_seen(&group(), 2).await;
    let full = "host: Too many messages wait for a decision here; this one is not kept. Please \
                send it again later.";
    assert_eq!(seen, [NOT_KNOWN, full]);
    assert_eq!(host.choose("olga", card, 0).await, taken(LET_IN));
    let kept: Vec<String> = (1..=50).map(|number| format!("m{number}")).collect();
    assert_eq!(host.in_file(host.session().await).await, kept);
}

#[tokio::test]
async fn defect_22_a_request_that_can_not_be_stored_acknowledges_nothing() {
    for table in ["approvals", "held_events", "deliveries", "events"] {
        let host = Host::new(&gated()).await;
        host.grant("olga", Role::Owner).await;
        host.break_table("INSERT", table).await;
        let failed = host.hand_over(asked("eve", "m1")).await;
        assert!(
            matches!(failed, Err(IntakeError::Unavailable(_))),
            "{table}: {failed:?}"
        );
        let (channel, chat, id) = (one(), chat("g"), platform_id("m1"));
        let seen = host.store().event_seen(&channel, &chat, &id).await.unwrap();
        assert!(!seen, "{table}");
        host.mend_table().await;

        // The platform offers it again, and everybody hears of it.
        host.declined(asked("eve", "m1"), "awaits_approval").await;
        let card = host.card("olga").await;
        assert_eq!(host.until_seen(&group(), 1).await[0], NOT_KNOWN, "{table}");
        assert_eq!(host.open().await, [card.id], "{table}");
        let cards = "SELECT count(*) FROM deliveries WHERE kind = 'ask'";
        assert_eq!(host.count(cards), 1, "{table}");
        assert_eq!(host.choose("olga", card.id, 0).await, taken(LET_IN));
        assert_eq!(host.in_file(host.session().await).await, ["m1"], "{table}");
    }
}

#[tokio::test]
async fn defect_42_a_card_that_comes_to_nobody_blocks_no_later_one() {
    let failure = || ChannelError::Permanent {
        reason: "scripted".to_owned(),
    };
    // Nobody can be reached.
    let host = Host::new(&gated()).await;
    host.grant("olga", Role::Owner).await;
    host.platform().fail_direct(failure());
    host.declined(asked("eve", "m1"), "awaits_approval").await;
    assert_eq!(host.open().await.len(), 1);
    assert_eq!(
        host.count("SELECT count(*) FROM deliveries WHERE kind = 'ask'"),
        0
    );
    host.declined(asked("eve", "m2"), "awaits_approval").await;
    let card = host.card("olga").await;
    assert_eq!(host.choose("olga", card.id, 0).await, taken(LET_IN));
    assert_eq!(host.in_file(host.session().await).await, ["m1", "m2"]);

    // The card, as everything else, is refused by the platform.
    let host = Host::new(&gated()).await;
    host.grant("olga", Role::Owner).await;
    for _ in ["the notice", "the card"] {
        host.platform().script(Scripted::Fail(failure()));
    }
    host.declined(asked("eve", "m1"), "awaits_approval").await;
    until("both are given up", async || {
        let failed = host.store().failed_deliveries(10).await.unwrap();
        (failed.len() == 2).then_some(())
    })
    .await;
    host.declined(asked("eve", "m2"), "awaits_approval").await;
    let card = host.card("olga").await;
    assert_eq!(host.open().await, [card.id]);
    host.declined(asked("eve", "m3"), "awaits_approval").await;
    assert_eq!(host.choose("olga", card.id, 0).await, taken(LET_IN));
    assert_eq!(host.in_file(host.session().await).await, ["m1", "m2", "m3"]);
    assert_eq!(host.platform().asked(&dm("olga")).len(), 1);
}

#[tokio::test]
async fn defect_42_a_request_expires_and_can_be_made_anew() {
    let (host, card) = eve_waits().await;
    host.advance(Duration::from_hours(24) - Duration::from_secs(1));
    host.chores().await;
    assert_eq!(host.open().await, [card]);
    host.advance(Duration::from_secs(1));
    let over = refused("The time to decide this is over.");
    assert_eq!(host.choose("olga", card, 0).await, over);
    host.chores().await;
    host.chores().await;
    let seen = host.until_seen(&group(), 2).await;
    assert_eq!(seen, [NOT_KNOWN, NOBODY]);
    assert_eq!(host.choose("olga", card, 0).await, over);
    assert_eq!(host.count("SELECT count(*) FROM held_events"), 0);

    host.declined(asked("eve", "m2"), "awaits_approval").await;
    let cards = host.cards("olga", 2).await;
    assert_eq!(host.choose("olga", cards[1].id, 0).await, taken(LET_IN));
    assert_eq!(host.in_file(host.session().await).await, ["m2"]);
}

#[tokio::test]
async fn defect_45_two_messages_at_once_are_one_request() {
    let mut host = Host::new(&gated()).await;
    host.grant("olga", Role::Owner).await;
    let (first, second) = tokio::join!(
        host.hand_over(asked("eve", "m1")),
        host.hand_over(asked("eve", "m2")),
    );
    let waits = Accepted::Declined("awaits_approval".to_owned());
    assert_eq!((first.unwrap(), second.unwrap()), (waits.clone(), waits));
    assert_eq!(host.open().await.len(), 1);
    assert_eq!(
        host.count("SELECT count(*) FROM deliveries WHERE kind = 'ask'"),
        1
    );
    assert_eq!(host.until_seen(&group(), 1).await, [NOT_KNOWN]);
    let held = host.store().held_events(host.open().await[0], 10).await;
    let order: Vec<_> = held
        .unwrap()
        .iter()
        .map(|held| held.message_id.to_string())
        .collect();
    let card = host.card("olga").await;
    assert_eq!(host.choose("olga", card.id, 0).await, taken(LET_IN));
    assert_eq!(host.in_file(host.session().await).await, order);
    assert_eq!(host.enter().await.texts().len(), 2);
    assert_eq!(host.seen(&group()), [NOT_KNOWN]);
}

/// Somebody who was let in to one agent is asked about again when another would answer.
#[tokio::test]
async fn what_waited_and_needs_another_decision_waits_for_that_one() {
    let config = people::both_hear(
        "request_approval",
        "engage = { pattern = \"help\" }",
        "engage = { pattern = \"second\" }",
    );
    let host = Host::new(&config).await;
    host.grant("olga", Role::Owner).await;
    let both = saying("help or second", asked("eve", "m2"));
    host.declined(saying("help", asked("eve", "m1")), "awaits_approval")
        .await;
    host.declined(both, "awaits_approval").await;
    let card = host.card("olga").await;
    assert_eq!(host.choose("olga", card.id, 0).await, taken(LET_IN));
    assert_eq!(
        host.in_file(host.session_of("helper").await).await,
        ["m1", "m2"]
    );
    let cards = host.cards("olga", 2).await;
    assert_eq!(host.choose("olga", cards[1].id, 0).await, taken(LET_IN));
    assert_eq!(
        host.in_file(host.session_of("helper").await).await,
        ["m1", "m2"]
    );
    assert_eq!(host.in_file(host.session_of("second").await).await, ["m2"]);
}

#[tokio::test]
async fn an_unheard_conversation_leaves_no_trace_until_the_bot_is_addressed() {
    let host = Host::new(UNHEARD).await;
    host.grant("olga", Role::Owner).await;
    let users = host.count("SELECT count(*) FROM users");
    host.declined(said("eve", "m1"), "not_wired").await;
    host.declined(said("eve", "m2"), "not_wired").await;
    let again = host.hand_over(said("eve", "m2")).await.unwrap();
    assert_eq!(again, Accepted::Duplicate);
    assert_eq!(host.count("SELECT count(*) FROM conversations"), 0);
    assert_eq!(host.count("SELECT count(*) FROM users"), users);
    assert_eq!(host.open().await, []);
    assert_eq!(host.seen(&group()), Vec::<String>::new());
    assert_eq!(host.dropped().await, ["eve not_wired 2"]);
}

#[tokio::test]
async fn an_unheard_conversation_is_connected_by_an_owner_and_what_waited_is_answered() {
    let mut host = Host::new(UNHEARD).await;
    host.grant("olga", Role::Owner).await;
    host.declined(asked("eve", "m1"), "awaits_wiring").await;
    host.declined(asked("eve", "m2"), "awaits_wiring").await;
    host.declined(said("eve", "m3"), "not_wired").await;
    assert_eq!(host.until_seen(&group(), 1).await, [NOT_WIRED]);
    let card = host.card("olga").await;
    assert_eq!(card.title, "Connect a conversation?");
    assert_eq!(
        card.options,
        ["Connect helper", "Make a new agent", "Decline"]
    );
    // An admin of the agent may not: it is about whom the installation hears.
    let helper = host.agent("helper").await.id;
    host.grant("gus", Role::GroupAdmin(helper)).await;
    assert_eq!(host.choose("gus", card.id, 0).await, refused(NOT_YOURS));
    assert_eq!(host.choose("olga", card.id, 0).await, taken(CONNECTED));
    assert!(host.knows("eve", helper).await);
    assert_eq!(host.in_file(host.session().await).await, ["m1", "m2"]);
    host.enter().await.answer();
    let seen = host.until_seen(&group(), 3).await;
    assert_eq!(seen[1..], ["agent: re text of m1", "agent: re text of m2"]);
    assert_eq!(host.platform().asked(&dm("olga")).len(), 1);
}

#[tokio::test]
async fn a_refused_conversation_is_not_asked_about_again() {
    let host = Host::new(UNHEARD).await;
    host.grant("olga", Role::Owner).await;
    host.declined(asked("eve", "m1"), "awaits_wiring").await;
    let card = host.card("olga").await;
    assert_eq!(host.choose("olga", card.id, 2).await, taken("Refused."));
    assert_eq!(host.until_seen(&group(), 2).await, [NOT_WIRED, REFUSED]);
    host.advance(Duration::from_hours(30 * 24));
    for (who, id) in [("eve", "m2"), ("bob", "m3")] {
        host.declined(asked(who, id), "conversation_refused").await;
    }
    assert_eq!(host.open().await, []);
    assert_eq!(host.seen(&group()).len(), 2);
    assert_eq!(host.platform().asked(&dm("olga")).len(), 1);
    assert_eq!(host.count("SELECT count(*) FROM wirings"), 0);
    // Other conversations are asked about as before.
    let elsewhere = InboundEvent {
        address: address("h"),
        ..asked("eve", "m4")
    };
    host.declined(elsewhere, "awaits_wiring").await;
}

#[tokio::test]
async fn without_an_owner_the_operator_decides() {
    let host = Host::new(UNHEARD).await;
    host.declined(asked("eve", "m1"), "awaits_wiring").await;
    assert_eq!(host.until_seen(&group(), 1).await, [NOBODY_THERE]);
    let open = host.open().await;
    assert_eq!(open.len(), 1);
    assert_eq!(
        host.count("SELECT count(*) FROM deliveries WHERE kind = 'ask'"),
        0
    );
    let helper = host.agent("helper").await.id;
    let ingest = &host.graph.ingest;
    let connect = Pick::Connect(helper);
    let done = ingest.decide_as_operator(open[0], &connect).await.unwrap();
    assert_eq!(done, Some(taken(CONNECTED)));
    assert_eq!(host.in_file(host.session().await).await, ["m1"]);
    let again = ingest.decide_as_operator(open[0], &Pick::Reject).await;
    assert_eq!(again.unwrap(), Some(refused("This was approved already.")));
}

#[tokio::test]
async fn a_conversation_that_is_wired_meanwhile_needs_no_decision() {
    let host = Host::new(UNHEARD).await;
    host.grant("olga", Role::Owner).await;
    host.declined(asked("eve", "m1"), "awaits_wiring").await;
    let card = host.card("olga").await;
    host.reconfigure(&heard("public", "")).await;
    host.chores().await;
    assert_eq!(host.in_file(host.session().await).await, ["m1"]);
    assert_eq!(host.open().await, []);
    let late = refused("This was approved already.");
    assert_eq!(host.choose("olga", card.id, 1).await, late);
}

#[tokio::test]
async fn who_waited_for_a_conversation_that_hears_no_strangers_is_asked_about_then() {
    let host =
        Host::new(&UNHEARD.replace("\"cli\"", "\"cli\"\nunknown_senders = \"request_approval\""))
            .await;
    host.grant("olga", Role::Owner).await;
    host.declined(asked("eve", "m1"), "awaits_wiring").await;
    host.card("olga").await;
    host.reconfigure(&gated()).await;
    host.chores().await;
    let cards = host.cards("olga", 2).await;
    assert_eq!(cards[1].title, "Let somebody in?");
    assert_eq!(host.until_seen(&group(), 2).await, [NOT_WIRED, NOT_KNOWN]);
    assert_eq!(host.choose("olga", cards[1].id, 0).await, taken(LET_IN));
    assert_eq!(host.in_file(host.session().await).await, ["m1"]);
}

#[tokio::test]
async fn a_new_agent_is_made_once_however_often_it_is_carried_out() {
    let host = Host::new(UNHEARD).await;
    host.grant("olga", Role::Owner).await;
    host.declined(asked("eve", "m1"), "awaits_wiring").await;
    let card = host.card("olga").await;
    assert_eq!(host.choose("olga", card.id, 1).await, taken(CONNECTED));
    let made = host.agent("g").await;
    for _ in 0..2 {
        host.tamper("UPDATE approvals SET carried_out_at = NULL")
            .await;
        host.chores().await;
    }
    let carried_out = "SELECT count(*) FROM approvals WHERE carried_out_at IS NOT NULL";
    assert_eq!(host.count(carried_out), 1);
    assert_eq!(host.store().groups().await.unwrap().len(), 2);
    let wirings = host.store().wirings_for(&one(), &chat("g")).await.unwrap();
    assert_eq!(wirings.len(), 1);
    assert_eq!(wirings[0].agent_group, made.id);
    assert_eq!(host.in_file(host.session_of("g").await).await, ["m1"]);
}

/// Chats are called as people and platforms like; folders are not.
#[tokio::test]
async fn a_new_agent_has_a_safe_folder_of_its_own_whatever_the_chat_is_called() {
    let host = Host::new("[channels.one]\ntype = \"cli\"\n").await;
    host.grant("olga", Role::Owner).await;
    let long = "x".repeat(200);
    let chats = [
        "../../etc",
        "!!!",
        "global",
        "Team A",
        "team-a",
        "日本",
        &long,
        "-",
    ];
    for (number, name) in chats.into_iter().enumerate() {
        let event = InboundEvent {
            address: address(name),
            ..asked("eve", &format!("m{number}"))
        };
        host.declined(event, "awaits_wiring").await;
        let card = host.cards("olga", number + 1).await.remove(number);
        let new = card.options.len() - 2;
        assert_eq!(
            card.options[new..],
            ["Make a new agent", "Decline"],
            "{name}"
        );
        assert_eq!(host.choose("olga", card.id, new).await, taken(CONNECTED));
    }
    let groups = host.store().groups().await.unwrap();
    let folders: BTreeSet<&str> = groups.iter().map(|group| group.folder.as_str()).collect();
    assert_eq!(folders.len(), chats.len(), "{folders:?}");
    for folder in folders {
        let safe = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(folder.chars().all(safe) && folder.len() <= 64, "{folder}");
    }
    assert_eq!(host.sessions().await.len(), chats.len());
}

/// An owner connects a conversation of this kind; by which rules it is heard then.
async fn check_connected(
    caps: ChannelCaps,
    event: InboundEvent,
    expect: (EngageMode, Option<&str>),
) {
    let host = Bench::with_caps(UNHEARD, caps).start().await;
    host.grant("olga", Role::Owner).await;
    let address = event.address.clone();
    host.declined(event, "awaits_wiring").await;
    let card = host.card("olga").await;
    assert_eq!(host.choose("olga", card.id, 0).await, taken(CONNECTED));
    let store = host.store();
    let wirings = store.wirings_for(&address.channel, &address.chat).await;
    let wirings = wirings.unwrap();
    assert_eq!(wirings.len(), 1, "{expect:?}");
    let wired = &wirings[0];
    assert_eq!((wired.engage, wired.pattern.as_deref()), expect);
    let rest = (wired.sender_scope, wired.ignored);
    assert_eq!(rest, (SenderScope::Known, IgnoredPolicy::Accumulate));
}

#[tokio::test]
async fn defect_28_a_connected_group_is_not_answered_always() {
    let mention = (EngageMode::Mention, None);
    let sticky = (EngageMode::MentionSticky, None);
    let always = (EngageMode::Pattern, Some("."));
    check_connected(quiet_caps(), asked("eve", "m1"), mention).await;
    check_connected(threaded(), asked("eve", "m1"), sticky).await;
    check_connected(quiet_caps(), direct("eve", "m1"), always).await;
    check_connected(threaded(), direct("eve", "m1"), always).await;
}

/// Between a decision and its carrying out, whoever decided loses the right to.
#[tokio::test]
async fn who_has_lost_the_right_has_decided_nothing() {
    let (host, card) = eve_waits().await;
    let ada = host.grant("ada", Role::Admin).await;
    only_decide(&host, card, Pick::Approve, Some(ada)).await;
    host.store().revoke_role(ada, Role::Admin).await.unwrap();
    host.chores().await;
    host.chores().await;
    assert!(!host.knows("eve", host.agent("helper").await.id).await);
    assert_eq!(host.sessions().await, []);
    assert_eq!(host.until_seen(&group(), 2).await, [NOT_KNOWN, NOT_DONE]);
    assert_eq!(host.count("SELECT count(*) FROM held_events"), 0);
    // It can be asked for anew.
    host.declined(asked("eve", "m2"), "awaits_approval").await;
    let cards = host.cards("olga", 2).await;
    assert_eq!(host.choose("olga", cards[1].id, 0).await, taken(LET_IN));
    assert_eq!(host.in_file(host.session().await).await, ["m2"]);
}

/// The agent of a session asks to let `zoe` talk to it; its sandbox has nothing else to do.
async fn agent_asks(host: &mut Host) -> (Inside, QuestionId) {
    host.stored("m1").await;
    let mut inside = host.enter().await;
    inside.answer();
    host.until_status(2, MessageStatus::Done).await;
    host.until_seen(&address("c"), 1).await;
    let (helper, zoe) = (host.agent("helper").await.id, host.user("zoe").await);
    let act = Act::AddMember {
        user: zoe,
        group: helper,
    };
    let (id, now) = (question_id(1), host.graph.base.now());
    let session = host.store().session(inside.id.session).await.unwrap();
    let wanted = NewApproval {
        id,
        act: &act,
        title: "Approve a change?".to_owned(),
        options: vec![Choice {
            label: "Approve".to_owned(),
            pick: Pick::Approve,
        }],
        conversation: session.unwrap().session.key.conversation,
        group: Some(helper),
        session: Some(inside.id.session),
        requested_by: None,
        requesting_group: Some(helper),
        expires_at: now.checked_add(Duration::from_hours(1)).unwrap(),
    };
    host.store().open_approval(&wanted, now).await.unwrap();
    (inside, id)
}

/// What becomes of an agent's request is told to the agent, and to nobody in its conversation.
async fn check_agent_told(host: &Host, inside: &mut Inside, id: QuestionId, outcome: &str) {
    host.chores().await;
    host.chores().await;
    let told = format!("note: Your request {} (add_member): {outcome}", id.code());
    assert_eq!(inside.texts(), [told]);
    assert_eq!(host.seen(&address("c")), ["agent: re text of m1"]);
    let sent = "SELECT count(*) FROM deliveries WHERE origin = 'host'";
    assert_eq!(host.count(sent), 0);
}

#[tokio::test]
async fn an_agent_hears_that_its_request_was_approved_by_somebody_who_may_not_any_more() {
    let mut host = Host::new(PLAIN).await;
    let (mut inside, id) = agent_asks(&mut host).await;
    let ada = host.grant("ada", Role::Admin).await;
    only_decide(&host, id, Pick::Approve, Some(ada)).await;
    host.store().revoke_role(ada, Role::Admin).await.unwrap();
    let outcome = "It can't be carried out: who approved it may not decide this any more.";
    check_agent_told(&host, &mut inside, id, outcome).await;
    assert!(!host.knows("zoe", host.agent("helper").await.id).await);
}

#[tokio::test]
async fn an_agent_hears_what_became_of_its_request() {
    let mut host = Host::new(PLAIN).await;
    let (mut inside, id) = agent_asks(&mut host).await;
    let decided = host.graph.ingest.decide_as_operator(id, &Pick::Reject);
    assert_eq!(decided.await.unwrap(), Some(taken("Refused.")));
    check_agent_told(&host, &mut inside, id, "It was refused.").await;

    let mut host = Host::new(PLAIN).await;
    let (mut inside, id) = agent_asks(&mut host).await;
    host.advance(Duration::from_hours(1));
    check_agent_told(&host, &mut inside, id, "Nobody decided in time.").await;

    let mut host = Host::new(PLAIN).await;
    let (mut inside, id) = agent_asks(&mut host).await;
    let decided = host.graph.ingest.decide_as_operator(id, &Pick::Approve);
    let done = "The person can talk to the agent now.";
    assert_eq!(decided.await.unwrap(), Some(taken(done)));
    check_agent_told(&host, &mut inside, id, done).await;
    assert!(host.knows("zoe", host.agent("helper").await.id).await);
}

#[tokio::test]
async fn an_act_that_was_changed_is_never_carried_out() {
    let change = |host: &Host, zoe: UserId, eve: UserId| {
        let changed = format!("UPDATE approvals SET payload = replace(payload, '{eve}', '{zoe}')");
        let central = sql(&host.graph.base.dirs.database());
        assert_eq!(central.execute(&changed, []).unwrap(), 1);
    };
    // After the decision.
    let (host, card) = eve_waits().await;
    let (eve, zoe) = (host.user("eve").await, host.user("zoe").await);
    let olga = host.user("olga").await;
    only_decide(&host, card, Pick::Approve, Some(olga)).await;
    change(&host, zoe, eve);
    host.chores().await;
    let helper = host.agent("helper").await.id;
    assert!(!host.knows("zoe", helper).await && !host.knows("eve", helper).await);
    let expired = "SELECT count(*) FROM approvals WHERE status = 'expired'";
    assert_eq!(host.count(expired), 1);

    // Before it: the click is settled, too.
    let (host, card) = eve_waits().await;
    let (eve, zoe) = (host.user("eve").await, host.user("zoe").await);
    change(&host, zoe, eve);
    host.platform().click(choice("olga", card, 0));
    assert!(host.platform().until_answered(LIMIT, 1).await);
    let why = "This request was changed after it was asked for, so it does not count.";
    assert_eq!(host.platform().answered()[0].1, refused(why));
    let helper = host.agent("helper").await.id;
    assert!(!host.knows("zoe", helper).await && !host.knows("eve", helper).await);
    assert_eq!(host.count(expired), 1);
    // The next message is asked about anew.
    host.declined(asked("eve", "m2"), "awaits_approval").await;
    assert_eq!(host.cards("olga", 2).await.len(), 2);
}

#[tokio::test]
async fn what_was_approved_is_carried_out_by_the_next_host() {
    let (host, card) = eve_waits().await;
    host.declined(asked("eve", "m2"), "awaits_approval").await;
    let olga = host.user("olga").await;
    only_decide(&host, card, Pick::Approve, Some(olga)).await;
    let mut host = host.stop().await.start().await;
    let mut inside = host.enter().await;
    assert!(host.knows("eve", host.agent("helper").await.id).await);
    until("both have come", async || {
        (host.in_file(inside.id.session).await == ["m1", "m2"]).then_some(())
    })
    .await;
    inside.answer();
    until("it is carried out", async || {
        let done = "SELECT count(*) FROM approvals WHERE carried_out_at IS NOT NULL";
        (host.count(done) == 1).then_some(())
    })
    .await;
    assert_eq!(host.in_file(inside.id.session).await, ["m1", "m2"]);
    assert_eq!(host.platform().asked(&dm("olga")).len(), 1);
}

#[tokio::test]
async fn what_waits_for_a_decision_waits_through_a_restart() {
    let (host, card) = eve_waits().await;
    let host = host.stop().await.start().await;
    assert_eq!(host.choose("olga", card, 0).await, taken(LET_IN));
    assert_eq!(host.in_file(host.session().await).await, ["m1"]);
}

/// Where there are no buttons, whoever is asked answers in words, also where no agent hears them.
#[tokio::test]
async fn a_decision_can_be_written_where_no_agent_hears_it() {
    let caps = ChannelCaps {
        questions: Questions::Text,
        ..quiet_caps()
    };
    let host = Bench::with_caps(UNHEARD, caps).start().await;
    host.grant("olga", Role::Owner).await;
    host.declined(asked("eve", "m1"), "awaits_wiring").await;
    let id = host.open().await[0];
    let card = host.until_seen(&dm("olga"), 1).await.remove(0);
    assert!(card.ends_with(&format!("`/answer {} 1`, or another number.", id.code())));
    let none = saying("/answer 000000 1", direct("olga", "a1"));
    assert_eq!(
        host.tell(none).await,
        "host: There is no open question with that code; it may have been answered already."
    );
    let answer = saying(&format!("/answer {} 1", id.code()), direct("olga", "a2"));
    assert_eq!(host.tell(answer).await, format!("host: {CONNECTED}"));
    assert_eq!(host.in_file(host.session().await).await, ["m1"]);
    assert_eq!(host.open().await, []);
    assert_eq!(host.count("SELECT count(*) FROM approvals"), 1);
}

/// Whoever decides in words has to be where they could read what they decide.
#[tokio::test]
async fn a_decision_in_words_counts_only_where_its_card_is() {
    let (host, card) = eve_waits().await;
    let words = format!("/answer {} 1", card.code());
    let told = host.tell(saying(&words, asked("olga", "a1"))).await;
    assert_eq!(
        told,
        "host: This is decided where its card is: in the chat it was sent to, or by the operator."
    );
    assert_eq!(host.open().await, [card]);
    let told = host.tell(saying(&words, direct("olga", "a2"))).await;
    assert_eq!(told, format!("host: {LET_IN}"));
    assert_eq!(host.open().await, []);
}
