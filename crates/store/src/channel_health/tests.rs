use super::*;
use crate::tests::fixture::{Place, address, at, channel, delivery};

fn handle(name: &str) -> Handle {
    Handle::parse(name).unwrap()
}

#[tokio::test]
async fn what_was_observed_outlives_the_host() {
    let place = Place::new().await;
    let store = &place.store;
    assert_eq!(store.channel_health(&channel()).await.unwrap(), None);
    let health = ChannelHealth {
        inbound_at: Some(at(1)),
        outbound_at: Some(at(2)),
        reconnects: 3,
        restarts: 4,
        last_error: Some((at(5), "reset".to_owned())),
        outage: Some(Outage {
            since: at(6),
            told_at: Some(at(7)),
        }),
        ..ChannelHealth::unknown(channel())
    };
    let notice = delivery("it is down", address("owner", None));
    let told = [notice.clone()];
    store
        .save_channel_health(&health, &told, at(7))
        .await
        .unwrap();
    store.identify(&channel(), &handle("bot")).await.unwrap();
    let place = place.reopen().await;
    let expect = ChannelHealth {
        identity: Some(handle("bot")),
        ..health
    };
    let found = place.store.channel_health(&channel()).await.unwrap();
    assert_eq!(found, Some(expect));
    assert!(place.store.delivery(notice.id).await.unwrap().is_some());
}

#[tokio::test]
async fn oc_11969_each_account_has_its_own_cursor() {
    let place = Place::new().await;
    let store = &place.store;
    let (a, b) = (handle("a"), handle("b"));
    store.set_cursor(&channel(), "stream", "17").await.unwrap();
    let identify = async |who: &Handle| store.identify(&channel(), who).await.unwrap();
    let cursor = async |who: &Handle| {
        let name = stream_of(who);
        store.cursor(&channel(), &name).await.unwrap()
    };
    // What an earlier version has left counts as the first account's.
    assert_eq!(identify(&a).await, Identified::First);
    assert_eq!(cursor(&a).await, Some("17".to_owned()));
    assert_eq!(identify(&a).await, Identified::Same);
    assert_eq!(
        identify(&b).await,
        Identified::Changed { before: a.clone() }
    );
    assert_eq!(cursor(&b).await, None);
    // And the first account's is there when it comes back.
    assert_eq!(identify(&a).await, Identified::Changed { before: b });
    assert_eq!(cursor(&a).await, Some("17".to_owned()));
}
