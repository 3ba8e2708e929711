//! From what is to be done to what the platform is asked to do.

use anchorhold_channel::{Support, TextLimit, fake::all_caps};

use super::*;

fn id(text: &str) -> PlatformMessageId {
    PlatformMessageId::parse(text).unwrap()
}

fn file(name: &str, len: usize) -> OutboundFile {
    OutboundFile {
        name: name.to_owned(),
        content: vec![7; len],
    }
}

fn small(limit: usize) -> ChannelCaps {
    ChannelCaps {
        text: TextLimit::Chars(limit),
        files: FilesOut::UpTo {
            text: TextLimit::Chars(limit.min(6)),
            count: 2,
            each_bytes: 10,
            total_bytes: 15,
        },
        ..all_caps()
    }
}

fn post_of(text: &str) -> Outgoing {
    Outgoing::Post {
        text: text.to_owned(),
        files: Vec::new(),
        voice: Voice::Agent,
        reply_to: None,
    }
}

fn post(text: &str, files: Vec<OutboundFile>) -> OutboundOp {
    OutboundOp::Post {
        text: text.to_owned(),
        files,
        reply_to: Some(id("asked")),
        voice: Voice::Agent,
    }
}

fn resolved(files: Vec<OutboundFile>, target: Option<&str>) -> Resolved {
    Resolved {
        target: target.map(id),
        reply_to: Some(id("asked")),
        files,
    }
}

#[track_caller]
fn check(
    outgoing: &Outgoing,
    (files, target): (&[OutboundFile], Option<&str>),
    caps: &ChannelCaps,
    expect: Result<Vec<OutboundOp>, &str>,
) {
    let expect = expect.map_err(str::to_owned);
    // Twice, since a delivery goes on at the part that failed.
    for _ in 0..2 {
        let resolved = resolved(files.to_vec(), target);
        let done = operations(outgoing.clone(), resolved, caps);
        assert_eq!(done, expect, "{outgoing:?}");
    }
}

#[test]
fn a_text_becomes_its_parts_and_the_files_go_with_the_last() {
    let files = [file("a", 10), file("b", 5)];
    let caps = small(10);
    check(
        &post_of("short"),
        (&[], None),
        &caps,
        Ok(vec![post("short", vec![])]),
    );
    check(
        &post_of("short"),
        (&files, None),
        &caps,
        Ok(vec![post("short", files.to_vec())]),
    );
    check(
        &post_of("one two\n\nthree four\n\nfive"),
        (&files, None),
        &caps,
        Ok(vec![
            post("one two", vec![]),
            post("three four", vec![]),
            post("five", files.to_vec()),
        ]),
    );
    check(
        &post_of(""),
        (&files, None),
        &caps,
        Ok(vec![post("", files.to_vec())]),
    );
}

#[test]
fn the_hosts_voice_stays_the_hosts() {
    let notice = Outgoing::notice("sorry\n\nvery".to_owned());
    let parts = operations(notice, Resolved::default(), &small(6)).unwrap();
    let said = |text: &str| OutboundOp::Post {
        text: text.to_owned(),
        files: Vec::new(),
        reply_to: None,
        voice: Voice::Host,
    };
    assert_eq!(parts, [said("sorry"), said("very")]);
}

#[test]
fn files_that_the_channel_does_not_take_are_refused() {
    let check_files = |sizes: &[usize], caps: &ChannelCaps, expect: &str| {
        let files: Vec<_> = sizes.iter().map(|len| file("f", *len)).collect();
        check(&post_of("text"), (&files, None), caps, Err(expect));
    };
    check_files(&[1], &all_caps(), "this channel takes no files");
    check_files(
        &[1, 11],
        &small(10),
        "a file has 11 bytes, this channel takes 10",
    );
    let tiny = ChannelCaps {
        files: FilesOut::UpTo {
            text: TextLimit::Unlimited,
            count: 2,
            each_bytes: 10,
            total_bytes: 5,
        },
        ..all_caps()
    };
    check_files(&[6], &tiny, "a file has 6 bytes, this channel takes 10");
}

