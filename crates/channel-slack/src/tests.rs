//! The adapter against the fake workspace: the conformance suite, and what is Slack's own.

use std::time::Duration;

use anchorhold_channel::conformance;

pub(crate) mod bench;
mod chats;
mod files;
mod harness;
mod hooks;
mod outages;
mod words;

/// How long a test waits for something that has to happen.
const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn the_adapter_conforms() {
    let report = conformance::run(harness::Harness::start).await;
    print!("{report}");
    assert_eq!(report.failures(), Vec::<String>::new(), "{report}");
    assert_eq!(
        report.skipped(),
        [
            "nobody_there_is_never_sent: people scroll back, nobody is absent",
            "what_is_not_there_is_refused_for_good: the platform can do everything",
        ]
    );
}

/// The same promises where Slack calls.
#[tokio::test]
async fn the_adapter_conforms_when_it_is_called() {
    let report = conformance::run(harness::Harness::start_hooked).await;
    assert_eq!(report.failures(), Vec::<String>::new(), "{report}");
    let more = "receiving_outlives_an_outage: the platform can't fail in this way";
    assert_eq!(report.skipped().len(), 3, "{report}");
    assert!(report.skipped().contains(&more.to_owned()), "{report}");
}
