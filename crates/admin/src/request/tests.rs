//! Requests as they travel, and the check of them.

use serde_json::json;

use super::*;

fn request(resource: &str, verb: &str, args: &[(&str, &str)]) -> Request {
    Request {
        resource: resource.to_owned(),
        verb: verb.to_owned(),
        args: args
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    }
}

#[track_caller]
fn refused(resource: &str, verb: &str, args: &[(&str, &str)], why: &str) {
    let usage = request(resource, verb, args).check().unwrap_err();
    assert_eq!(usage.to_string(), why);
}

#[track_caller]
fn accepted(resource: &str, verb: &str, args: &[(&str, &str)]) -> Checked {
    let request = request(resource, verb, args);
    let checked = request.check().unwrap();
    assert_eq!(checked.request(), request);
    checked
}

#[test]
fn what_was_checked_is_read_by_kind() {
    let checked = accepted(
        "groups",
        "create",
        &[("folder", "helper"), ("runtime", "auto")],
    );
    assert_eq!(checked.command(), "groups create");
    assert_eq!(checked.access(), Access::Write);
    assert_eq!(checked.text("folder"), Some("helper"));
    assert_eq!(checked.text("name"), None);

    let checked = accepted("wirings", "update", &[("id", "1"), ("priority", "-3")]);
    assert_eq!(checked.integer("priority"), Some(-3));

    let checked = accepted(
        "conversations",
        "update",
        &[("id", "1"), ("declined", "false")],
    );
    assert_eq!(checked.boolean("declined"), Some(false));

    let checked = accepted("sessions", "list", &[("all", "true"), ("limit", "7")]);
    assert!(checked.flag("all"));
    assert_eq!(checked.limit(), 7);
    assert_eq!(accepted("dms", "list", &[]).limit(), DEFAULT_ROWS);

    let checked = accepted("pair", "", &[("channel", "work")]);
    assert_eq!((checked.resource(), checked.verb()), ("pair", ""));
    assert_eq!(checked.command(), "pair");
}