/// Text first and in full, then the files, each of them in one message.
#[test]
fn what_is_too_much_for_one_message_becomes_several() {
    let caps = small(10);
    let several = [file("a", 1), file("b", 1), file("c", 1)];
    check(
        &post_of("short"),
        (&several, None),
        &caps,
        Ok(vec![
            post("short", several[..2].to_vec()),
            post("", several[2..].to_vec()),
        ]),
    );
    let heavy = [file("a", 10), file("b", 6)];
    check(
        &post_of(""),
        (&heavy, None),
        &caps,
        Ok(vec![
            post("", heavy[..1].to_vec()),
            post("", heavy[1..].to_vec()),
        ]),
    );
    // One message, but more than goes beside a file.
    check(
        &post_of("seven77"),
        (&several[..1], None),
        &caps,
        Ok(vec![
            post("seven77", vec![]),
            post("", several[..1].to_vec()),
        ]),
    );
}

#[test]
fn operations_on_earlier_messages() {
    let edit = |text: &str| Outgoing::Edit {
        target: 3,
        text: text.to_owned(),
    };
    let delete = Outgoing::Delete { target: 3 };
    let react = Outgoing::React {
        target: 3,
        emoji: "👍".to_owned(),
    };
    let caps = small(10);
    let target = || id("sent");
    let done = |op: OutboundOp| Ok(vec![op]);
    let text = "better".to_owned();
    let emoji = "👍".to_owned();
    let there = (&[][..], Some("sent"));
    check(
        &edit("better"),
        there,
        &caps,
        done(OutboundOp::Edit {
            target: target(),
            text,
        }),
    );
    check(
        &delete,
        there,
        &caps,
        done(OutboundOp::Delete { target: target() }),
    );
    check(
        &react,
        there,
        &caps,
        done(OutboundOp::React {
            target: target(),
            emoji,
        }),
    );
    check(
        &edit("far too long for one"),
        there,
        &caps,
        Err("the new text is too long for one message"),
    );
    for outgoing in [&edit("better"), &delete, &react] {
        check(
            outgoing,
            (&[], None),
            &caps,
            Err("the message it is about was never sent"),
        );
    }
}

#[test]
fn what_the_channel_can_not_do_is_refused_before_anything_else() {
    let caps = ChannelCaps {
        edits: Support::No,
        deletes: Support::No,
        reactions: Support::No,
        ..all_caps()
    };
    let text = "better".to_owned();
    let emoji = "👍".to_owned();
    for target in [None, Some("sent")] {
        check(
            &Outgoing::Edit {
                target: 3,
                text: text.clone(),
            },
            (&[], target),
            &caps,
            Err("this channel can't change a message"),
        );
        check(
            &Outgoing::Delete { target: 3 },
            (&[], target),
            &caps,
            Err("this channel can't take a message back"),
        );
        check(
            &Outgoing::React {
                target: 3,
                emoji: emoji.clone(),
            },
            (&[], target),
            &caps,
            Err("this channel has no reactions"),
        );
    }
}

/// The stored form is read by later versions of this program.
#[test]
fn the_stored_form() {
    let check = |outgoing: Outgoing, kind: &str, stored: &str| {
        assert_eq!(outgoing.kind(), kind);
        assert_eq!(outgoing.encode().unwrap(), stored);
        assert_eq!(serde_json::from_str::<Outgoing>(stored).unwrap(), outgoing);
    };
    check(
        Outgoing::Post {
            text: "hi".to_owned(),
            files: vec!["a.txt".to_owned()],
            voice: Voice::Agent,
            reply_to: None,
        },
        "post",
        r#"{"do":"post","text":"hi","files":["a.txt"],"voice":"agent"}"#,
    );
    check(
        Outgoing::notice("sorry".to_owned()),
        "post",
        r#"{"do":"post","text":"sorry","files":[],"voice":"host"}"#,
    );
    check(
        Outgoing::Edit {
            target: 3,
            text: "hi".to_owned(),
        },
        "edit",
        r#"{"do":"edit","target":3,"text":"hi"}"#,
    );
    check(
        Outgoing::Delete { target: 3 },
        "delete",
        r#"{"do":"delete","target":3}"#,
    );
    check(
        Outgoing::React {
            target: 2,
            emoji: "👍".to_owned(),
        },
        "react",
        r#"{"do":"react","target":2,"emoji":"👍"}"#,
    );
}
