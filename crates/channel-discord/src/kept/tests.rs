use super::*;

fn spot(chat: u64, thread: Option<u64>, direct: bool) -> Spot {
    Spot {
        chat: Snowflake(chat),
        thread: thread.map(Snowflake),
        direct,
    }
}

#[test]
fn what_is_written_down_reads_back() {
    let mut kept = Kept::default();
    assert!(kept.take(spot(1, None, false), Snowflake(10)));
    assert!(kept.take(spot(1, Some(2), false), Snowflake(30)));
    assert!(kept.take(spot(3, None, true), Snowflake(20)));
    kept.session = Some(Session {
        id: "s".to_owned(),
        url: "wss://gateway.discord.gg".to_owned(),
        seq: 7,
    });
    let text = serde_json::to_string(&kept).unwrap();
    insta::assert_snapshot!(text, @r#"{"seen":{"1":"10","1/2":"30","d3":"20"},"session":{"id":"s","url":"wss://gateway.discord.gg","seq":7}}"#);
    assert_eq!(serde_json::from_str::<Kept>(&text).unwrap(), kept);
    assert_eq!(kept.latest(), Some(Snowflake(30)));
}

#[test]
fn what_was_taken_before_is_no_news() {
    let mut kept = Kept::default();
    let here = spot(1, None, false);
    assert!(kept.take(here, Snowflake(10)));
    assert!(!kept.take(here, Snowflake(10)));
    assert!(!kept.take(here, Snowflake(9)));
    assert!(kept.take(here, Snowflake(11)));
}

/// As much as is remembered fits into what the host keeps, with the longest ids that there are.
#[test]
fn what_is_remembered_has_a_limit() {
    let mut kept = Kept::default();
    for n in 0..2_000 {
        let here = spot(u64::MAX - n, Some(u64::MAX - n), true);
        kept.take(here, Snowflake(u64::MAX - 2_000 + n));
    }
    assert_eq!(kept.seen.len(), LIMIT);
    assert!(kept.seen.values().all(|last| last.0 >= u64::MAX - 700));
    let text = serde_json::to_string(&kept).unwrap();
    assert!(text.len() < 60_000, "{}", text.len());
}

#[test]
fn what_is_no_conversation_is_refused() {
    for text in ["", "d", "x", "1/", "1/2/3", "-1", "99999999999999999999999"] {
        assert!(Spot::try_from(text.to_owned()).is_err(), "{text}");
    }
}
