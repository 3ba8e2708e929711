use crate::tests::fixture::{Place, channel};

#[tokio::test]
async fn cursors_are_kept_by_channel_and_name() {
    let place = Place::new().await;
    assert_eq!(
        place.store.cursor(&channel(), "updates").await.unwrap(),
        None
    );
    place
        .store
        .set_cursor(&channel(), "updates", "1")
        .await
        .unwrap();
    place
        .store
        .set_cursor(&channel(), "other", "x")
        .await
        .unwrap();
    place
        .store
        .set_cursor(&channel(), "updates", "2")
        .await
        .unwrap();
    let place = place.reopen().await;
    let kept = place.store.cursor(&channel(), "updates").await.unwrap();
    assert_eq!(kept.as_deref(), Some("2"));
}