#[test]
fn names_that_are_none_are_refused_with_a_guess() {
    refused("", "list", &[], r#"there is no resource """#);
    refused(
        "grups",
        "list",
        &[],
        r#"there is no resource "grups"; did you mean "groups"?"#,
    );
    refused(
        "groups",
        "lst",
        &[],
        r#"there is no `groups` verb "lst"; did you mean "list"?"#,
    );
    refused("groups", "", &[], r#"there is no `groups` verb """#);
    refused(
        "groups",
        "list",
        &[("limits", "1")],
        r#"there is no `groups list` field "limits"; did you mean "limit"?"#,
    );
    let hostile = "\u{1b}[2J".repeat(1000);
    let usage = request(&hostile, "list", &[]).check().unwrap_err();
    assert!(usage.to_string().len() < 200, "{usage}");
    assert!(!usage.to_string().contains('\u{1b}'), "{usage}");
}

#[test]
fn a_field_has_one_spelling() {
    refused(
        "groups",
        "update",
        &[("id", "helper"), ("admin_scope", "global")],
        r#"there is no `groups update` field "admin_scope"; did you mean "admin-scope"?"#,
    );
    for name in [
        "agent-group-id",
        "agent_group_id",
        "Group",
        "group ",
        "--group",
    ] {
        let asked = request("members", "list", &[("group", "mine"), (name, "other")]);
        assert!(
            matches!(asked.check(), Err(Usage::Unknown { .. })),
            "{name}"
        );
    }
}

#[test]
fn what_is_absent_or_wrong_is_named_and_no_value_is_repeated() {
    refused("groups", "get", &[], "`groups get` needs GROUP");
    refused(
        "users",
        "create",
        &[("channel", "work")],
        "`users create` needs --handle",
    );
    refused(
        "groups",
        "update",
        &[("id", "helper"), ("tries", "secret")],
        "`groups update`: --tries must be a whole number from 1 to 20",
    );
    refused(
        "groups",
        "create",
        &[("folder", "../secret")],
        "`groups create`: --folder must be up to 64 of a-z, A-Z, 0-9, `-` and `_`",
    );
    refused(
        "users",
        "list",
        &[("limit", "10001")],
        "`users list`: --limit must be a whole number from 1 to 10000",
    );
    let long = "x".repeat(4097);
    refused(
        "groups",
        "restart",
        &[("id", "helper"), ("message", &long)],
        "`groups restart`: --message is 4097 bytes long; at most 4096 are accepted",
    );
}

#[test]
fn a_person_is_an_id_or_an_account() {
    let person = "give only one of --user, or --channel with --handle";
    let group = ("group", "helper");
    for verb in ["add", "remove"] {
        accepted("members", verb, &[group, ("user", "1")]);
        accepted(
            "members",
            verb,
            &[group, ("channel", "work"), ("handle", "a:b c")],
        );
        refused(
            "members",
            verb,
            &[group],
            &format!("`members {verb}` needs --user, or --channel with --handle"),
        );
        refused(
            "members",
            verb,
            &[group, ("handle", "anna")],
            &format!("`members {verb}` needs --channel, too"),
        );
        refused(
            "members",
            verb,
            &[group, ("user", "1"), ("handle", "anna")],
            &format!("`members {verb}`: {person}"),
        );
    }
    accepted("roles", "list", &[]);
    accepted("roles", "list", &[("user", "1"), group]);
    refused(
        "roles",
        "list",
        &[("channel", "work")],
        "`roles list` needs --handle, too",
    );
}

#[test]
fn fields_that_contradict_each_other_are_refused() {
    refused(
        "roles",
        "grant",
        &[("user", "1"), ("role", "owner"), ("group", "helper")],
        "`roles grant`: --role owner does not go with --group",
    );
    accepted("roles", "grant", &[("user", "1"), ("role", "owner")]);
    accepted(
        "roles",
        "grant",
        &[("user", "1"), ("role", "admin"), ("group", "helper")],
    );

    refused(
        "groups",
        "update",
        &[("id", "helper")],
        "`groups update` needs something to change",
    );
    refused(
        "wirings",
        "update",
        &[("id", "1"), ("engage", "pattern")],
        "`wirings update`: --engage pattern needs --pattern",
    );
    for engage in ["always", "mention", "mention-sticky"] {
        refused(
            "wirings",
            "update",
            &[("id", "1"), ("engage", engage), ("pattern", "x")],
            &format!("`wirings update`: --engage {engage} does not go with --pattern"),
        );
    }
    accepted(
        "wirings",
        "update",
        &[("id", "1"), ("engage", "pattern"), ("pattern", "x")],
    );
    accepted("wirings", "update", &[("id", "1"), ("pattern", "x")]);

    let from = [("group", "helper"), ("name", "team")];
    let to_chat = [("channel", "work"), ("conversation", "-1")];
    accepted("destinations", "add", &[from, to_chat].concat());
    accepted(
        "destinations",
        "add",
        &[&from[..], &[("to-group", "other")]].concat(),
    );
    refused(
        "destinations",
        "add",
        &[&from[..], &to_chat[..], &[("to-group", "other")]].concat(),
        "`destinations add`: give only one of --channel with --conversation, or --to-group",
    );
    refused(
        "destinations",
        "add",
        &from,
        "`destinations add` needs --channel with --conversation, or --to-group",
    );
}

#[test]
fn requests_and_replies_travel_as_json() {
    let asked = request("dropped", "list", &[("limit", "3")]);
    let json = json!({"resource": "dropped", "verb": "list", "args": {"limit": "3"}});
    assert_eq!(serde_json::to_value(&asked).unwrap(), json);
    assert_eq!(serde_json::from_value::<Request>(json).unwrap(), asked);
    for not_one in [
        json!({"resource": "dropped", "verb": "list", "args": {"limit": 3}}),
        json!({"resource": "dropped", "verb": "list", "as": "host"}),
        json!({"verb": "list"}),
        json!([]),
    ] {
        assert!(serde_json::from_value::<Request>(not_one).is_err());
    }

    let replies = [
        (
            Reply::Rows {
                columns: vec!["id".to_owned()],
                rows: vec![vec![json!(1)]],
            },
            json!({"reply": "rows", "body": {"columns": ["id"], "rows": [[1]]}}),
        ),
        (
            // A field of the thing can't be taken for the reply's own.
            Reply::One(Map::from_iter([("reply".to_owned(), json!("done"))])),
            json!({"reply": "one", "body": {"reply": "done"}}),
        ),
        (
            Reply::Done {
                what: "closed".to_owned(),
                id: None,
            },
            json!({"reply": "done", "body": {"what": "closed"}}),
        ),
        (
            Reply::Done {
                what: "made".to_owned(),
                id: Some("7".to_owned()),
            },
            json!({"reply": "done", "body": {"what": "made", "id": "7"}}),
        ),
        (
            Reply::Held {
                approval: "1".to_owned(),
                code: "ab12cd".to_owned(),
                what: "delete helper".to_owned(),
            },
            json!({"reply": "held", "body": {
                "approval": "1", "code": "ab12cd", "what": "delete helper"}}),
        ),
        (
            Reply::Failed {
                code: FailCode::NotFound,
                what: "no such session".to_owned(),
            },
            json!({"reply": "failed", "body": {"code": "not_found", "what": "no such session"}}),
        ),
    ];
    for (reply, json) in replies {
        assert_eq!(serde_json::to_value(&reply).unwrap(), json);
        assert!(serde_json::from_value::<Reply>(json).unwrap() == reply);
    }
}

#[test]
fn codes_have_one_spelling() {
    for code in [
        FailCode::Usage,
        FailCode::NotFound,
        FailCode::Forbidden,
        FailCode::Conflict,
        FailCode::Unavailable,
        FailCode::Internal,
    ] {
        assert_eq!(serde_json::to_value(code).unwrap(), json!(code.as_str()));
    }
}

#[test]
fn values_do_not_reach_debug() {
    let asked = request(
        "groups",
        "restart",
        &[("id", "helper"), ("message", "private")],
    );
    let checked = asked.check().unwrap();
    let reply = Reply::Done {
        what: "private".to_owned(),
        id: Some("private".to_owned()),
    };
    let shown = format!("{asked:?} {checked:?} {reply:?}");
    assert!(!shown.contains("private"), "{shown}");
}
