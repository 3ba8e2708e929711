use super::*;

#[test]
fn minted_ids_sort_by_age_and_read_back() {
    let older = SessionId::mint(Timestamp::from_millisecond(1_000).unwrap(), [9; 10]);
    let newer = SessionId::mint(Timestamp::from_millisecond(2_000).unwrap(), [1; 10]);
    assert!(older < newer);
    assert_eq!(SessionId::parse(&older.to_string()), Ok(older));
    assert_eq!(older.uuid().get_version_num(), 7);
}

#[test]
fn text_that_is_no_id_is_refused() {
    assert_eq!(
        SessionId::parse("nope"),
        Err(IdError::NotUuid { kind: "session id" })
    );
    assert_eq!(ChatId::parse(""), Err(IdError::Empty { kind: "chat id" }));
    assert_eq!(
        ChatId::parse("a\nb"),
        Err(IdError::Control { kind: "chat id" })
    );
    let long = "x".repeat(PLATFORM_ID_LIMIT_BYTES + 1);
    assert_eq!(
        ChatId::parse(&long),
        Err(IdError::TooLong {
            kind: "chat id",
            len: PLATFORM_ID_LIMIT_BYTES + 1
        })
    );
}

#[test]
fn folder_names_are_one_safe_path_segment() {
    for good in ["helper", "a", "A-1_b", &"x".repeat(64)] {
        assert!(FolderName::parse(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "..",
        "../x",
        "a/b",
        ".hidden",
        "-dash",
        "ä",
        "a b",
        &"x".repeat(65),
    ] {
        assert!(FolderName::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn ids_keep_their_checks_when_deserialized() {
    assert!(serde_json::from_str::<ChatId>("\"ok\"").is_ok());
    assert!(serde_json::from_str::<ChatId>("\"\"").is_err());
}

#[test]
fn the_same_row_has_the_same_id_and_no_two_rows_share_one() {
    let one = SessionId::mint(Timestamp::from_millisecond(1_000).unwrap(), [1; 10]);
    let other = SessionId::mint(Timestamp::from_millisecond(1_000).unwrap(), [2; 10]);
    let id = OutboundId::of_row(one, 3);
    assert_eq!(id, OutboundId::of_row(one, 3));
    assert_ne!(id, OutboundId::of_row(one, 5));
    assert_ne!(id, OutboundId::of_row(other, 3));
    assert_eq!(OutboundId::parse(&id.to_string()), Ok(id));
    assert_ne!(id.notice(), id);
    assert_eq!(id.notice(), OutboundId::of_row(one, 3).notice());
    let [ann, bob] = [3, 4].map(|byte| UserId::mint(Timestamp::UNIX_EPOCH, [byte; 10]));
    assert_eq!(id.notice_to(ann), OutboundId::of_row(one, 3).notice_to(ann));
    assert_ne!(id.notice_to(ann), id.notice_to(bob));
    assert_ne!(id.notice_to(ann), id.notice());
    assert_ne!(
        id.notice_to(ann).notice_to(bob),
        id.notice_to(bob).notice_to(ann)
    );
    let read = OutboundId::parse(&id.notice_to(ann).to_string());
    assert_eq!(read, Ok(id.notice_to(ann)));
}
