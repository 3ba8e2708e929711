use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::{
    address::Address,
    entity::ManagedBy,
    ids::{ChannelName, ConversationId, Handle, PlatformMessageId, ThreadId, WiringId},
    inbound::{Sender, What},
};

const AGENT: [u8; 10] = [1; 10];
const OTHER: [u8; 10] = [2; 10];

fn agent(random: [u8; 10]) -> AgentGroupId {
    AgentGroupId::mint(Timestamp::UNIX_EPOCH, random)
}

fn chat(text: &str) -> ChatId {
    ChatId::parse(text).unwrap()
}

fn event() -> InboundEvent {
    InboundEvent {
        address: Address {
            channel: ChannelName::parse("room").unwrap(),
            chat: chat("c1"),
            thread: Some(ThreadId::parse("t1").unwrap()),
        },
        message_id: PlatformMessageId::parse("m1").unwrap(),
        what: What::Message,
        sender: Sender {
            handle: Handle::parse("u1").unwrap(),
            name: None,
        },
        chat_kind: ChatKind::Group,
        addressed: false,
        sent_at: Timestamp::UNIX_EPOCH,
        text: "deploy the thing".to_owned(),
        reply_to: None,
        attachments: Vec::new(),
    }
}

fn conversation() -> Conversation {
    Conversation {
        id: ConversationId::mint(Timestamp::UNIX_EPOCH, [3; 10]),
        channel: ChannelName::parse("room").unwrap(),
        chat: chat("c1"),
        kind: ChatKind::Group,
        unknown_senders: UnknownSenderPolicy::Strict,
    }
}

fn wiring(random: [u8; 10], wired: Option<&str>) -> Wiring {
    Wiring {
        id: WiringId::mint(Timestamp::UNIX_EPOCH, [4; 10]),
        channel: ChannelName::parse("room").unwrap(),
        chat: wired.map(chat),
        agent_group: agent(random),
        engage: EngageMode::Pattern,
        pattern: Some(".".to_owned()),
        sender_scope: SenderScope::All,
        ignored: IgnoredPolicy::Drop,
        session_mode: SessionMode::Shared,
        managed_by: ManagedBy::File,
    }
}

struct Case {
    event: InboundEvent,
    conversation: Conversation,
    wiring: Wiring,
    facts: Facts,
}

fn check(change: impl FnOnce(&mut Case), expect: impl FnOnce(&Case) -> Decision) {
    let mut case = Case {
        event: event(),
        conversation: conversation(),
        wiring: wiring(AGENT, Some("c1")),
        facts: Facts {
            sender_known: true,
            subscribed: false,
            threads: true,
        },
    };
    change(&mut case);
    let decision = route(
        &case.event,
        &case.conversation,
        &case.wiring,
        case.facts,
        &Patterns::default(),
    );
    assert_eq!(decision, expect(&case));
}

fn key(case: &Case) -> SessionKey {
    SessionKey {
        agent_group: case.wiring.agent_group,
        conversation: Some(case.conversation.id),
        thread: None,
    }
}

fn wakes(case: &Case) -> Decision {
    Decision::Wake {
        session: key(case),
        subscribe: false,
    }
}

fn declines(reason: Reason) -> impl FnOnce(&Case) -> Decision {
    move |_| Decision::Decline(reason)
}

#[test]
fn a_pattern_engages_where_it_matches() {
    check(|_| {}, wakes);
    check(|c| c.wiring.pattern = Some("^deploy\\b".to_owned()), wakes);
    check(
        |c| c.wiring.pattern = Some("^Deploy".to_owned()),
        declines(Reason::NotEngaged),
    );
}

#[test]
fn a_pattern_that_can_not_be_used_never_fails_open() {
    for bad in [
        Some("(".to_owned()),
        None,
        Some("a".repeat(PATTERN_LIMIT_BYTES + 1)),
    ] {
        check(|c| c.wiring.pattern = bad, declines(Reason::BadPattern));
    }
}

#[test]
fn a_mention_engages_when_the_platform_confirms_it() {
    check(
        |c| c.wiring.engage = EngageMode::Mention,
        declines(Reason::NotEngaged),
    );
    check(
        |c| {
            c.wiring.engage = EngageMode::Mention;
            c.event.addressed = true;
        },
        wakes,
    );
}

