use super::*;

#[track_caller]
fn check(line: &Value, expect: &str) {
    let told = match read(&line.to_string()) {
        Event::Begins => "begins".to_owned(),
        Event::Heard { uuid } => format!("heard {uuid}"),
        Event::Message(message) => {
            let Message {
                session,
                uuid,
                text,
                calls,
            } = message;
            format!("message {session} {uuid} {text:?} {calls}")
        }
        Event::Compacted => "compacted".to_owned(),
        Event::Asks { id, request } => format!("asks {id} {request}"),
        Event::Ended(ended) => {
            format!("ended {} {} {:?}", ended.failed, ended.refused, ended.text)
        }
        Event::Other => "other".to_owned(),
    };
    assert_eq!(told, expect, "{line}");
}

#[test]
fn each_line_is_read_for_what_it_is() {
    let message = |kind: &str, content: Value| json!({"type": kind, "session_id": "s", "uuid": "u", "message": {"content": content}});
    let words = json!([{"type": "text", "text": "hi"}]);
    let call = json!([{"type": "text", "text": "so"}, {"type": "tool_use", "id": "t"}]);
    let result = json!([{"type": "tool_result", "content": "x"}]);
    check(&json!({"type": "system", "subtype": "init"}), "begins");
    check(
        &json!({"type": "system", "subtype": "compact_boundary"}),
        "compacted",
    );
    check(&json!({"type": "system", "subtype": "status"}), "other");
    check(&json!({"type": "something new"}), "other");
    check(&json!(["no object"]), "other");
    check(
        &message("assistant", words.clone()),
        "message s u \"hi\" false",
    );
    check(&message("assistant", call), "message s u \"so\" true");
    check(&message("user", result), "message s u \"\" false");
    let mut failed = message("assistant", words.clone());
    failed["error"] = json!("server_error");
    check(&failed, "message s u \"\" false");
    let mut of_another = message("assistant", words.clone());
    of_another["parent_tool_use_id"] = json!("t");
    check(&of_another, "other");
    let mut replayed = message("user", words);
    replayed["isReplay"] = json!(true);
    check(&replayed, "heard u");
    // After a compaction the conversation goes on from the last line of that.
    let mut command = message("user", json!("<local-command-stdout>Compacted"));
    command["isReplay"] = json!(true);
    check(&command, "message s u \"\" false");
    let ended = |subtype: &str, failed: bool| {
        json!({"type": "result", "subtype": subtype, "is_error": failed, "result": "r",
               "stop_reason": "end_turn"})
    };
    check(&ended("success", false), "ended false false \"r\"");
    check(&ended("success", true), "ended true false \"r\"");
    let mut refused = ended("success", true);
    refused["stop_reason"] = json!("refusal");
    check(&refused, "ended true true \"r\"");
    let lost = json!({"type": "result", "subtype": "error_during_execution", "is_error": true,
                      "errors": ["No conversation found"]});
    check(&lost, "ended true false \"No conversation found\"");
    let asks = json!({"type": "control_request", "request_id": "r", "request": {"a": 1}});
    check(&asks, "asks r {\"a\":1}");
    assert!(matches!(read("{broken"), Event::Other));
}

#[test]
fn a_permission_is_given_at_once_and_nothing_else() {
    let asked = json!({"subtype": "can_use_tool", "tool_name": "Bash", "input": {"command": "ls"}});
    let answer = answer("r", &asked);
    let allowed = json!({"behavior": "allow", "updatedInput": {"command": "ls"}});
    assert_eq!(answer["response"]["response"], allowed);
    assert_eq!(answer["response"]["request_id"], "r");
    let answer = super::answer("r", &json!({"subtype": "hook_callback"}));
    assert_eq!(answer["response"]["subtype"], "error");
}

#[test]
fn a_message_is_told_with_what_is_to_be_seen() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cat.png");
    std::fs::write(&path, b"png").unwrap();
    let file = |path: &std::path::Path| Part::File {
        name: "cat.png".to_owned(),
        path: path.to_str().unwrap().to_owned(),
        media_type: "image/png".to_owned(),
    };
    let parts = [
        Part::text("look"),
        file(&path),
        file(&dir.path().join("gone")),
    ];
    let told = tell("u-1", &parts);
    assert_eq!(told["uuid"], "u-1");
    let source = json!({"type": "base64", "media_type": "image/png", "data": "cG5n"});
    let expect = json!([
        {"type": "text", "text": "look"},
        {"type": "image", "source": source},
        {"type": "text", "text": "(the file cat.png is not shown)"},
    ]);
    assert_eq!(told["message"]["content"], expect);
}
