//! The configuration changes while the host runs.

use anchorhold_channel::Accepted;

use super::*;
use crate::app::reload::{Watched, reload};

/// Writes the file anew and has the host take it over.
async fn rewrite(host: &Host, text: &str) {
    let before = fs::read(&host.bench.config).unwrap();
    let mut file = Watched::new(host.bench.config.clone(), before);
    fs::write(&host.bench.config, text).unwrap();
    reload(&host.graph, &mut file).await;
}

#[tokio::test]
async fn changed_wirings_are_taken_over() {
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    rewrite(&host, &PLAIN.replace("chat = \"*\"", "chat = \"d\"")).await;
    let declined = host.hand_over(event("m2")).await.unwrap();
    assert_eq!(declined, Accepted::Declined("awaits_wiring".to_owned()));
    let stored = host.hand_over(event_in("d", "m1")).await.unwrap();
    assert_eq!(stored, Accepted::Stored);
    // The channel is the same, and what came before is answered.
    host.enter().await.answer();
    host.enter().await.answer();
    host.until_seen(&address("c"), 1).await;
    host.until_seen(&address("d"), 1).await;
}

#[tokio::test]
async fn a_broken_file_changes_nothing() {
    let mut host = Host::new(PLAIN).await;
    for text in [
        "[channels.one",
        &PLAIN.replace("offline", "of line"),
        &PLAIN.replace("type = \"cli\"", "type = \"cli\"\nsocket = 3"),
        &PLAIN.replace("agent = \"helper\"", "agent = \"nobody\""),
    ] {
        rewrite(&host, text).await;
        assert_eq!(host.graph.registry.all().len(), 1, "{text}");
    }
    host.stored("m1").await;
    host.enter().await.answer();
    host.until_seen(&address("c"), 1).await;
}

#[tokio::test]
async fn a_channel_that_is_gone_stops_and_a_changed_one_is_replaced() {
    let host = Host::new(PLAIN).await;
    let before = host.graph.registry.get(&one()).unwrap();
    rewrite(&host, &format!("{PLAIN}\n# nothing of weight\n")).await;
    assert!(!before.shutdown.is_cancelled());

    rewrite(
        &host,
        &PLAIN.replace("\"cli\"", "\"cli\"\nsocket = \"other.sock\""),
    )
    .await;
    assert!(before.shutdown.is_cancelled());
    let after = host.graph.registry.get(&one()).unwrap();
    assert!(!after.shutdown.is_cancelled());

    rewrite(
        &host,
        &PLAIN
            .replace("[channels.one]", "[channels.two]")
            .replace("\"one\"", "\"two\""),
    )
    .await;
    assert!(after.shutdown.is_cancelled());
    let names: Vec<_> = host
        .graph
        .registry
        .all()
        .into_iter()
        .map(|(name, _)| name.to_string())
        .collect();
    assert_eq!(names, ["two"]);
}

#[tokio::test]
async fn sandboxes_that_run_get_the_changed_idle_time() {
    let mut host = Host::new(PLAIN).await;
    host.stored("m1").await;
    let mut inside = host.enter().await;
    inside.answer();
    host.until_seen(&address("c"), 1).await;
    host.advance(Duration::from_mins(2));
    rewrite(&host, &PLAIN.replace("tries = 2", "idle = \"1m\"")).await;
    until("it is stopped", async || {
        (!host.runtime().running().contains(&inside.id)).then_some(())
    })
    .await;
}

/// Whoever waits for the file learns of other content, and of nothing else.
#[tokio::test(start_paused = true)]
async fn a_file_that_changes_is_noticed() {
    let bench = Bench::new(PLAIN);
    let watched = |text: &str| Watched::new(bench.config.clone(), text.as_bytes().to_vec());
    let noticed = async |text: &str| {
        let watched = watched(text);
        tokio::time::timeout(Duration::from_mins(1), watched.changed())
            .await
            .is_ok()
    };
    assert!(!noticed(PLAIN).await);
    assert!(noticed("something else").await);
    fs::remove_file(&bench.config).unwrap();
    assert!(!noticed("something else").await);
}

/// A file that is just being written is not taken for a shorter configuration.
#[tokio::test(start_paused = true)]
async fn a_file_that_is_half_written_is_left_until_it_is_whole() {
    let bench = Bench::new(PLAIN);
    let watched = Watched::new(bench.config.clone(), PLAIN.as_bytes().to_vec());
    fs::write(&bench.config, "").unwrap();
    let looked_at_once = tokio::time::timeout(Duration::from_secs(3), watched.changed());
    assert!(looked_at_once.await.is_err());
    let written_meanwhile = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        fs::write(&bench.config, PLAIN).unwrap();
        tokio::time::sleep(Duration::from_mins(1)).await;
    };
    tokio::select! {
        () = watched.changed() => panic!("an empty file was taken over"),
        () = written_meanwhile => {}
    }
}
