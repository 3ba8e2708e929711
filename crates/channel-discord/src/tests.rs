//! The adapter against the fake server: the conformance suite, and what is Discord's own.

use std::time::Duration;

use anchorhold_channel::conformance;

pub(crate) mod bench;
mod clicks;
mod gaps;
mod harness;
mod judges;
mod outages;
mod places;
mod words;

/// How long a test waits for something that has to happen.
const PATIENCE: Duration = Duration::from_secs(10);

/// The same promises where no session ever goes on, and what was missed is read from the conversations.
#[tokio::test]
async fn the_adapter_conforms_when_sessions_are_forgotten() {
    let report = conformance::run(harness::Harness::start_forgetful).await;
    assert_eq!(report.failures(), Vec::<String>::new(), "{report}");
    let skipped = report.skipped();
    let more = "receiving_outlives_an_outage: the platform can't fail in this way";
    assert_eq!(skipped.len(), 3, "{skipped:?}");
    assert!(skipped.contains(&more.to_owned()), "{skipped:?}");
}

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
