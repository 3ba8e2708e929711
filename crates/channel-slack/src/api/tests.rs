use reqwest::{StatusCode, header::HeaderMap};

use super::*;
use crate::{config::read as settings, tests::bench::context};

fn api(base: &str) -> Api {
    let table = format!("bot_token = \"env:BOT\"\napp_token = \"env:APP\"\napi = \"{base}\"");
    Api::new(&settings(&context(), table.parse().unwrap()).unwrap()).unwrap()
}

#[test]
fn the_token_is_for_slacks_own_hosts() {
    let slack = api("https://slack.com/api");
    let own = |api: &Api, url: &str| api.is_slack(&Url::parse(url).unwrap());
    for url in [
        "https://files.slack.com/files-pri/T-F/x",
        "https://slack.com/x",
        "wss://wss-primary.slack.com/link/?ticket=1",
    ] {
        assert!(own(&slack, url), "{url}");
    }
    for url in [
        "http://files.slack.com/x",
        "https://slack.com.evil.example/x",
        "https://evilslack.com/x",
        "https://evil.example/slack.com",
        "https://files.slack.com@evil.example/",
        "ws://wss.slack.com/",
    ] {
        assert!(!own(&slack, url), "{url}");
    }
    let local = api("http://127.0.0.1:1/api");
    assert!(own(&local, "ws://127.0.0.1:2/link"));
    assert!(!own(&local, "http://127.0.0.2/"));
}

fn judged(status: u16, body: &str, wait: Option<&'static str>) -> ChannelError {
    let mut headers = HeaderMap::new();
    if let Some(wait) = wait {
        headers.insert("retry-after", wait.parse().unwrap());
    }
    let answer = Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers,
        body: body.to_owned().into(),
    };
    let failed = read::<Value>("x", &answer).unwrap_err();
    failed.into_error("x", LimitScope::Chat)
}

#[test]
fn failures_are_told_apart() {
    let kind = |error: &ChannelError| match error {
        ChannelError::RateLimited { .. } => "limited",
        ChannelError::Transient { .. } => "transient",
        ChannelError::Ambiguous { .. } => "ambiguous",
        ChannelError::Permanent { .. } => "permanent",
        ChannelError::Unauthorized { .. } => "unauthorized",
        ChannelError::Absent => "absent",
    };
    for (status, body, expect) in [
        (
            200,
            "{\"ok\":false,\"error\":\"invalid_auth\"}",
            "unauthorized",
        ),
        (
            200,
            "{\"ok\":false,\"error\":\"token_revoked\"}",
            "unauthorized",
        ),
        (200, "{\"ok\":false,\"error\":\"ratelimited\"}", "limited"),
        (
            200,
            "{\"ok\":false,\"error\":\"internal_error\"}",
            "ambiguous",
        ),
        (
            200,
            "{\"ok\":false,\"error\":\"service_unavailable\"}",
            "transient",
        ),
        (
            200,
            "{\"ok\":false,\"error\":\"channel_not_found\"}",
            "permanent",
        ),
        (200, "{\"ok\":false}", "permanent"),
        (200, "{\"ok\":true", "ambiguous"),
        (200, "[]", "ambiguous"),
        (429, "", "limited"),
        (500, "<html>", "ambiguous"),
        (503, "", "transient"),
        (302, "", "permanent"),
    ] {
        assert_eq!(kind(&judged(status, body, None)), expect, "{status} {body}");
    }
}

#[test]
fn a_limit_lasts_for_as_long_as_it_says() {
    let ChannelError::RateLimited { retry_after, .. } = judged(429, "", Some("30")) else {
        panic!("it is a limit");
    };
    assert_eq!(retry_after, Duration::from_secs(30));
}

#[test]
fn what_slack_says_is_a_word_of_its_own() {
    let said = |body: &str| judged(200, body, None).to_string();
    assert_eq!(
        said("{\"ok\":false,\"error\":\"is_archived\"}"),
        "refused for good: Slack says: is_archived"
    );
    assert_eq!(
        said("{\"ok\":false,\"error\":\"You said: hello\"}"),
        "refused for good: Slack says: something else"
    );
    assert_eq!(
        said("{\"ok\":false,\"error\":\"missing_scope\",\"needed\":\"reactions:write\"}"),
        "refused for good: the app lacks the scope reactions:write: add it under OAuth & \
         Permissions and install the app anew"
    );
}

#[test]
fn a_call_is_a_form() {
    let params = Params::new()
        .with("text", "a b&c=ü")
        .with_json("blocks", &serde_json::json!([1]));
    assert_eq!(params.form(), "text=a+b%26c%3D%C3%BC&blocks=%5B1%5D");
}
