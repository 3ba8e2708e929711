//! Logins, devices, and what opens an account's secrets.

use anchorhold_channel::conformance::{Chat, ConformanceHarness as _};
use camino::Utf8Path;
use matrix_sdk::ruma::UserId;
use serde_json::{Value, json};

use super::{
    bench::{Memory, Running, address, post, table},
    harness::{Harness, room},
    people::{Person, text},
    sees,
};

fn folder(harness: &Harness) -> &Utf8Path {
    Utf8Path::from_path(harness.dir.path()).unwrap()
}

#[tokio::test]
async fn a_token_is_a_device_of_its_own_and_stays_it() {
    let harness = Harness::start(true).await.unwrap();
    let memory = Memory::new();
    let login = harness.synapse.log_in(&harness.bot.user).await;
    let table = format!(
        "homeserver = \"{}\"\ntoken = \"env:ACCESS\"",
        harness.synapse.base
    );
    let secrets = [("ACCESS", login.token.as_str())];
    for (number, words) in ["hello", "and again"].into_iter().enumerate() {
        let running = Running::start_with(folder(&harness), &table, &memory, &secrets).await;
        harness.say(Chat::One, words, words).await.unwrap();
        let events = running.stored(number + 1).await;
        assert_eq!(events[number].text, words);
        running.stop().await;
    }
    let token = Some(login.token.as_str());
    let devices = harness.synapse.call("GET", "devices", token, Value::Null);
    let devices = devices.await;
    // That of its registration, and that of the token.
    assert_eq!(devices["devices"].as_array().unwrap().len(), 2, "{devices}");
}

#[tokio::test]
async fn a_device_that_somebody_removed_is_replaced_at_the_next_start() {
    let harness = Harness::start(true).await.unwrap();
    let memory = Memory::new();
    let table = table(&harness.synapse.base, &harness.bot.user);
    let running = Running::start(folder(&harness), &table, &memory).await;
    let written = folder(&harness).join("matrix/mx/session.json");
    let written: Value = serde_json::from_str(&std::fs::read_to_string(written).unwrap()).unwrap();
    let token = written["access_token"].as_str();
    let synapse = &harness.synapse;
    synapse.call("POST", "logout", token, json!({})).await;
    let ended = running.ended().await.unwrap_err();
    assert!(ended.to_string().contains("access token"), "{ended}");
    let running = Running::start(folder(&harness), &table, &memory).await;
    harness.say(Chat::One, "m1", "are you back?").await.unwrap();
    assert_eq!(running.stored(1).await[0].text, "are you back?");
    running.stop().await;
}

#[tokio::test]
async fn a_recovery_key_makes_the_device_one_of_the_accounts() {
    let harness = Harness::start(true).await.unwrap();
    let bot = UserId::parse(&harness.bot.user).unwrap();
    // Somebody has set the account's encryption up in a client.
    let owner = Person::log_in(&harness.synapse, &harness.bot.user).await;
    let encryption = owner.client.encryption();
    Box::pin(encryption.bootstrap_cross_signing(None))
        .await
        .unwrap();
    let recovery = encryption.recovery();
    let enabling = recovery.enable();
    let key = Box::pin(async { enabling.await }).await.unwrap();
    let is_trusted = async || {
        harness.ann.look_at(&harness.bot.user).await;
        let encryption = harness.ann.client.encryption();
        let devices = encryption.get_user_devices(&bot).await.unwrap();
        let named = |name: Option<&str>| name == Some("Anchorhold");
        devices
            .devices()
            .any(|device| named(device.display_name()) && device.is_cross_signed_by_owner())
    };
    let memory = Memory::new();
    let plain = table(&harness.synapse.base, &harness.bot.user);
    let running = Running::start(folder(&harness), &plain, &memory).await;
    running.stop().await;
    assert!(!is_trusted().await, "nobody has vouched for it");
    let table = format!("{plain}\nrecovery_key = \"env:RECOVERY\"");
    for secret in ["not the key", key.as_str()] {
        let secrets = [("RECOVERY", secret)];
        let running = Running::start_with(folder(&harness), &table, &memory, &secrets).await;
        harness.say(Chat::One, secret, "hello").await.unwrap();
        running.stored(if secret == key { 2 } else { 1 }).await;
        if secret == key {
            sees("that the account vouches for the device", is_trusted).await;
        } else {
            assert!(!is_trusted().await, "a wrong key opens nothing");
        }
        running.stop().await;
    }
}

#[tokio::test]
async fn who_was_away_reads_what_was_said_encrypted_meanwhile() {
    let harness = Harness::start(true).await.unwrap();
    let synapse = &harness.synapse;
    let mut eve = Person::new(synapse, &format!("eve{}", synapse.number())).await;
    let here = room(synapse, &eve, &[&harness.bot], true).await;
    let memory = Memory::new();
    let table = table(&synapse.base, &harness.bot.user);
    let running = Running::start(folder(&harness), &table, &memory).await;
    eve.look_at(&harness.bot.user).await;
    eve.send(&here, text("I am leaving"), "1").await.unwrap();
    running.stored(1).await;
    eve.leave();
    running
        .send(&address(&here, None), post("while you are away"), 1)
        .await;
    running.stop().await;
    eve.come_back();
    sees("what was said", async || {
        let messages = eve.messages(&here, None, &harness.bot.user);
        messages.len() == 1 && messages[0]["content"]["body"] == "while you are away"
    })
    .await;
    // Both have started anew, and both go on with the keys they had.
    let running = Running::start(folder(&harness), &table, &memory).await;
    eve.send(&here, text("I am back"), "2").await.unwrap();
    assert_eq!(running.stored(2).await[1].text, "I am back");
    running
        .send(&address(&here, None), post("so am I"), 2)
        .await;
    sees("the second answer", async || {
        eve.messages(&here, None, &harness.bot.user).len() == 2
    })
    .await;
    running.stop().await;
}
