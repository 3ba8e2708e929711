use std::sync::{Arc, Mutex};

use futures_util::FutureExt as _;
use tokio::sync::Semaphore;

use super::*;

fn come(id: &str, lane: &str) -> Come {
    let event = Event {
        text: Some(id.to_owned()),
        ..Event::default()
    };
    Come {
        id: id.to_owned(),
        lane: lane.to_owned(),
        work: Work::Event(Box::new(event)),
    }
}

/// What was begun, in order, and how much of it may end.
#[derive(Default)]
struct Desk {
    begun: Mutex<Vec<String>>,
}

fn lanes<'a>(desk: &Arc<Desk>, may_end: &Arc<Semaphore>) -> Lanes<'a, u32> {
    let (desk, may_end) = (Arc::clone(desk), Arc::clone(may_end));
    Lanes::new(move |work| {
        let (desk, may_end) = (Arc::clone(&desk), Arc::clone(&may_end));
        Box::pin(async move {
            if let Work::Event(event) = work {
                desk.begun.lock().unwrap().push(event.text.unwrap());
            }
            may_end.acquire().await.unwrap().forget();
        })
    })
}

#[tokio::test]
async fn nothing_overtakes_in_a_lane_and_lanes_run_side_by_side() {
    let (desk, may_end) = (Arc::new(Desk::default()), Arc::new(Semaphore::new(0)));
    let mut lanes = lanes(&desk, &may_end);
    for (number, (id, lane)) in (0..).zip([("a1", "a"), ("a2", "a"), ("b1", "b")]) {
        lanes.push(come(id, lane), Some(number)).unwrap();
    }
    assert!(lanes.done().now_or_never().is_none());
    assert_eq!(*desk.begun.lock().unwrap(), ["a1", "b1"]);
    may_end.add_permits(3);
    let mut waited = Vec::new();
    for _ in 0..3 {
        waited.extend(lanes.done().await);
    }
    waited.sort_unstable();
    assert_eq!(waited, [0, 1, 2]);
    assert_eq!(*desk.begun.lock().unwrap(), ["a1", "b1", "a2"]);
    assert!(
        lanes.done().now_or_never().is_none(),
        "nothing is under way"
    );
}

#[tokio::test]
async fn the_same_again_joins_what_is_under_way() {
    let (desk, may_end) = (Arc::new(Desk::default()), Arc::new(Semaphore::new(0)));
    let mut lanes = lanes(&desk, &may_end);
    for number in 0..3 {
        lanes.push(come("a1", "a"), Some(number)).unwrap();
    }
    may_end.add_permits(1);
    assert_eq!(lanes.done().await, [0, 1, 2]);
    assert_eq!(*desk.begun.lock().unwrap(), ["a1"]);
}

#[tokio::test]
async fn there_is_a_limit() {
    let (desk, may_end) = (Arc::new(Desk::default()), Arc::new(Semaphore::new(0)));
    let mut lanes = lanes(&desk, &may_end);
    for number in 0..HELD_LIMIT {
        lanes.push(come(&number.to_string(), "a"), None).unwrap();
    }
    assert_eq!(lanes.push(come("more", "b"), Some(7)), Err(Some(7)));
    may_end.add_permits(1);
    lanes.done().await;
    lanes.push(come("more", "b"), Some(7)).unwrap();
}

/// Other events have other fields of the same names.
#[test]
fn an_event_that_is_not_about_messages_is_nothing() {
    let callback = |event: serde_json::Value| {
        let callback = serde_json::json!({
            "type": "event_callback", "event_id": "Ev1", "event": event,
        });
        Come::of_event(serde_json::from_value(callback).unwrap())
    };
    let created = serde_json::json!({ "type": "channel_created", "channel": { "id": "C1" } });
    assert!(callback(created).is_none());
    let said = serde_json::json!({ "type": "message", "channel": "C1" });
    assert_eq!(callback(said).unwrap().lane, "C1");
}
