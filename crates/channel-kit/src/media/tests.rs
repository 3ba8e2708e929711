use super::*;

fn offered(name: Option<&str>, media_type: Option<&str>) -> Offered {
    Offered {
        name: name.map(str::to_owned),
        kind: "photo",
        media_type: media_type.map(str::to_owned),
        bytes: None,
    }
}

#[track_caller]
fn check(offered: Offered, content: &[u8], name: &str, media_type: &str) {
    let file = offered.with(content.to_vec());
    assert_eq!(
        (file.name.as_str(), file.media_type.as_deref()),
        (name, Some(media_type))
    );
    assert_eq!(file.content, content);
}

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

#[test]
fn content_counts_for_more_than_what_is_said_of_it() {
    check(offered(None, None), PNG, "photo.png", "image/png");
    check(
        offered(Some("cat.jpg"), Some("image/jpeg")),
        PNG,
        "cat.jpg",
        "image/png",
    );
    check(
        offered(Some("notes.md"), Some("text/markdown")),
        b"# hi",
        "notes.md",
        "text/markdown",
    );
    check(offered(Some(" "), None), b"hm", "photo", UNKNOWN);
}

#[test]
fn a_file_that_is_too_large_is_not_even_asked_for() {
    let limit = u64::try_from(ATTACHMENT_LIMIT_BYTES).unwrap();
    let sized = |bytes| Offered {
        bytes,
        ..offered(None, None)
    };
    assert!(!sized(None).is_too_large());
    assert!(!sized(Some(limit)).is_too_large());
    assert!(sized(Some(limit + 1)).is_too_large());
    assert_eq!(
        left_out("film.mkv", &too_large()),
        "[The file “film.mkv” is not here: it has more than 16 MiB.]"
    );
}