#[test]
fn a_sticky_mention_subscribes_once_and_then_hears_everything() {
    let sticky = |c: &mut Case| c.wiring.engage = EngageMode::MentionSticky;
    check(sticky, declines(Reason::NotEngaged));
    check(
        |c| {
            sticky(c);
            c.event.addressed = true;
        },
        |c| Decision::Wake {
            session: key(c),
            subscribe: true,
        },
    );
    check(
        |c| {
            sticky(c);
            c.facts.subscribed = true;
        },
        wakes,
    );
}

#[test]
fn what_does_not_engage_is_context_only_where_the_wiring_keeps_it() {
    check(
        |c| {
            c.wiring.engage = EngageMode::Mention;
            c.wiring.ignored = IgnoredPolicy::Accumulate;
        },
        |c| Decision::Keep(key(c)),
    );
}

#[test]
fn a_reaction_is_context_and_wakes_nobody() {
    let reaction = |c: &mut Case| {
        c.event.text = "👍".to_owned();
        c.event.what = What::Reaction {
            to: c.event.message_id.clone(),
        };
        c.wiring.engage = EngageMode::Mention;
        c.event.addressed = true;
    };
    check(reaction, |c| Decision::Keep(key(c)));
    check(
        |c| {
            reaction(c);
            c.event.addressed = false;
        },
        declines(Reason::NotEngaged),
    );
    // Nobody is asked to let somebody in over a thumb.
    check(
        |c| {
            reaction(c);
            c.facts.sender_known = false;
            c.conversation.unknown_senders = UnknownSenderPolicy::RequestApproval;
        },
        declines(Reason::UnknownSender),
    );
    let (wiring, facts) = (
        wiring(AGENT, None),
        Facts {
            sender_known: true,
            subscribed: false,
            threads: false,
        },
    );
    let key = SessionKey {
        agent_group: agent(AGENT),
        conversation: None,
        thread: None,
    };
    assert_eq!(
        rule(&wiring, facts, true, &Decision::Keep(key)),
        "a reaction wakes nobody, and is kept as context"
    );
}

#[test]
fn an_edit_is_heard_as_a_message_is() {
    let edit = |c: &mut Case| {
        c.event.what = What::Edit {
            of: c.event.message_id.clone(),
        };
    };
    check(edit, wakes);
    check(
        |c| {
            edit(c);
            c.wiring.engage = EngageMode::Mention;
        },
        declines(Reason::NotEngaged),
    );
}

#[test]
fn what_access_refuses_is_not_even_context() {
    let stranger = |c: &mut Case| {
        c.facts.sender_known = false;
        c.wiring.ignored = IgnoredPolicy::Accumulate;
    };
    check(stranger, declines(Reason::UnknownSender));
    check(
        |c| {
            stranger(c);
            c.conversation.unknown_senders = UnknownSenderPolicy::RequestApproval;
        },
        declines(Reason::AwaitsApproval),
    );
    check(
        |c| {
            stranger(c);
            c.conversation.unknown_senders = UnknownSenderPolicy::RequestApproval;
            c.wiring.engage = EngageMode::Mention;
        },
        declines(Reason::UnknownSender),
    );
    check(
        |c| {
            stranger(c);
            c.conversation.unknown_senders = UnknownSenderPolicy::Public;
            c.wiring.sender_scope = SenderScope::Known;
        },
        declines(Reason::OutOfScope),
    );
    check(
        |c| {
            stranger(c);
            c.conversation.unknown_senders = UnknownSenderPolicy::Public;
        },
        wakes,
    );
}

#[test]
fn threads_split_sessions_only_in_groups_on_channels_that_have_them() {
    let per_thread = |c: &mut Case| c.wiring.session_mode = SessionMode::PerThread;
    check(per_thread, |c| Decision::Wake {
        session: SessionKey {
            thread: c.event.address.thread.clone(),
            ..key(c)
        },
        subscribe: false,
    });
    check(
        |c| {
            per_thread(c);
            c.event.chat_kind = ChatKind::Direct;
        },
        wakes,
    );
    check(
        |c| {
            per_thread(c);
            c.facts.threads = false;
        },
        wakes,
    );
    check(
        |c| c.wiring.session_mode = SessionMode::AgentShared,
        |c| Decision::Wake {
            session: SessionKey {
                conversation: None,
                thread: None,
                ..key(c)
            },
            subscribe: false,
        },
    );
}

