use anchorhold_core::{entity::MessageStatus, ids::SessionId};

use crate::{
    Disposition,
    deliveries::Origin,
    pull::{Accepted, EndedMessage, MessageEnd, Pulled, RejectedRow},
    tests::fixture::{Place, address, at, bytes, message, oldest, pulled},
};

fn answer() -> Pulled {
    let to = || address("chat", None);
    Pulled {
        out_cursor: 9,
        handled_cursor: 4,
        deliveries: vec![pulled(5, to()), pulled(3, to())],
        ended: vec![
            EndedMessage {
                seq: 2,
                end: MessageEnd::Done,
            },
            EndedMessage {
                seq: 4,
                end: MessageEnd::Failed {
                    why: "too long".to_owned(),
                },
            },
        ],
        waiting: vec![],
        rejected: vec![RejectedRow {
            seq: 9,
            why: "unknown kind".to_owned(),
        }],
        durable: false,
    }
}

#[tokio::test]
async fn a_pull_that_is_repeated_changes_nothing() {
    let place = Place::new().await;
    let session = place.session(1, "chat").await;
    place
        .store
        .put_messages(&[message(session, 2), message(session, 4)])
        .await
        .unwrap();
    let first = place
        .store
        .accept(session, &answer(), at(10))
        .await
        .unwrap();
    let all = Accepted {
        deliveries: 2,
        ended: 2,
        rejected: 1,
    };
    assert_eq!(first, all);
    let state = async |place: &Place| {
        let store = &place.store;
        (
            store.session(session).await.unwrap(),
            store.delivery_by_seq(session, 3).await.unwrap(),
            store.delivery_by_seq(session, 5).await.unwrap(),
            store.message(session, 2).await.unwrap(),
            store.message(session, 4).await.unwrap(),
            store.rejected(10).await.unwrap(),
        )
    };
    let before = state(&place).await;
    let place = place.reopen().await;
    // Exactly the same, then with other ids and an older cursor, as a new reading may have them.
    let mut reread = answer();
    reread.out_cursor = 3;
    for row in &mut reread.deliveries {
        row.delivery.id =
            crate::tests::fixture::delivery(&format!("re {}", row.seq), address("x", None)).id;
    }
    reread.ended[1].end = MessageEnd::Done;
    for again in [answer(), reread] {
        let accepted = place.store.accept(session, &again, at(20)).await.unwrap();
        assert_eq!(accepted, Accepted::default());
        assert_eq!(state(&place).await, before);
    }
    let (row, three, _, two, four, rejected) = before;
    let row = row.unwrap();
    assert_eq!((row.out_cursor, row.handled_cursor), (9, 4));
    let three = three.unwrap();
    assert_eq!(
        (three.origin, three.session),
        (Origin::Agent, Some(session))
    );
    assert_eq!(two.unwrap().status, MessageStatus::Done);
    let four = four.unwrap();
    assert_eq!(
        (four.status, four.last_error.as_deref()),
        (MessageStatus::Failed, Some("too long"))
    );
    assert_eq!((rejected.len(), rejected[0].rejected_at), (1, at(10)));
}

#[tokio::test]
async fn answers_are_sent_in_the_order_of_their_numbers() {
    let place = Place::new().await;
    let session = place.session(1, "chat").await;
    place
        .store
        .accept(session, &answer(), at(10))
        .await
        .unwrap();
    let first = oldest(&place.store, &address("chat", None)).await;
    assert_eq!(first.unwrap().seq, Some(3));
}

#[tokio::test]
async fn rows_of_a_session_that_is_gone_are_refused() {
    let place = Place::new().await;
    let nobody = SessionId::mint(at(0), bytes("nobody"));
    for pulled in [answer(), Pulled::default()] {
        let error = place
            .store
            .accept(nobody, &pulled, at(1))
            .await
            .unwrap_err();
        assert_eq!(error.disposition(), Disposition::Refused);
    }
}

#[tokio::test]
async fn one_bad_row_leaves_nothing_of_the_pull() {
    let place = Place::new().await;
    let session = place.session(1, "chat").await;
    let mut bad = answer();
    bad.deliveries[0].delivery.payload = "{".to_owned();
    place.store.accept(session, &bad, at(1)).await.unwrap_err();
    assert_eq!(place.store.delivery_by_seq(session, 3).await.unwrap(), None);
    assert_eq!(
        place
            .store
            .session(session)
            .await
            .unwrap()
            .unwrap()
            .out_cursor,
        0
    );
}
