use super::*;

#[test]
fn what_is_written_is_read() {
    let mut kept = Kept {
        since: Some("s1_2".to_owned()),
        ..Kept::default()
    };
    kept.lock(locked("$a"));
    kept.moves.note("!old", "!new");
    let text = serde_json::to_string(&kept).unwrap();
    assert_eq!(
        text,
        r#"{"since":"s1_2","locked":[{"room":"!r","event":"$a","since":"1970-01-01T00:00:00Z"}],"moves":[["!old","!new"]]}"#
    );
    assert_eq!(serde_json::from_str::<Kept>(&text).unwrap(), kept);
    assert_eq!(serde_json::from_str::<Kept>("{}").unwrap(), Kept::default());
}

fn locked(event: &str) -> Locked {
    Locked {
        room: "!r".to_owned(),
        event: event.to_owned(),
        since: Timestamp::UNIX_EPOCH,
    }
}

#[test]
fn too_many_locked_messages_push_the_oldest_out_once() {
    let mut kept = Kept::default();
    for number in 0..LOCKED_LIMIT {
        assert_eq!(kept.lock(locked(&number.to_string())), None);
    }
    assert_eq!(kept.lock(locked("3")), None);
    assert_eq!(kept.lock(locked("more")), Some(locked("0")));
    assert_eq!(kept.locked.len(), LOCKED_LIMIT);
    // The cursor has room for all of it.
    let longest = "x".repeat(255);
    let mut kept = Kept::default();
    for number in 0..LOCKED_LIMIT {
        let mut locked = locked(&format!("{number}{longest}"));
        locked.room.clone_from(&longest);
        kept.lock(locked);
    }
    for number in 0..MOVES_LIMIT {
        kept.moves.note(
            &format!("{number}a{longest}"),
            &format!("{number}b{longest}"),
        );
    }
    let text = serde_json::to_string(&kept).unwrap();
    assert!(
        text.len() < anchorhold_channel::cursor::VALUE_LIMIT_BYTES,
        "{}",
        text.len()
    );
}

#[test]
fn a_room_that_moved_twice_is_the_first() {
    let mut moves = Moves::default();
    moves.note("!a", "!b");
    moves.note("!b", "!c");
    assert_eq!(moves.first("!c"), "!a");
    assert_eq!(moves.current("!a"), "!c");
    assert_eq!(moves.first("!x"), "!x");
    moves.note("!c", "!a");
    assert_eq!(moves.current("!a"), "!c");
}
