//! The adapter against a homeserver that others wrote: the conformance suite, in the open and encrypted,
//! and what is Matrix's own.

use std::time::Duration;

use anchorhold_channel::conformance;

pub(crate) mod bench;
mod files;
mod harness;
mod login;
mod people;
mod proxy;
mod rooms;
mod synapse;
mod verify;

/// How long a test waits for something that has to happen.
const PATIENCE: Duration = Duration::from_secs(15);

/// Waits until something is seen.
async fn sees(what: &str, is: impl AsyncFn() -> bool) {
    let look = async {
        while !is().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let seen = tokio::time::timeout(PATIENCE, look).await;
    assert!(seen.is_ok(), "never seen: {what}");
}

const SKIPPED: [&str; 4] = [
    "nobody_there_is_never_sent: people scroll back, nobody is absent",
    "a_click_answers_its_question_once: the platform asks questions as text",
    "a_failed_click_does_not_end_run: the platform asks questions as text",
    "a_question_outlives_a_restart: the platform asks questions as text",
];

#[tokio::test]
async fn the_adapter_conforms() {
    let cast = harness::Cast::new().await;
    let report = conformance::run(|| harness::Harness::with(cast.clone(), false)).await;
    print!("{report}");
    assert_eq!(report.failures(), Vec::<String>::new(), "{report}");
    assert_eq!(report.skipped(), SKIPPED);
}

#[tokio::test]
async fn the_adapter_conforms_where_rooms_are_encrypted() {
    let cast = harness::Cast::new().await;
    let report = conformance::run(|| harness::Harness::with(cast.clone(), true)).await;
    assert_eq!(report.failures(), Vec::<String>::new(), "{report}");
    assert_eq!(report.skipped(), SKIPPED);
}
