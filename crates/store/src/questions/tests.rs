use anchorhold_core::ids::QuestionId;

use crate::{
    questions::{Answering, NewQuestion, QuestionStatus},
    tests::fixture::{Place, address, at, bytes, delivery},
};

/// A question of session 1 that expires at 100.
async fn asked(place: &Place, name: &str) -> NewQuestion {
    let session = place.session(1, "chat").await;
    let card = delivery(name, address("chat", None));
    let notice = place.store.new_delivery(Some(session), &card, at(0));
    notice.await.unwrap();
    NewQuestion {
        id: QuestionId::mint(at(0), bytes(name)),
        session,
        delivery: card.id,
        title: "Which?".to_owned(),
        options: vec!["this".to_owned(), "that".to_owned()],
        expires_at: at(100),
    }
}

#[tokio::test]
async fn a_question_reads_back_with_its_options_and_is_answered_once() {
    let place = Place::new().await;
    let store = &place.store;
    let fresh = asked(&place, "q").await;
    for _ in 0..2 {
        store.open_question(&fresh, at(1)).await.unwrap();
    }
    let known = store.question(fresh.id).await.unwrap().unwrap();
    assert_eq!(
        (known.session, known.delivery),
        (fresh.session, fresh.delivery)
    );
    assert_eq!(
        (&known.title, &known.options),
        (&fresh.title, &fresh.options)
    );
    assert_eq!((known.status, known.answer), (QuestionStatus::Open, None));
    let user = place.user("ann").await;
    let nobody = QuestionId::mint(at(0), bytes("other"));
    for (question, option, when, expect) in [
        (fresh.id, 2, 2, Answering::Gone),
        (nobody, 0, 2, Answering::Gone),
        (fresh.id, 1, 100, Answering::Expired),
        (fresh.id, 1, 3, Answering::Now),
        (fresh.id, 0, 4, Answering::Already),
    ] {
        let answered = store.answer_question(question, option, Some(user), at(when));
        assert_eq!(answered.await.unwrap(), expect, "{option} {when}");
    }
    let known = store.question(fresh.id).await.unwrap().unwrap();
    assert_eq!(
        (known.status, known.answer.as_deref()),
        (QuestionStatus::Answered, Some("that"))
    );
    assert_eq!(
        (known.answered_by, known.answered_at),
        (Some(user), Some(at(3)))
    );
    assert!(!format!("{fresh:?}").contains("Which"));
}

#[tokio::test]
async fn questions_expire_and_codes_name_open_ones() {
    let place = Place::new().await;
    let store = &place.store;
    let (early, late) = (asked(&place, "a").await, asked(&place, "b").await);
    let late = NewQuestion {
        expires_at: at(200),
        ..late
    };
    for fresh in [&early, &late] {
        store.open_question(fresh, at(1)).await.unwrap();
        let named = store.question_by_code(&fresh.id.code()).await.unwrap();
        assert_eq!(named, [fresh.id]);
    }
    assert_eq!(store.question_by_code("").await.unwrap(), []);
    for (when, expect) in [(99, 0), (100, 1), (100, 0)] {
        assert_eq!(store.expire_questions(at(when), 9).await.unwrap(), expect);
    }
    let code = early.id.code();
    assert_eq!(store.question_by_code(&code).await.unwrap(), []);
    let answered = store.answer_question(early.id, 0, None, at(101)).await;
    assert_eq!(answered.unwrap(), Answering::Expired);
    let answered = store.answer_question(late.id, 0, None, at(101)).await;
    assert_eq!(answered.unwrap(), Answering::Now);
}