#[test]
fn a_wiring_of_the_chat_itself_replaces_the_instance_wide_one_of_the_same_agent() {
    let wirings = [
        wiring(AGENT, None),
        wiring(OTHER, None),
        wiring(AGENT, Some("c1")),
        wiring(OTHER, Some("c2")),
    ];
    let heard = |text: &str| {
        applicable(&wirings, &chat(text))
            .iter()
            .map(|w| (w.agent_group, w.chat.is_some()))
            .collect::<Vec<_>>()
    };
    assert_eq!(heard("c1"), [(agent(OTHER), false), (agent(AGENT), true)]);
    assert_eq!(heard("c2"), [(agent(AGENT), false), (agent(OTHER), true)]);
    assert_eq!(heard("c3"), [(agent(AGENT), false), (agent(OTHER), false)]);
}

/// Random wirings of three agents over few chats and threads, so that they overlap often.
fn any_wiring() -> impl Strategy<Value = Wiring> {
    (
        1_u8..4,
        prop::option::of(0_u8..3),
        prop::sample::select(EngageMode::ALL),
        prop::sample::select(vec![None, Some("."), Some("a"), Some("(")]),
        prop::sample::select(SenderScope::ALL),
        prop::sample::select(IgnoredPolicy::ALL),
        prop::sample::select(SessionMode::ALL),
    )
        .prop_map(
            |(agent, wired, engage, pattern, scope, ignored, mode)| Wiring {
                engage,
                pattern: pattern.map(str::to_owned),
                sender_scope: scope,
                ignored,
                session_mode: mode,
                ..wiring([agent; 10], wired.map(|n| format!("c{n}")).as_deref())
            },
        )
}

fn any_event() -> impl Strategy<Value = InboundEvent> {
    (
        0_u8..3,
        prop::option::of(0_u8..2),
        any::<bool>(),
        any::<bool>(),
        "[ab ]{0,4}",
    )
        .prop_map(|(wired, thread, addressed, direct, text)| {
            let mut event = event();
            event.address.chat = chat(&format!("c{wired}"));
            event.address.thread = thread.map(|n| ThreadId::parse(&format!("t{n}")).unwrap());
            event.addressed = addressed;
            event.chat_kind = if direct {
                ChatKind::Direct
            } else {
                ChatKind::Group
            };
            event.text = text;
            event
        })
}

proptest! {
    /// Whatever the table and the event, a message reaches only sessions of agents that are wired to
    /// its chat, of its own conversation or the agent's shared one, and nobody hears a stranger whom
    /// the conversation or the wiring does not let in.
    #[test]
    fn no_message_reaches_a_session_that_the_wirings_do_not_allow(
        wirings in prop::collection::vec(any_wiring(), 0..8),
        event in any_event(),
        policy in prop::sample::select(UnknownSenderPolicy::ALL),
        sender_known in any::<bool>(),
        subscribed in any::<bool>(),
        threads in any::<bool>(),
    ) {
        let mut conversation = conversation();
        conversation.chat = event.address.chat.clone();
        conversation.kind = event.chat_kind;
        conversation.unknown_senders = policy;
        let facts = Facts { sender_known, subscribed, threads };
        let patterns = Patterns::default();
        for wiring in applicable(&wirings, &event.address.chat) {
            let (session, wakes) = match route(&event, &conversation, wiring, facts, &patterns) {
                Decision::Decline(_) => continue,
                Decision::Keep(session) => (session, false),
                Decision::Wake { session, subscribe } => {
                    prop_assert!(!subscribe || event.addressed);
                    (session, true)
                }
            };
            prop_assert!(wiring.chat.as_ref().is_none_or(|wired| *wired == event.address.chat));
            prop_assert_eq!(session.agent_group, wiring.agent_group);
            prop_assert!(sender_known || policy == UnknownSenderPolicy::Public);
            prop_assert!(sender_known || wiring.sender_scope == SenderScope::All);
            prop_assert!(wakes || wiring.ignored == IgnoredPolicy::Accumulate);
            match wiring.session_mode {
                SessionMode::AgentShared => {
                    prop_assert_eq!((session.conversation, session.thread), (None, None));
                }
                SessionMode::Shared | SessionMode::PerThread => {
                    prop_assert_eq!(session.conversation, Some(conversation.id));
                    let splits = wiring.session_mode == SessionMode::PerThread
                        && threads
                        && event.chat_kind == ChatKind::Group;
                    let thread = splits.then(|| event.address.thread.clone()).flatten();
                    prop_assert_eq!(session.thread, thread);
                }
            }
        }
    }
}
