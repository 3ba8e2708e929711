use serde_json::json;

use super::*;

fn check(content: &str, expect: Option<Rule>) {
    let refused = judge(content.as_bytes(), "m").err();
    assert_eq!(refused.map(|refusal| refusal.rule), expect, "{content}");
}

#[test]
fn only_the_configured_model_is_called() {
    check(
        r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#,
        None,
    );
    check(r#"{"model":"\u006d","input":"hi"}"#, None);
    check(r#"{"model":"larger"}"#, Some(Rule::ModelName));
    check(r#"{"messages":[]}"#, Some(Rule::ModelName));
    // The provider might take the second one.
    check(r#"{"model":"m","model":"larger"}"#, Some(Rule::Malformed));
    check(r#"{"model":["m"]}"#, Some(Rule::Malformed));
    check("", Some(Rule::Malformed));
    check(r#"{"model":"m"} {"model":"larger"}"#, Some(Rule::Malformed));
}

#[test]
fn the_provider_reaches_nothing_on_the_agents_behalf() {
    let call = |field: &str, value: serde_json::Value| {
        let mut call = json!({ "model": "m" });
        call[field] = value;
        call.to_string()
    };
    let remote = Some(Rule::ServerSide);
    check(
        &call("tools", json!([{ "name": "bash", "input_schema": {} }])),
        None,
    );
    check(
        &call("tools", json!([{ "type": "function", "function": {} }])),
        None,
    );
    check(
        &call(
            "tools",
            json!([{ "type": "bash_20250124", "name": "bash" }]),
        ),
        None,
    );
    check(
        &call("tools", json!([{ "type": "web_search_20250305" }])),
        remote,
    );
    check(
        &call(
            "tools",
            json!([{ "type": "mcp", "server_url": "https://evil" }]),
        ),
        remote,
    );
    check(&call("mcp_servers", json!([])), remote);
    check(&call("web_search_options", json!({})), remote);
}

#[test]
fn content_comes_with_the_call_and_not_from_elsewhere() {
    let call = |field: &str, value: serde_json::Value| {
        let mut call = json!({ "model": "m" });
        call[field] = value;
        call.to_string()
    };
    let remote = Some(Rule::ServerSide);
    let said =
        |part: serde_json::Value| call("messages", json!([{ "role": "user", "content": [part] }]));
    check(
        &said(json!({ "type": "text", "text": "https://example.org" })),
        None,
    );
    check(
        &said(json!({ "type": "image", "source": { "type": "base64", "data": "aGk=" } })),
        None,
    );
    check(
        &said(json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,aGk=" } })),
        None,
    );
    check(
        &said(json!({ "type": "search_result", "source": "https://example.org" })),
        None,
    );
    check(
        &said(json!({ "type": "tool_use", "input": { "source": { "type": "url" } } })),
        None,
    );
    check(
        &said(json!({ "type": "image", "source": { "type": "url", "url": "https://evil" } })),
        remote,
    );
    check(
        &said(json!({ "type": "image_url", "image_url": { "url": "https://evil" } })),
        remote,
    );
    check(
        &said(
            json!({ "type": "tool_result", "content": [{ "type": "image", "source": { "type": "url" } }] }),
        ),
        remote,
    );
    let input = |item: serde_json::Value| call("input", json!([item]));
    check(
        &input(json!({ "content": [{ "type": "input_image", "image_url": "https://evil" }] })),
        remote,
    );
    check(
        &input(json!({ "content": [{ "type": "input_file", "file_url": "https://evil" }] })),
        remote,
    );
    check(
        &input(
            json!({ "type": "function_call_output", "output": [{ "image_url": "https://evil" }] }),
        ),
        remote,
    );
    check(
        &input(json!({ "type": "function_call_output", "output": "https://fine" })),
        None,
    );
}

proptest::proptest! {
    #[test]
    fn no_content_makes_it_panic(content in proptest::collection::vec(0_u8.., 0..200)) {
        let _either = judge(&content, "m");
    }
}
