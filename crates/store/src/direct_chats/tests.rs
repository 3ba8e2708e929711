use crate::tests::fixture::{Place, at};

#[tokio::test]
async fn where_a_person_is_reached_is_what_was_told_last() {
    let place = Place::new().await;
    let store = &place.store;
    let user = place.user("ann").await;
    assert_eq!(store.direct_chat(user).await.unwrap(), None);
    let (old, new) = (
        place.conversation("old").await,
        place.conversation("new").await,
    );
    for (conversation, when, resolved) in [(old, 1, 1), (old, 2, 1), (new, 3, 3)] {
        store
            .set_direct_chat(user, conversation, at(when))
            .await
            .unwrap();
        let known = store.direct_chat(user).await.unwrap().unwrap();
        assert_eq!(known.id, conversation);
        // What is known already is not written again.
        let written = place.number("SELECT resolved_at FROM direct_chats").await;
        assert_eq!(written, at(resolved).as_millisecond());
    }
}
