//! Being called instead of polling.

use anchorhold_channel::fake::FakeCursorStore;
use anchorhold_channel_kit::http::Http;
use serde_json::{Value, json};

use super::{
    PATIENCE,
    bench::{Bench, webhook},
    harness::ANN,
};
use crate::{
    fake::{FakeTelegram, TOKEN},
    webhook::secret,
};

async fn start() -> (Bench, String) {
    let webhook = webhook();
    let fake = FakeTelegram::start().await.unwrap();
    let mut bench = Bench::on(fake, FakeCursorStore::new(), Some(webhook));
    let up = |health: &anchorhold_channel::Health| {
        health.connection == anchorhold_channel::Connection::Connected
    };
    let up = tokio::time::timeout(PATIENCE, bench.view.until(up)).await;
    assert!(up.unwrap().is_some());
    let url = format!("http://{}/tg", bench.adapter.listening().unwrap());
    (bench, url)
}

async fn call(url: &str, secret: &str, update: &Value) -> u16 {
    let http = Http::new(None).unwrap();
    let request = http
        .client()
        .post(url)
        .header("x-telegram-bot-api-secret-token", secret)
        .body(update.to_string());
    http.ask("calling", request).await.unwrap().status.as_u16()
}

#[tokio::test]
async fn telegram_is_told_where_to_call_and_how_to_prove_itself() {
    let (bench, url) = start().await;
    let told = bench.fake.calls("setWebhook").remove(0);
    assert_eq!(told["url"], "https://bot.example/tg");
    assert_eq!(told["secret_token"], secret(TOKEN));
    assert!(
        told["allowed_updates"]
            .as_array()
            .unwrap()
            .contains(&"message_reaction".into())
    );
    bench.fake.say(ANN, ANN, json!({ "text": "hi" }));
    let update = bench.fake.pending().remove(0);
    assert_eq!(call(&url, "guess", &update).await, 401);
    assert_eq!(bench.intake.arrived().offered, 0);
    assert_eq!(call(&url, &secret(TOKEN), &update).await, 200);
    assert_eq!(bench.event(1).await.text, "hi");
    assert_eq!(
        call(&url, &secret(TOKEN), &json!({ "no": "number" })).await,
        400
    );
    bench.stop().await;
}

#[tokio::test]
async fn a_call_succeeds_only_when_its_message_is_stored() {
    let (bench, url) = start().await;
    bench
        .intake
        .answer_next(anchorhold_channel::fake::IntakeAnswer::Unavailable);
    bench.fake.say(ANN, ANN, json!({ "text": "hi" }));
    let update = bench.fake.pending().remove(0);
    assert_eq!(call(&url, &secret(TOKEN), &update).await, 503);
    assert_eq!(call(&url, &secret(TOKEN), &update).await, 200);
    assert_eq!(bench.events(1).await.len(), 1);
    bench.stop().await;
}

#[tokio::test]
async fn the_parts_of_an_album_succeed_together() {
    let (bench, url) = start().await;
    for n in 0..3 {
        let id = bench.fake.file("f", b"f");
        let document = json!({ "file_id": id, "file_unique_id": "u", "file_name": n.to_string() });
        let fields = json!({ "media_group_id": "g", "document": document });
        bench.fake.say(ANN, ANN, fields);
    }
    let updates = bench.fake.pending();
    let secret = secret(TOKEN);
    let answers = tokio::join!(
        call(&url, &secret, &updates[1]),
        call(&url, &secret, &updates[0]),
        call(&url, &secret, &updates[2]),
    );
    assert_eq!(answers, (200, 200, 200));
    let names: Vec<String> = bench
        .event(1)
        .await
        .attachments
        .into_iter()
        .map(|file| file.name)
        .collect();
    assert_eq!(names, ["0", "1", "2"]);
    bench.stop().await;
}

/// Whoever goes back to polling takes what waits with them.
#[tokio::test]
async fn a_poll_takes_the_webhook_away() {
    let (bench, _url) = start().await;
    let (fake, cursors) = bench.stop().await;
    let bench = Bench::on(fake, cursors, None);
    bench.fake.say(ANN, ANN, json!({ "text": "hi" }));
    assert_eq!(bench.event(1).await.text, "hi");
    bench.stop().await;
}
