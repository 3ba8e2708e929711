use anchorhold_channel_kit::http::Answer;
use reqwest::{StatusCode, header::HeaderValue};

use super::*;
use crate::{config::read, tests::bench::context};

fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &'static str) -> Answer {
    let mut answer = Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers: HeaderMap::new(),
        body: body.as_bytes().into(),
    };
    for (name, value) in headers {
        answer
            .headers
            .insert(*name, HeaderValue::from_static(value));
    }
    answer
}

fn failed(status: u16, headers: &[(&'static str, &'static str)], body: &'static str) -> String {
    let failed = judge("doing", answer(status, headers, body)).unwrap_err();
    match failed.into_error("doing", LimitScope::Chat) {
        ChannelError::RateLimited { retry_after, scope } => format!("{retry_after:?} {scope:?}"),
        error @ (ChannelError::Transient { .. }
        | ChannelError::Ambiguous { .. }
        | ChannelError::Permanent { .. }
        | ChannelError::Unauthorized { .. }
        | ChannelError::Absent) => error.to_string(),
    }
}

/// Whom a limit is about, in each of the forms that Discord says it.
#[test]
fn a_limit_says_whom_it_is_about() {
    let body = r#"{"message":"You are being rate limited.","retry_after":1.5,"global":false}"#;
    assert_eq!(failed(429, &[("retry-after", "2")], body), "1.5s Chat");
    let body = r#"{"message":"You are being rate limited.","retry_after":0.25,"global":true}"#;
    assert_eq!(failed(429, &[], body), "250ms Instance");
    let global = [("x-ratelimit-scope", "global"), ("retry-after", "3")];
    assert_eq!(
        failed(429, &global, r#"{"message":"","global":false}"#),
        "3s Instance"
    );
    // Something before Discord speaks no JSON, and means everybody.
    assert_eq!(
        failed(429, &[("retry-after", "60")], "error code: 1015"),
        "60s Instance"
    );
    assert_eq!(failed(429, &[], r#"{"retry_after":1e300}"#), "5s Chat");
    assert_eq!(failed(429, &[], r#"{"retry_after":90000.0}"#), "3600s Chat");
}

/// A refusal is said in words that repeat nothing of what was sent.
#[test]
fn a_refusal_repeats_nothing() {
    let body = r#"{"code":50035,"message":"Invalid Form Body: \"my secret\" is too long",
                   "errors":{"content":{"_errors":[{"message":"my secret"}]}}}"#;
    let said = failed(400, &[], body);
    assert!(!said.contains("my secret"), "{said}");
    assert!(said.contains("50035"), "{said}");
    let said = failed(
        403,
        &[],
        r#"{"code":50013,"message":"Missing Permissions"}"#,
    );
    assert!(said.contains("lacks a permission"), "{said}");
}

/// Where the token may go, and where files are fetched from.
#[test]
fn only_discord_and_this_machine_in_tests_are_trusted() {
    let api = |table: &str| {
        let settings = read(&context(), table.parse().unwrap()).unwrap();
        Api::new(&settings).unwrap()
    };
    let real = api("token = \"env:TOKEN\"");
    for good in [
        "wss://gateway.discord.gg",
        "wss://gateway-us-east1-b.discord.gg/?v=10",
    ] {
        assert!(real.trusts("ws", good), "{good}");
    }
    for bad in [
        "ws://gateway.discord.gg",
        "wss://evildiscord.gg",
        "wss://discord.gg.example",
        "wss://discord.gg@example",
        "wss://discord.gg:443@example",
        "ws://127.0.0.1:8080",
        "",
    ] {
        assert!(!real.trusts("ws", bad), "{bad}");
    }
    assert!(real.trusts(
        "http",
        "https://cdn.discordapp.com/attachments/1/2/a.txt?ex=1"
    ));
    assert!(!real.trusts("http", "https://169.254.169.254/latest"));
    let local = api("token = \"env:TOKEN\"\napi = \"http://127.0.0.1:1/api\"");
    assert!(local.trusts("ws", "ws://127.0.0.1:8080"));
    assert!(!local.trusts("ws", "wss://gateway.discord.gg"));
    assert!(!local.trusts("http", "http://127.0.0.1.example/a"));
}
