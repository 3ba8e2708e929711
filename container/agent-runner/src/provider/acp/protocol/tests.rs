use super::*;

#[track_caller]
fn check(line: &Value, expect: &str) {
    let told = match read(&line.to_string()) {
        Event::Answer {
            call,
            answer: Ok(result),
        } => format!("answer {call} {result}"),
        Event::Answer {
            call,
            answer: Err(refused),
        } => format!("refused {call} {}", refused.text),
        Event::Words(words) => format!("words {words}"),
        Event::Acts => "acts".to_owned(),
        Event::Asks { id, method, params } => format!("asks {id} {method} {params}"),
        Event::Other => "other".to_owned(),
    };
    assert_eq!(told, expect, "{line}");
}

#[test]
fn each_line_is_read_for_what_it_is() {
    let update = |update: Value| json!({"method": "session/update", "params": {"update": update}});
    let chunk =
        json!({"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": "hi"}});
    check(&update(chunk), "words hi");
    check(
        &update(json!({"sessionUpdate": "tool_call", "toolCallId": "t"})),
        "acts",
    );
    check(&update(json!({"sessionUpdate": "plan"})), "other");
    check(&json!({"id": 3, "result": {"a": 1}}), "answer 3 {\"a\":1}");
    let error = json!({"code": -1, "message": "Internal error", "data": {"message": "why"}});
    check(
        &json!({"id": 3, "error": error}),
        "refused 3 Internal error: why",
    );
    check(&json!({"id": "x", "result": 1}), "other");
    check(
        &json!({"id": "x", "method": "fs/read_text_file", "params": {}}),
        "asks \"x\" fs/read_text_file {}",
    );
    check(&json!(["no object"]), "other");
    assert!(matches!(read("{broken"), Event::Other));
}

#[test]
fn a_permission_is_given_at_once_and_nothing_else() {
    let option = |id: &str, kind: &str| json!({"optionId": id, "kind": kind});
    let asked = |options: Value| {
        let reply = reply(
            &json!(7),
            "session/request_permission",
            &json!({"options": options}),
        );
        assert_eq!(reply["id"], 7);
        reply["result"]["outcome"].clone()
    };
    let all = json!([
        option("n", "reject_once"),
        option("o", "allow_once"),
        option("a", "allow_always")
    ]);
    assert_eq!(asked(all), json!({"outcome": "selected", "optionId": "a"}));
    let once = json!([option("n", "reject_once"), option("o", "allow_once")]);
    assert_eq!(asked(once), json!({"outcome": "selected", "optionId": "o"}));
    assert_eq!(
        asked(json!([option("n", "reject_once")])),
        json!({"outcome": "cancelled"})
    );
    let reply = reply(
        &json!("f"),
        "fs/read_text_file",
        &json!({"path": "/etc/passwd"}),
    );
    assert_eq!(reply["error"]["code"], -32601);
}

#[test]
fn a_session_has_the_workspace_and_the_tools() {
    let tools = ["/bin/runner".to_owned(), "mcp".to_owned()];
    let server =
        json!({"name": "anchorhold", "command": "/bin/runner", "args": ["mcp"], "env": []});
    let fresh = json!({"cwd": "/w", "mcpServers": [server]});
    assert_eq!(session(Utf8Path::new("/w"), &tools, None), fresh);
    let known = json!({"cwd": "/w", "mcpServers": [], "sessionId": "s"});
    assert_eq!(session(Utf8Path::new("/w"), &[], Some("s")), known);
}
