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
            why: "refused".into(),
        },
        since: later,
        last_inbound: Some(start),
        last_outbound: Some(later),
        reconnects: 0,
        restarts: 0,
        last_error: Some((later + Duration::from_secs(5), "refused".into())),
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

#[test]
fn a_connection_that_says_it_is_up_has_proved_nothing() {
    let clock = FakeClock::new();
    let as_clock: Arc<dyn Clock> = Arc::<FakeClock>::clone(&clock);
    let (reporter, view) = pair(as_clock);
    reporter.inbound();
    reporter.reconnecting("reset");
    clock.advance(Duration::from_secs(1));
    reporter.connected();
    assert_eq!(view.get().reconnects, 1);
    assert!(!view.get().is_proven());
    clock.advance(Duration::from_hours(1));
    reporter.connected();
    assert!(!view.get().is_proven());
    reporter.outbound();
    assert!(view.get().is_proven());
    reporter.dead("revoked");
    assert!(!view.get().is_proven());
}

#[test]
fn what_an_earlier_host_has_seen_is_kept_and_nothing_newer_is_lost() {
    let clock = FakeClock::new();
    let start = clock.now();
    let as_clock: Arc<dyn Clock> = Arc::<FakeClock>::clone(&clock);
    let (reporter, view) = pair(as_clock);
    clock.advance(Duration::from_secs(9));
    reporter.outbound();
    let earlier = Observed {
        last_inbound: Some(start),
        last_outbound: Some(start),
        reconnects: 2,
        restarts: 3,
        last_error: Some((start, "reset".into())),
    };
    reporter.restore(&earlier);
    let health = view.get();
    assert_eq!(health.last_inbound, Some(start));
    assert_eq!(health.last_outbound, Some(start + Duration::from_secs(9)));
    assert_eq!((health.reconnects, health.restarts), (2, 3));
    assert_eq!(health.last_error, earlier.last_error);
}
