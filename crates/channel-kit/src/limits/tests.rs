use anchorhold_channel::fake::FakeClock;
use anchorhold_core::clock::Clock as _;

use super::*;

#[test]
fn two_chats_at_once_are_the_whole_bot() {
    let clock = FakeClock::new();
    let mut limits = Limits::default();
    let second = Duration::from_secs(1);
    let ten = second * 10;
    assert_eq!(limits.meet(1, ten, clock.mono()), LimitScope::Chat);
    assert_eq!(limits.meet(1, ten, clock.mono()), LimitScope::Chat);
    assert_eq!(limits.meet(2, ten, clock.mono()), LimitScope::Instance);
    assert_eq!(limits.meet(1, ten, clock.mono()), LimitScope::Instance);
    clock.advance(ten);
    assert_eq!(limits.meet(2, ten, clock.mono()), LimitScope::Chat);
}
