use reqwest::StatusCode;

use super::*;

fn of(status: u16, body: &str) -> Answer {
    Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers: reqwest::header::HeaderMap::new(),
        body: body.to_owned().into_bytes().into(),
    }
}

#[track_caller]
fn check(status: u16, body: &str, expect: &str) {
    let read: Result<bool, Failed> = read("testing", &of(status, body));
    let shown = match read {
        Ok(value) => value.to_string(),
        Err(failed) => failed.into_error("testing", LimitScope::Chat).to_string(),
    };
    assert_eq!(shown, expect, "{body}");
}

#[test]
fn an_answer_says_what_was_done() {
    check(200, r#"{"ok":true,"result":true}"#, "true");
    check(
        401,
        r#"{"ok":false,"error_code":401,"description":"Unauthorized"}"#,
        "not authorized: Telegram does not accept the bot's token",
    );
    check(
        404,
        r#"{"ok":false,"error_code":404,"description":"Not Found"}"#,
        "not authorized: Telegram does not accept the bot's token",
    );
    check(
        429,
        r#"{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 7","parameters":{"retry_after":7}}"#,
        "the platform asks to wait 7s",
    );
    check(
        429,
        r#"{"ok":false,"error_code":429,"description":"Too Many Requests"}"#,
        "the platform asks to wait 5s",
    );
    check(
        403,
        r#"{"ok":false,"error_code":403,"description":"Forbidden: bot was blocked by the user"}"#,
        "refused for good: Telegram says: Forbidden: bot was blocked by the user",
    );
    check(
        502,
        r#"{"ok":false,"error_code":502,"description":"Bad Gateway"}"#,
        "testing ended without an answer",
    );
}

#[test]
fn what_is_not_telegrams_says_what_its_status_says() {
    check(
        200,
        "<html>log in first</html>",
        "testing ended without an answer",
    );
    check(
        200,
        r#"{"ok":true,"result":"yes"}"#,
        "testing ended without an answer",
    );
    check(502, "Bad Gateway", "testing ended without an answer");
    check(503, "", "testing failed for now");
    check(
        413,
        "",
        "refused for good: it was not Telegram that answered (status 413)",
    );
}

#[test]
fn nothing_is_repeated_of_what_was_sent() {
    check(
        400,
        r#"{"ok":false,"error_code":400,"description":"Bad Request: can't parse entities: Unsupported start tag \"my secret\" at byte offset 5"}"#,
        "refused for good: Telegram says: can't parse entities: Unsupported start tag … at byte \
         offset 5",
    );
}
