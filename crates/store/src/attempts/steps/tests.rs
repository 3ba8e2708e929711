use anchorhold_core::entity::DeliveryStatus;

use crate::{
    Durability,
    attempts::{
        AttemptId, Refusal, Settled,
        steps::{Begin, Step},
    },
    deliveries::NewDelivery,
    tests::fixture::{Place, address, at, channel, delivery},
};

/// So many deliveries, each in a lane of its own.
async fn lanes(count: usize) -> (Place, Vec<NewDelivery>) {
    let place = Place::new().await;
    let mut all = Vec::new();
    for number in 0..count {
        let name = format!("notice {number}");
        let notice = delivery(&name, address(&format!("chat {number}"), None));
        let store = &place.store;
        store.new_delivery(None, &notice, at(0)).await.unwrap();
        all.push(notice);
    }
    (place, all)
}

fn begin(delivery: &NewDelivery, part: u32) -> Step {
    Step {
        settle: None,
        begin: Some(Begin {
            delivery: delivery.id,
            part,
            durability: Durability::Process,
        }),
    }
}

fn sent(attempt: AttemptId, last: bool) -> (AttemptId, Settled) {
    let platform_id = None;
    (attempt, Settled::PartSent { platform_id, last })
}

#[tokio::test]
async fn lanes_go_on_together_and_each_for_itself() {
    let (place, all) = lanes(3).await;
    let store = &place.store;
    let steps = [begin(&all[0], 0), begin(&all[1], 1), begin(&all[2], 0)];
    let begun = store.advance(&steps, at(1)).await.unwrap();
    let (first, third) = match begun.as_slice() {
        [Some(Ok(first)), Some(Err(Refusal::Part)), Some(Ok(third))] => (*first, *third),
        other => panic!("{other:?}"),
    };
    // The end of one part and the beginning of the next are one step.
    let steps = [
        Step {
            settle: Some(sent(first, false)),
            ..begin(&all[0], 1)
        },
        Step {
            settle: Some(sent(third, true)),
            begin: None,
        },
    ];
    let begun = store.advance(&steps, at(2)).await.unwrap();
    assert!(matches!(begun.as_slice(), [Some(Ok(_)), None]), "{begun:?}");
    let one = store.delivery(all[0].id).await.unwrap().unwrap();
    assert_eq!((one.parts_sent, one.status), (1, DeliveryStatus::Pending));
    let other = store.delivery(all[2].id).await.unwrap().unwrap();
    assert_eq!(other.status, DeliveryStatus::Sent);
    // What is settled stays as it is, however often a step is taken.
    let again = Step {
        settle: Some(sent(third, true)),
        ..begin(&all[2], 0)
    };
    let begun = store.advance(&[again], at(3)).await.unwrap();
    assert_eq!(begun, [Some(Err(Refusal::Ended))]);
    let same = store.delivery(all[2].id).await.unwrap().unwrap();
    assert_eq!(same, other);
}

#[tokio::test]
async fn no_attempt_begins_while_its_instance_is_parked_or_another_is_open() {
    let (place, all) = lanes(1).await;
    let store = &place.store;
    store.park_channel_until(&channel(), at(10)).await.unwrap();
    let step = [begin(&all[0], 0)];
    let begun = store.advance(&step, at(9)).await.unwrap();
    assert_eq!(begun, [Some(Err(Refusal::Parked))]);
    let begun = store.advance(&step, at(10)).await.unwrap();
    assert!(matches!(begun.as_slice(), [Some(Ok(_))]), "{begun:?}");
    let begun = store.advance(&step, at(11)).await.unwrap();
    assert_eq!(begun, [Some(Err(Refusal::Open))]);
}

#[tokio::test]
async fn steps_of_which_one_fails_are_all_undone() {
    let (place, all) = lanes(2).await;
    let store = &place.store;
    place
        .sql(&format!(
            "CREATE TRIGGER broken BEFORE INSERT ON attempts WHEN NEW.delivery_id = '{}'
             BEGIN SELECT RAISE(ABORT, 'broken by the test'); END",
            all[1].id
        ))
        .await
        .unwrap();
    let steps = [begin(&all[0], 0), begin(&all[1], 0)];
    store.advance(&steps, at(1)).await.unwrap_err();
    assert_eq!(store.interrupted_attempts(10).await.unwrap(), []);
    store.advance(&steps[..1], at(1)).await.unwrap();
    assert_eq!(store.interrupted_attempts(10).await.unwrap().len(), 1);
}
