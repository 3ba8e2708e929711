use std::time::Duration;

use super::*;
use crate::fake::FakeClock;

#[tokio::test]
async fn health_is_what_was_observed() {
    let clock = FakeClock::new();
    let start = clock.now();
    let as_clock: Arc<dyn Clock> = Arc::<FakeClock>::clone(&clock);
    let (reporter, mut view) = pair(as_clock);
    assert_eq!(view.get().connection, Connection::Starting);

    reporter.connected();
    reporter.inbound();
    clock.advance(Duration::from_secs(5));
    reporter.outbound();
    reporter.reconnecting("reset");
    clock.advance(Duration::from_secs(5));
    reporter.reconnecting("refused");
    let later = start + Duration::from_secs(5);
    let expect = Health {
        connection: Connection::Reconnecting {
            since: later,
            why: "refused".into(),
        },
        last_inbound: Some(start),
        last_outbound: Some(later),
    };
    assert_eq!(view.get(), expect);

    reporter.dead("revoked");
    let dead = view
        .until(|health| matches!(health.connection, Connection::Dead { .. }))
        .await;
    assert!(dead.is_some());
    drop(reporter);
    assert_eq!(view.until(|_health| false).await, None);
}
