use FailureClass::{
    ContextFull, ContinuationLost, OutOfBudget, RateLimited, Rejected, Transient, Unauthorised,
};

use super::*;

fn refused(status: u16, content: &str) -> Refused<'_> {
    Refused {
        status,
        content: content.as_bytes(),
        ..Refused::default()
    }
}

#[test]
fn each_answer_is_of_its_class() {
    let error = |kind: &str, message: &str| {
        serde_json::json!({"error": {"type": kind, "message": message}}).to_string()
    };
    let code = |code: &str| serde_json::json!({"error": {"code": code}}).to_string();
    for (status, content, class) in [
        (429, error("rate_limit_error", "slow down"), RateLimited),
        (429, code("insufficient_quota"), OutOfBudget),
        (529, error("overloaded_error", "Overloaded"), Transient),
        (500, String::new(), Transient),
        (503, "<html>down</html>".to_owned(), Transient),
        (408, String::new(), Transient),
        (401, error("authentication_error", "bad key"), Unauthorised),
        (403, error("permission_error", "no"), Unauthorised),
        (403, error("", "flagged by moderation"), Rejected),
        (402, String::new(), OutOfBudget),
        (
            400,
            error(
                "invalid_request_error",
                "Your credit balance is too low to access the API",
            ),
            OutOfBudget,
        ),
        (
            400,
            error("invalid_request_error", "prompt is too long: 210000 > 200000"),
            ContextFull,
        ),
        (400, code("context_length_exceeded"), ContextFull),
        (413, error("request_too_large", ""), ContextFull),
        (400, error("invalid_request_error", "bad image"), Rejected),
        (404, error("not_found_error", "model: x"), Rejected),
        (
            400,
            error(
                "invalid_request_error",
                "messages.1: `tool_use` ids were found without `tool_result` blocks",
            ),
            ContinuationLost,
        ),
        (
            400,
            "[{\"error\":{\"message\":\"an assistant message with 'tool_calls' must be followed\"}}]"
                .to_owned(),
            ContinuationLost,
        ),
    ] {
        let failure = Failure::of(&refused(status, &content), true);
        assert_eq!(failure.class, class, "{status} {content}");
        let fresh = Failure::of(&refused(status, &content), false).class;
        let expect = if class == ContinuationLost { Rejected } else { class };
        assert_eq!(fresh, expect, "{status} {content}");
    }
}

#[test]
fn the_hosts_own_rules_are_known() {
    for (rule, class) in [
        ("no-model", Rejected),
        ("server-side", Rejected),
        ("model-name", Transient),
        ("too-large", ContextFull),
    ] {
        let content = "{\"error\":{\"message\":\"refused by rule\"}}";
        let refused = Refused {
            rule: Some(rule),
            ..refused(403, content)
        };
        assert_eq!(Failure::of(&refused, true).class, class, "{rule}");
    }
}

#[test]
fn the_wait_is_the_providers() {
    let after = |retry_after, retry_after_ms| {
        let refused = Refused {
            retry_after,
            retry_after_ms,
            ..refused(429, "")
        };
        Failure::of(&refused, false).after
    };
    assert_eq!(after(Some("7"), None), Some(Duration::from_secs(7)));
    assert_eq!(
        after(Some("7"), Some("1500")),
        Some(Duration::from_millis(1500))
    );
    for odd in ["-1", "soon", "1e99", "NaN", "Sun, 06 Nov 1994 08:49:37 GMT"] {
        assert_eq!(after(Some(odd), None), None, "{odd}");
    }
    let at = |date| {
        let refused = Refused {
            retry_after: Some(date),
            date: Some("Sun, 06 Nov 1994 08:49:37 GMT"),
            ..refused(429, "")
        };
        Failure::of(&refused, false).after
    };
    let wait = at("Sun, 06 Nov 1994 08:51:07 GMT");
    assert_eq!(wait, Some(Duration::from_secs(90)));
    assert_eq!(at("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
    assert_eq!(at("Sun, 06 Nov 1994"), None);
}

#[test]
fn what_is_kept_of_it_is_bounded() {
    let content = format!("{{\"error\":\"{}\\n\"}}", "é".repeat(5000));
    let failure = Failure::of(&refused(500, &content), false);
    assert_eq!(failure.detail.chars().count(), DETAIL_LIMIT);
    assert!(failure.detail.starts_with("status 500: é"));
    let plain = Failure::of(&refused(502, "bad\ngateway"), false);
    assert_eq!(plain.detail, "status 502: bad gateway");
}

#[test]
fn errors_in_a_stream_have_classes_too() {
    for (event, class) in [
        (
            "{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}",
            Transient,
        ),
        ("{\"type\":\"rate_limit_error\"}", RateLimited),
        ("{\"code\":502,\"message\":\"upstream\"}", Transient),
        ("{\"code\":429,\"message\":\"slow\"}", RateLimited),
        ("\"what\"", Transient),
    ] {
        let event: Value = serde_json::from_str(event).unwrap();
        assert_eq!(Failure::of_event(&event, false).class, class, "{event}");
    }
}
