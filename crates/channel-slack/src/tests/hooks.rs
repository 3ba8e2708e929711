//! Being called instead of listening.

use anchorhold_channel_kit::http::Http;
use serde_json::json;

use super::{
    bench::{ANN, ANNS, Bench, url},
    harness::NOW,
};
use crate::fake::post;

async fn call(bench: &Bench, body: &str, now: i64) -> Option<u16> {
    let url = url(&bench.adapter).unwrap();
    let http = Http::new(None).unwrap();
    let body = ("application/json", body.as_bytes().to_vec());
    post(&http, &url, body, now).await
}

fn event(text: &str) -> String {
    json!({
        "type": "event_callback", "event_id": format!("Ev-{text}"),
        "event": {
            "type": "message", "channel": ANNS, "user": ANN, "text": text,
            "ts": "1767225700.000100", "event_ts": "1767225700.000100", "channel_type": "im",
        },
    })
    .to_string()
}

/// What was recorded and is played again later proves nothing, nor does what is from the future.
#[tokio::test]
async fn only_who_signs_now_is_heard() {
    let bench = Bench::called().await;
    assert_eq!(call(&bench, &event("late"), NOW - 301).await, Some(401));
    assert_eq!(call(&bench, &event("early"), NOW + 301).await, Some(401));
    let (url, http) = (url(&bench.adapter).unwrap(), Http::new(None).unwrap());
    for signature in ["", "v0=", "v1=00", "v0=aa"] {
        let request = http.client().post(&url).body(event("forged"));
        let request = request
            .header("x-slack-request-timestamp", NOW.to_string())
            .header("x-slack-signature", signature);
        let answer = http.ask("calling", request).await.unwrap();
        assert_eq!(answer.status.as_u16(), 401, "{signature}");
    }
    assert_eq!(bench.intake.arrived().offered, 0);
    assert_eq!(call(&bench, &event("now"), NOW - 299).await, Some(200));
    assert_eq!(bench.event(1).await.text, "now");
    bench.stop().await;
}

/// Slack shows a challenge before it calls; it is answered only to who proves to be Slack.
#[tokio::test]
async fn a_challenge_is_answered() {
    let bench = Bench::called().await;
    let (url, http) = (url(&bench.adapter).unwrap(), Http::new(None).unwrap());
    let body = json!({ "type": "url_verification", "challenge": "3eZbrw1aB" }).to_string();
    let unsigned = http
        .ask("calling", http.client().post(&url).body(body.clone()))
        .await;
    assert_eq!(unsigned.unwrap().status.as_u16(), 401);
    let signed = anchorhold_channel_kit::webhook::signature(
        crate::fake::SIGNING_SECRET.as_bytes(),
        &[format!("v0:{NOW}:{body}").as_bytes()],
    );
    let request = http
        .client()
        .post(&url)
        .header("x-slack-request-timestamp", NOW.to_string())
        .header("x-slack-signature", format!("v0={signed}"))
        .body(body);
    let answer = http.ask("calling", request).await.unwrap();
    assert_eq!(answer.status.as_u16(), 200);
    assert_eq!(answer.body.as_ref(), b"3eZbrw1aB");
    bench.stop().await;
}

#[tokio::test]
async fn what_can_not_be_read_is_said_to_be_so() {
    let bench = Bench::called().await;
    assert_eq!(call(&bench, "{\"type\":", NOW).await, Some(400));
    assert_eq!(call(&bench, "{}", NOW).await, Some(400));
    let other = json!({ "type": "event_callback", "event_id": "Ev1", "event": { "type": "x", "channel": {} } });
    assert_eq!(call(&bench, &other.to_string(), NOW).await, Some(200));
    bench.stop().await;
}

#[tokio::test]
async fn a_call_succeeds_only_when_its_message_is_stored() {
    let bench = Bench::called().await;
    bench.intake.block();
    let body = event("slowly");
    let calling = call(&bench, &body, NOW);
    let unblocking = async {
        let offered = bench.intake.until(super::PATIENCE, |now| now.offered >= 1);
        assert!(offered.await);
        assert_eq!(bench.intake.events(), []);
        bench.intake.unblock();
    };
    let (answered, ()) = tokio::join!(calling, unblocking);
    assert_eq!(answered, Some(200));
    assert_eq!(bench.intake.events().len(), 1);
    bench.stop().await;
}

/// Made by a library of Slack's own: `SignatureVerifier` of `slack_sdk` 3.48.
#[tokio::test]
async fn a_signature_of_slacks_own_library_is_a_good_one() {
    let bench = Bench::called().await;
    let (url, http) = (url(&bench.adapter).unwrap(), Http::new(None).unwrap());
    let call = |signature: &'static str| {
        let request = http
            .client()
            .post(&url)
            .header("x-slack-request-timestamp", "1767225600")
            .header("x-slack-signature", signature)
            .body("{\"type\":\"event_callback\"}");
        http.ask("calling", request)
    };
    let good = "v0=0849ffdc6cf9c274c260304501528bb125f71f872c0f5e3b484f93b6aa9b26b9";
    assert_eq!(call(good).await.unwrap().status.as_u16(), 200);
    let other = "v0=1849ffdc6cf9c274c260304501528bb125f71f872c0f5e3b484f93b6aa9b26b9";
    assert_eq!(call(other).await.unwrap().status.as_u16(), 401);
    bench.stop().await;
}
