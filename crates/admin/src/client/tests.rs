//! The client from its arguments to what it would print.

use serde_json::json;

use super::*;

fn ask_nobody(_: &Request) -> Result<Reply, AskError> {
    panic!("nobody is to be asked")
}

fn run_line(line: &str, ask: impl FnOnce(&Request) -> Result<Reply, AskError>) -> Output {
    run(
        line.split_whitespace().map(OsString::from),
        "anchorhold",
        ask,
    )
}

fn list(request: &Request) -> Reply {
    assert_eq!(
        (request.resource.as_str(), request.verb.as_str()),
        ("wirings", "list")
    );
    Reply::Rows {
        columns: vec!["id".to_owned(), "channel".to_owned()],
        rows: vec![vec![json!(7), json!("work")]],
    }
}

#[test]
fn a_reply_is_shown_as_asked_for() {
    let text = run_line("wirings list", |request| Ok(list(request)));
    assert_eq!(text.stdout, "id  channel\n7   work\n");
    assert_eq!((text.stderr.as_str(), text.code), ("", 0));
    for line in [
        "--json wirings list",
        "wirings list --json",
        "wirings --json list",
    ] {
        assert_eq!(
            run_line(line, |request| Ok(list(request))).stdout,
            "{\"channel\":\"work\",\"id\":7}\n"
        );
    }
}

#[test]
fn help_is_output_and_nobody_is_asked() {
    for line in ["--help", "help", "wirings --help", "help wirings explain"] {
        let shown = run_line(line, ask_nobody);
        assert!(shown.stdout.contains("Usage: anchorhold"), "{shown:?}");
        assert_eq!((shown.stderr.as_str(), shown.code), ("", 0), "{line}");
    }
}

#[test]
fn a_wrong_command_line_is_64_and_nobody_is_asked() {
    for (line, part) in [
        ("", "Usage: anchorhold"),
        ("wirings", "requires a subcommand"),
        ("wirngs list", "a similar subcommand exists: 'wirings'"),
        ("pair work", "unrecognized subcommand 'pair'"),
        (
            "groups update --name=x --admin-scope=global",
            "unexpected argument '--admin-scope'",
        ),
        ("members add", "needs --user, or --channel with --handle"),
        ("groups update", "needs something to change"),
    ] {
        let shown = run_line(line, ask_nobody);
        assert!(shown.stderr.contains(part), "{shown:?}");
        assert_eq!((shown.stdout.as_str(), shown.code), ("", 64), "{line}");
    }
}

#[test]
fn no_reply_is_said_with_what_may_have_happened() {
    let shown = run_line("groups restart", |_| {
        Err(AskError::Unavailable("no socket".to_owned()))
    });
    assert_eq!(
        shown.stderr,
        "error: the host can't be asked: no socket (unavailable)\n"
    );
    assert_eq!((shown.stdout.as_str(), shown.code), ("", 69));

    let shown = run_line("groups restart --json", |_| {
        Err(AskError::Unanswered("30 s passed".to_owned()))
    });
    assert_eq!(
        shown.stderr,
        "{\"failed\":\"internal\",\"what\":\"no reply came, and the request may yet be carried \
         out: 30 s passed\"}\n"
    );
    assert_eq!(shown.code, 1);
}

#[test]
fn what_is_held_or_refused_ends_with_its_status() {
    let held = run_line("groups delete", |_| {
        Ok(Reply::Held {
            approval: "a1".to_owned(),
            code: "ab12cd".to_owned(),
            what: "delete mine".to_owned(),
        })
    });
    assert_eq!(held.code, 75);
    let failed = run_line("sessions get 7", |_| {
        Ok(Reply::Failed {
            code: FailCode::NotFound,
            what: "there is no such session".to_owned(),
        })
    });
    assert_eq!(
        failed.stderr,
        "error: there is no such session (not_found)\n"
    );
    assert_eq!(failed.code, 1);
}
