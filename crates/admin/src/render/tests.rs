//! Replies as people and programs see them.

use serde_json::json;

use super::*;

fn rows(columns: &[&str], rows: &[&[Value]]) -> Reply {
    Reply::Rows {
        columns: columns.iter().map(|&column| column.to_owned()).collect(),
        rows: rows.iter().map(|row| row.to_vec()).collect(),
    }
}

fn one(fields: Value) -> Reply {
    Reply::One(serde_json::from_value(fields).unwrap())
}

fn cells(value: &str) -> String {
    let shown = text(&rows(&["name"], &[&[json!(value)]]));
    shown.lines().nth(1).unwrap().to_owned()
}

#[test]
fn a_list_is_a_table_for_people_and_a_line_each_for_programs() {
    let reply = rows(
        &["id", "name", "waiting", "last_active_at", "fault"],
        &[
            &[
                json!("a1"),
                json!("Anna"),
                json!(3),
                json!(1_767_323_045_678_i64),
                json!(null),
            ],
            &[
                json!("b"),
                json!("李小龍"),
                json!(12),
                json!(null),
                json!("no file"),
            ],
            &[
                json!("c"),
                json!("Zoë"),
                json!(true),
                json!("later"),
                json!(["x", 1]),
            ],
        ],
    );
    assert_eq!(
        text(&reply),
        "\
id  name    waiting  last_active_at        fault
a1  Anna    3        2026-01-02 03:04:05Z  -
b   李小龍  12       -                     no file
c   Zoë     true     later                 [\"x\",1]
"
    );
    assert_eq!(
        json(&reply),
        r#"{"fault":null,"id":"a1","last_active_at":1767323045678,"name":"Anna","waiting":3}
{"fault":"no file","id":"b","last_active_at":null,"name":"李小龍","waiting":12}
{"fault":["x",1],"id":"c","last_active_at":"later","name":"Zoë","waiting":true}
"#
    );
    let none = rows(&["id", "name"], &[]);
    assert_eq!(text(&none), "id  name\n");
    assert_eq!(json(&none), "");
}

#[test]
fn rows_of_a_wrong_length_are_shown_as_far_as_they_go() {
    let reply = rows(&["a", "b"], &[&[json!(1)], &[json!(1), json!(2), json!(3)]]);
    assert_eq!(text(&reply), "a  b\n1\n1  2\n");
    assert_eq!(json(&reply), "{\"a\":1}\n{\"a\":1,\"b\":2}\n");
}

#[test]
fn one_thing_is_a_line_a_field() {
    let long = "x".repeat(100);
    let reply = one(json!({
        "created-at": 0,
        "declined": false,
        "details": long,
        "model": null,
    }));
    assert_eq!(
        text(&reply),
        format!(
            "\
created-at  1970-01-01 00:00:00Z
declined    false
details     {long}
model       -
"
        )
    );
    assert_eq!(
        json(&reply),
        format!("{{\"created-at\":0,\"declined\":false,\"details\":\"{long}\",\"model\":null}}\n")
    );
}

#[test]
fn a_list_within_one_thing_is_a_table_below_it() {
    let at = 1_767_323_045_678_i64;
    let reply = one(json!({
        "attempts": [
            { "began_at": at, "number": 1, "why": "no\nroute" },
            { "began_at": at, "number": 2, "why": null },
        ],
        "id": "a1",
        "tags": ["x"],
        "none": [],
    }));
    assert_eq!(
        text(&reply),
        "\
id    a1
none  []
tags  [\"x\"]

attempts:
began_at              number  why
2026-01-02 03:04:05Z  1       no route
2026-01-02 03:04:05Z  2       -
"
    );
}

#[test]
fn times_are_known_by_the_end_of_their_columns_name() {
    let shown = |column: &str, value: Value| {
        let shown = text(&rows(&[column], &[&[value]]));
        shown.lines().nth(1).unwrap().to_owned()
    };
    for column in [
        "created_at",
        "created-at",
        "at",
        "due_since",
        "parked_until",
    ] {
        assert_eq!(shown(column, json!(1000)), "1970-01-01 00:00:01Z");
    }
    assert_eq!(shown("format", json!(1000)), "1000");
    assert_eq!(shown("at", json!(i64::MAX)), i64::MAX.to_string());
    assert_eq!(shown("at", json!(u64::MAX)), u64::MAX.to_string());
    assert_eq!(shown("at", json!(1.5)), "1.5");
}

#[test]
fn no_value_acts_on_a_terminal() {
    assert_eq!(cells("a\u{1b}[2Jb"), "a\u{fffd}[2Jb");
    assert_eq!(cells("a\u{9b}31mb"), "a\u{fffd}31mb");
    assert_eq!(cells("a\r\nb\tc"), "a  b c");
    assert_eq!(cells("\u{202e}gnp.exe"), "\u{fffd}gnp.exe");
    assert_eq!(cells("a\u{200b}\u{e0041}b"), "a\u{fffd}\u{fffd}b");
    // What names and emoji are written with stays.
    assert_eq!(
        cells("👩\u{200d}🚀 می\u{200c}خواهم"),
        "👩\u{200d}🚀 می\u{200c}خواهم"
    );

    let hostile = "\u{1b}]0;x\u{7}\u{9b}\u{7f}\u{202e}\n";
    for reply in [
        rows(&[hostile], &[&[json!([hostile])]]),
        one(json!({hostile: hostile})),
        Reply::Done {
            what: hostile.to_owned(),
            id: Some(format!("{hostile}{hostile}")),
        },
        Reply::Held {
            approval: hostile.to_owned(),
            code: hostile.to_owned(),
            what: hostile.to_owned(),
        },
        Reply::Failed {
            code: FailCode::Internal,
            what: hostile.to_owned(),
        },
    ] {
        for shown in [text(&reply), json(&reply)] {
            let acts = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!shown.contains(acts), "{shown:?}");
        }
    }
}

#[test]
fn programs_get_the_very_value() {
    let hostile = "\u{1b}\u{9b}\u{202e}\u{e0041}\"\\ü\n";
    let line = json(&one(json!({"name": hostile})));
    assert_eq!(
        line,
        "{\"name\":\"\\u001b\\u009b\\u202e\\udb40\\udc41\\\"\\\\ü\\n\"}\n"
    );
    let back: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(back, json!({"name": hostile}));
}

#[test]
fn long_cells_are_cut_by_their_width() {
    assert_eq!(cells(&"x".repeat(60)), "x".repeat(60));
    assert_eq!(cells(&"x".repeat(61)), format!("{}…", "x".repeat(59)));
    assert_eq!(cells(&"李".repeat(31)), format!("{}…", "李".repeat(29)));
    // Marks without a width don't make a cell endless.
    let tower = format!("a{}", "\u{301}".repeat(5000));
    assert!(cells(&tower).chars().count() <= 240);
}

#[test]
fn each_reply_has_its_exit_status_and_its_stream() {
    #[track_caller]
    fn check(reply: &Reply, style: Style, stdout: &str, stderr: &str, code: u8) {
        let expect = Output {
            stdout: stdout.to_owned(),
            stderr: stderr.to_owned(),
            code,
        };
        assert_eq!(output(reply, style), expect);
    }
    let done = Reply::Done {
        what: "session closed".to_owned(),
        id: None,
    };
    check(&done, Style::Text, "session closed\n", "", 0);
    check(&done, Style::Json, "{\"done\":\"session closed\"}\n", "", 0);
    let made = |what: &str| Reply::Done {
        what: what.to_owned(),
        id: Some("a1".to_owned()),
    };
    check(&made("made"), Style::Text, "made (id a1)\n", "", 0);
    // People are not told twice.
    let said = made("deleted; undo restore a1");
    check(&said, Style::Text, "deleted; undo restore a1\n", "", 0);
    let line = "{\"done\":\"made\",\"id\":\"a1\"}\n";
    check(&made("made"), Style::Json, line, "", 0);
    let held = Reply::Held {
        approval: "a1".to_owned(),
        code: "ab12cd".to_owned(),
        what: "delete helper".to_owned(),
    };
    check(
        &held,
        Style::Text,
        "held until somebody approves: delete helper (approval a1, code ab12cd)\n",
        "",
        75,
    );
    check(
        &held,
        Style::Json,
        "{\"approval\":\"a1\",\"code\":\"ab12cd\",\"held\":\"delete helper\"}\n",
        "",
        75,
    );
    for (code, name, exit) in [
        (FailCode::Usage, "usage", 64),
        (FailCode::NotFound, "not_found", 1),
        (FailCode::Forbidden, "forbidden", 1),
        (FailCode::Conflict, "conflict", 1),
        (FailCode::Unavailable, "unavailable", 69),
        (FailCode::Internal, "internal", 1),
    ] {
        let failed = Reply::Failed {
            code,
            what: "no".to_owned(),
        };
        check(
            &failed,
            Style::Text,
            "",
            &format!("error: no ({name})\n"),
            exit,
        );
        let line = format!("{{\"failed\":\"{name}\",\"what\":\"no\"}}\n");
        check(&failed, Style::Json, "", &line, exit);
    }
    check(&one(json!({"id": 1})), Style::Json, "{\"id\":1}\n", "", 0);
}
