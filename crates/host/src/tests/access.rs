//! Who is heard: strangers, known people, and what is left behind of those who are not.

use anchorhold_core::{access::Role, inbound::Attachment};

use super::*;
use crate::tests::people::{asked, both_hear, heard, said, taken};

fn file(name: &str) -> Attachment {
    Attachment {
        name: name.to_owned(),
        media_type: None,
        content: b"a secret of a stranger".to_vec(),
    }
}

fn with_file(event: InboundEvent) -> InboundEvent {
    InboundEvent {
        attachments: vec![file("secret.txt")],
        ..event
    }
}

/// Everything in a session's inbox.
fn inbox(host: &Host, session: SessionId) -> Vec<String> {
    let folder = host.graph.base.files(session).in_dir().join("inbox");
    let Ok(found) = fs::read_dir(folder) else {
        return Vec::new();
    };
    found
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[tokio::test]
async fn defect_07_what_access_refuses_is_stored_nowhere() {
    for policy in ["strict", "request_approval"] {
        let host = Host::new(&heard(
            policy,
            "engage = \"mention\"\nignored = \"accumulate\"",
        ))
        .await;
        host.declined(with_file(said("eve", "m1")), "unknown_sender")
            .await;
        assert_eq!(host.sessions().await, [], "{policy}");

        // Nor where there is a session that keeps what others say.
        host.member("ann", "helper").await;
        host.heard(with_file(said("ann", "m2"))).await;
        host.declined(with_file(said("eve", "m3")), "unknown_sender")
            .await;
        let session = host.session().await;
        assert_eq!(host.in_file(session).await, ["m2"], "{policy}");
        assert_eq!(inbox(&host, session).len(), 1, "{policy}");
        assert_eq!(host.count("SELECT count(*) FROM messages"), 1, "{policy}");
        assert_eq!(
            host.count("SELECT count(*) FROM held_events"),
            0,
            "{policy}"
        );
        assert_eq!(host.dropped().await, ["eve unknown_sender 2"], "{policy}");
    }
}

#[tokio::test]
async fn defect_07_files_of_a_stranger_are_not_kept_while_they_wait() {
    let mut host = Host::new(&heard("request_approval", "engage = \"mention\"")).await;
    host.grant("olga", Role::Owner).await;
    host.declined(with_file(asked("eve", "m1")), "awaits_approval")
        .await;
    assert_eq!(host.sessions().await, []);
    let kept = "SELECT count(*) FROM held_events WHERE event LIKE '%secret%'";
    assert_eq!(host.count(kept), 0);
    let card = host.card("olga").await;
    let said = host.choose("olga", card.id, 0).await;
    assert_eq!(said, taken("The person is let in."));
    let session = host.session().await;
    assert_eq!(inbox(&host, session), Vec::<String>::new());
    assert_eq!(
        host.enter().await.texts(),
        ["text of m1\n[1 files came with this message; they were not kept while it waited.]"]
    );
}

/// Two channels, on which nobody is heard who is not known.
const TWO_CHANNELS: &str = r#"
[channels.one]
type = "cli"
unknown_senders = "strict"
[channels.two]
type = "cli"
unknown_senders = "strict"
[agents.helper]
provider = "offline"
[[wirings]]
channel = "one"
chat = "*"
agent = "helper"
[[wirings]]
channel = "two"
chat = "*"
agent = "helper"
"#;

#[tokio::test]
async fn defect_10_a_handle_with_a_colon_is_nobody_of_another_channel() {
    let host = Host::new(TWO_CHANNELS).await;
    host.grant("two:eve", Role::Owner).await;
    let on_two = |who: &str, id: &str| {
        let mut event = asked(who, id);
        event.address.channel = ChannelName::parse("two").unwrap();
        event
    };
    host.heard(asked("two:eve", "m1")).await;
    host.declined(on_two("eve", "m1"), "unknown_sender").await;
    host.declined(on_two("two:eve", "m2"), "unknown_sender")
        .await;
    host.declined(asked("eve", "m2"), "unknown_sender").await;

    // Nor the other way round.
    let ann = host.user_of("two", "ann").await;
    let now = host.graph.base.now();
    let owner = host.store().grant_role(ann, Role::Owner, None, now);
    owner.await.unwrap();
    host.heard(on_two("ann", "m3")).await;
    host.declined(asked("two:ann", "m3"), "unknown_sender")
        .await;
    host.declined(asked("ann", "m4"), "unknown_sender").await;
}

#[tokio::test]
async fn a_name_is_no_identity() {
    let host = Host::new(&heard("strict", "")).await;
    host.grant("olga", Role::Owner).await;
    let mut event = asked("eve", "m1");
    event.sender.name = Some("olga".to_owned());
    host.declined(event, "unknown_sender").await;
}

/// A stranger writes; gives what becomes of it and how many requests are open then.
async fn check_stranger(policy: &str, wiring: &str, event: InboundEvent, expect: (Accepted, i64)) {
    let host = Host::new(&heard(policy, wiring)).await;
    host.grant("olga", Role::Owner).await;
    let addressed = event.addressed;
    let taken = host.hand_over(event).await.unwrap();
    let open = host.count("SELECT count(*) FROM approvals WHERE status = 'pending'");
    assert_eq!((taken, open), expect, "{policy} {wiring} {addressed}");
}

#[tokio::test]
async fn strangers_are_treated_by_the_policy_of_their_conversation() {
    let declined = |reason: &str, open| (Accepted::Declined(reason.to_owned()), open);
    let mention = "engage = \"mention\"";
    let known = "senders = \"known\"";
    check_stranger(
        "strict",
        "",
        asked("eve", "m"),
        declined("unknown_sender", 0),
    )
    .await;
    let awaits = declined("awaits_approval", 1);
    check_stranger("request_approval", "", asked("eve", "m"), awaits.clone()).await;
    check_stranger(
        "request_approval",
        mention,
        asked("eve", "m"),
        awaits.clone(),
    )
    .await;
    check_stranger("request_approval", known, asked("eve", "m"), awaits).await;
    let silent = declined("unknown_sender", 0);
    check_stranger("request_approval", mention, said("eve", "m"), silent).await;
    check_stranger("public", "", asked("eve", "m"), (Accepted::Stored, 0)).await;
    check_stranger(
        "public",
        mention,
        said("eve", "m"),
        declined("not_engaged", 0),
    )
    .await;
    check_stranger(
        "public",
        known,
        asked("eve", "m"),
        declined("out_of_scope", 0),
    )
    .await;
}

#[tokio::test]
async fn people_are_known_to_the_agents_they_belong_to() {
    let host = Host::new(&both_hear("strict", "", "")).await;
    let (helper, second) = (host.agent("helper").await.id, host.agent("second").await.id);
    host.member("mia", "second").await;
    host.grant("gus", Role::GroupAdmin(helper)).await;
    host.grant("ada", Role::Admin).await;
    host.grant("olga", Role::Owner).await;
    for who in ["mia", "gus", "ada", "olga"] {
        host.heard(asked(who, &format!("of {who}"))).await;
    }
    host.declined(asked("eve", "of eve"), "unknown_sender")
        .await;
    let heard_by = async |group| {
        let sessions = host.store().group_sessions(group).await.unwrap();
        host.in_file(sessions[0].session.id).await
    };
    assert_eq!(heard_by(helper).await, ["of gus", "of ada", "of olga"]);
    assert_eq!(heard_by(second).await, ["of mia", "of ada", "of olga"]);
}

#[tokio::test]
async fn defect_40_a_message_is_counted_once_for_its_weightiest_reason() {
    let config = both_hear("public", "engage = \"mention\"", "senders = \"known\"");
    let host = Host::new(&config).await;
    host.declined(said("eve", "m1"), "out_of_scope").await;
    assert_eq!(host.dropped().await, ["eve out_of_scope 1"]);
    let again = host.hand_over(said("eve", "m1")).await.unwrap();
    assert_eq!(again, Accepted::Duplicate);
    assert_eq!(host.dropped().await, ["eve out_of_scope 1"]);

    // What one of them hears is not dropped, whatever the other has against it.
    host.heard(asked("eve", "m2")).await;
    assert_eq!(host.dropped().await, ["eve out_of_scope 1"]);

    // Another reason or another person is another line, and takes no other's place.
    host.member("ann", "helper").await;
    host.declined(said("ann", "m3"), "out_of_scope").await;
    host.declined(said("eve", "m4"), "out_of_scope").await;
    host.member("ann", "second").await;
    host.heard(said("ann", "m5")).await;
    assert_eq!(
        host.dropped().await,
        ["ann out_of_scope 1", "eve out_of_scope 2"]
    );
}
