use serde_json::json;

use super::*;

fn me() -> Me {
    serde_json::from_value(json!({ "user_id": "UBOT", "user": "bot" })).unwrap()
}

fn read(event: &serde_json::Value) -> Option<InboundEvent> {
    let event: Event = serde_json::from_value(event.clone()).unwrap();
    let (channel, me, names) = (ChannelName::parse("sl").unwrap(), me(), Names::default());
    let known = Known {
        channel: &channel,
        me: &me,
        names: &names,
    };
    known.message(said(&event, &me)?).unwrap()
}

#[test]
fn a_message_that_somebody_shares_comes_with_whose_it_was() {
    let event = read(&json!({
        "type": "message", "channel": "D1", "user": "U1", "ts": "1.000001", "text": "look",
        "attachments": [
            { "is_share": true, "author_name": "Ann", "text": "the &lt;plan&gt;" },
            { "from_url": "https://x.example", "text": "a preview" },
        ],
    }));
    assert_eq!(
        event.unwrap().text,
        "look\n[Forwarded from Ann]\nthe <plan>"
    );
}

#[test]
fn an_id_that_is_none_is_an_error_and_no_panic() {
    let event = json!({
        "type": "message", "channel": "C\u{7}", "user": "U1", "ts": "1.1", "text": "x",
    });
    let event: Event = serde_json::from_value(event).unwrap();
    let (channel, me, names) = (ChannelName::parse("sl").unwrap(), me(), Names::default());
    let known = Known {
        channel: &channel,
        me: &me,
        names: &names,
    };
    assert!(known.message(said(&event, &me).unwrap()).is_err());
}

#[test]
fn the_time_is_that_of_the_time_stamp() {
    let event = read(&json!({
        "type": "message", "channel": "D1", "user": "U1", "ts": "1767225600.000200", "text": "x",
    }));
    let expect: Timestamp = "2026-01-01T00:00:00.0002Z".parse().unwrap();
    assert_eq!(event.unwrap().sent_at, expect);
    assert_eq!(time("x"), None);
    assert_eq!(time("9999999999999999.1"), None);
}

#[test]
fn one_that_began_a_thread_is_not_in_it() {
    let click = |thread: Option<&str>| {
        let click = json!({
            "type": "block_actions",
            "container": { "channel_id": "C1", "message_ts": "1.1", "thread_ts": thread },
        });
        let click: Click = serde_json::from_value(click).unwrap();
        clicked_in(&click).unwrap().thread
    };
    assert_eq!(click(None), None);
    assert_eq!(click(Some("1.1")), None);
    assert_eq!(click(Some("0.9")), Some("0.9".to_owned()));
}
