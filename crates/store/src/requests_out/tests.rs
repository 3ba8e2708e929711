use std::time::Duration;

use serde_json::json;

use super::*;
use crate::tests::fixture::{Place, at, group, request_out};

fn called(session: SessionId, ms: i64, turn: i64) -> RequestOut {
    RequestOut {
        at: at(ms),
        took: Duration::from_millis(40),
        turn: Some(turn),
        model: Some("m".to_owned()),
        outcome: RequestOutcome::Answered(200),
        tokens: Some(Tokens {
            input: 10,
            output: 5,
            cache_read: 100,
            cache_write: 1,
            reasoning: 2,
        }),
        cost_micros: Some(1_500_000),
        ..request_out(session)
    }
}

async fn spend(
    place: &Place,
    by: SpendBy,
    group: Option<AgentGroupId>,
) -> Vec<Vec<serde_json::Value>> {
    let rows = place.store.spend(by, at(1), group, 50).await.unwrap();
    assert!(rows.rows.iter().all(|row| row.len() == rows.columns.len()));
    rows.rows
}

const DAY: i64 = 24 * 60 * 60 * 1000;

/// Calls of two agents on two days: good ones, a failed one, one without a price, and no call at all.
async fn spent() -> (Place, [SessionId; 2]) {
    let place = Place::new().await;
    let one = place.session(1, "chat").await;
    let two = place.session(2, "other").await;
    let failed = RequestOut {
        outcome: RequestOutcome::Answered(529),
        tokens: None,
        cost_micros: None,
        ..called(one, 3, 4)
    };
    let unpriced = RequestOut {
        cost_micros: None,
        ..called(two, DAY + 1, 2)
    };
    let requests = [
        called(one, 0, 2),
        called(one, 1, 2),
        called(one, 2, 4),
        failed,
        unpriced,
        request_out(one),
    ];
    place.store.add_requests_out(&requests).await.unwrap();
    (place, [one, two])
}

fn as_rows<const N: usize>(rows: [serde_json::Value; N]) -> Vec<Vec<serde_json::Value>> {
    rows.map(|row| row.as_array().unwrap().clone()).to_vec()
}

#[tokio::test]
async fn what_was_spent_is_summed_up_by_what_is_asked_for() {
    let (place, sessions) = spent().await;
    let one = sessions[0].to_string();
    let ms = |ms: i64| at(ms).as_millisecond();
    let by_day = [
        json!(["2026-05-29", "g2", "m", 1, 0, 10, 5, 100, 1, 2, 1, null]),
        json!([
            "2026-05-28",
            "g1",
            "m",
            3,
            1,
            20,
            10,
            200,
            2,
            4,
            0,
            "3.000000"
        ]),
    ];
    assert_eq!(spend(&place, SpendBy::Day, None).await, as_rows(by_day));
    let by_turn = [
        json!([
            "g1",
            one,
            4,
            ms(3),
            "m",
            2,
            1,
            10,
            5,
            100,
            1,
            2,
            0,
            "1.500000"
        ]),
        json!([
            "g1",
            one,
            2,
            ms(1),
            "m",
            1,
            0,
            10,
            5,
            100,
            1,
            2,
            0,
            "1.500000"
        ]),
    ];
    let of_one = spend(&place, SpendBy::Turn, Some(group(1).id)).await;
    assert_eq!(of_one, as_rows(by_turn));
    assert_eq!(spend(&place, SpendBy::Agent, None).await.len(), 2);
}

#[tokio::test]
async fn what_has_no_price_is_counted_as_that() {
    let (place, [_, two]) = spent().await;
    let (two, last) = (two.to_string(), at(DAY + 1).as_millisecond());
    let by_session = [json!([
        "g2", two, last, "m", 1, 0, 10, 5, 100, 1, 2, 1, null
    ])];
    let of_two = spend(&place, SpendBy::Session, Some(group(2).id)).await;
    assert_eq!(of_two, as_rows(by_session));
}

#[tokio::test]
async fn what_is_on_record_stays_as_it_is_until_it_is_forgotten() {
    let place = Place::new().await;
    let session = place.session(1, "chat").await;
    let requests: Vec<RequestOut> = (0..5).map(|n| called(session, n, 2)).collect();
    place.store.add_requests_out(&requests).await.unwrap();
    let change = "UPDATE requests_out SET cost_micros = 0";
    place.sql(change).await.unwrap_err();
    let store = &place.store;
    assert_eq!(store.forget_requests_out(at(4), 3).await.unwrap(), 3);
    assert_eq!(store.forget_requests_out(at(4), 3).await.unwrap(), 1);
    assert_eq!(store.forget_requests_out(at(4), 3).await.unwrap(), 0);
}

#[tokio::test]
async fn a_closed_session_has_no_group_to_ask_for() {
    let place = Place::new().await;
    let session = place.session(1, "chat").await;
    let found = place.store.group_in_session(session).await.unwrap();
    assert_eq!(found, Some(group(1)));
    place.store.close_session(session, at(1)).await.unwrap();
    let found = place.store.group_in_session(session).await.unwrap();
    assert_eq!(found, None);
}
