use std::time::Duration;

use anchorhold_sessiondb::{Inbound, InboundRow, Note, Seq};
use jiff::Timestamp;
use tokio::time::timeout;

use crate::follow_ups::FollowUps;

const LONG: Duration = Duration::from_hours(1);

fn row(seq: i64) -> InboundRow {
    InboundRow {
        seq: Seq::new(seq).unwrap(),
        triggers: true,
        tries: 0,
        failures: 0,
        place: "cli/c1".to_owned(),
        created_at: Timestamp::UNIX_EPOCH,
        payload: Inbound::Note(Note {
            text: "x".to_owned(),
        }),
    }
}

#[tokio::test(start_paused = true)]
async fn what_comes_in_time_is_picked_up() {
    let follow_ups = FollowUps::default();
    let serve = async {
        follow_ups.asked().await;
        assert!(follow_ups.wanted());
        follow_ups.looked(Vec::new());
        tokio::time::sleep(LONG / 2).await;
        follow_ups.looked(vec![row(2), row(4)]);
    };
    let (taken, ()) = tokio::join!(follow_ups.take(LONG), serve);
    assert_eq!(taken, [row(2), row(4)]);
    assert_eq!((follow_ups.wanted(), follow_ups.unread()), (false, vec![]));
}

#[tokio::test(start_paused = true)]
async fn without_patience_one_look_decides() {
    let follow_ups = FollowUps::default();
    for found in [vec![], vec![row(2)]] {
        let expect = found.clone();
        let serve = async {
            follow_ups.asked().await;
            follow_ups.looked(found);
        };
        let (taken, ()) = tokio::join!(follow_ups.take(Duration::ZERO), serve);
        assert_eq!(taken, expect);
    }
}

#[tokio::test(start_paused = true)]
async fn patience_ends() {
    let follow_ups = FollowUps::default();
    let serve = async {
        follow_ups.asked().await;
        follow_ups.looked(Vec::new());
    };
    let (taken, ()) = tokio::join!(follow_ups.take(LONG), serve);
    assert_eq!((taken, follow_ups.wanted()), (vec![], false));
}

#[tokio::test(start_paused = true)]
async fn what_nobody_picked_up_is_known_and_there_for_the_next_call() {
    let follow_ups = FollowUps::default();
    assert!(
        timeout(Duration::from_secs(1), follow_ups.take(LONG))
            .await
            .is_err()
    );
    assert!(!follow_ups.wanted());
    follow_ups.looked(vec![row(2)]);
    assert_eq!(follow_ups.unread(), [row(2).seq]);
    assert_eq!(follow_ups.take(LONG).await, [row(2)]);
    assert_eq!(follow_ups.unread(), vec![]);
}

#[tokio::test(start_paused = true)]
async fn once_closed_nobody_waits() {
    assert_eq!(FollowUps::none().take(LONG).await, vec![]);
    let follow_ups = FollowUps::default();
    let serve = async {
        follow_ups.asked().await;
        follow_ups.close();
        assert!(!follow_ups.wanted());
    };
    let before = tokio::time::Instant::now();
    let (taken, ()) = tokio::join!(follow_ups.take(LONG), serve);
    assert_eq!((taken, before.elapsed()), (vec![], Duration::ZERO));
}
