//! Rings are lossy and never wait. What is answered is tested with a whole host.

use jiff::Timestamp;

use super::*;

#[tokio::test]
async fn a_ring_that_nobody_hears_is_lost_without_a_wait() {
    let (bell, mut rings) = bell();
    let session = |number: usize| {
        let low = u8::try_from(number % 256).unwrap();
        SessionId::mint(Timestamp::UNIX_EPOCH, [low; 10])
    };
    for number in 0..2 * RINGS_LIMIT {
        bell.clone().ring(session(number));
    }
    for number in 0..RINGS_LIMIT {
        assert_eq!(rings.rings_rx.recv().await, Some(session(number)));
    }
    assert!(rings.rings_rx.try_recv().is_err());
    drop(rings);
    bell.ring(session(0));
}
