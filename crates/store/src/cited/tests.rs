use anchorhold_core::ids::PlatformMessageId;

use crate::{
    ingest::Key,
    tests::fixture::{Place, address, message},
};

/// Checks under which number a session of chat `a` knows the platform's message `id` there.
async fn check(place: &Place, (chat, id): (&str, &PlatformMessageId), expect: Option<i64>) {
    let session = place.session(1, "a").await;
    let known = place.store.cited(session, &address(chat, None), id).await;
    assert_eq!(known.unwrap(), expect, "{id} in {chat}");
}

#[tokio::test]
async fn a_session_knows_what_it_heard_and_no_other_chat_is_meant() {
    let place = Place::new().await;
    let session = place.session(1, "a").await;
    let heard = message(session, 2);
    place
        .store
        .put_messages(std::slice::from_ref(&heard))
        .await
        .unwrap();
    let Key::Platform(id) = &heard.key else {
        panic!("{:?}", heard.key);
    };
    let chat = heard.address.chat.as_str();
    check(&place, (chat, id), Some(2)).await;
    check(&place, ("elsewhere", id), None).await;
    let other = PlatformMessageId::parse("never seen").unwrap();
    check(&place, (chat, &other), None).await;
}
