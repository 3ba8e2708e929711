use anchorhold_core::outbound::OutboundOp;

use super::*;
use crate::{adapter::ChannelAdapter, error::ChannelError};

const LIMIT: Duration = Duration::from_secs(5);

#[tokio::test]
async fn the_intake_follows_its_script() {
    let intake = FakeIntake::new();
    let event = direct_event("fake", "chat", "1", "hi").unwrap();
    intake.answer_next(IntakeAnswer::Unavailable);
    intake.answer_next(IntakeAnswer::Decline("not wired".into()));
    assert!(matches!(
        intake.deliver(event.clone()).await,
        Err(IntakeError::Unavailable(_))
    ));
    let declined = Accepted::Declined("not wired".into());
    assert_eq!(intake.deliver(event.clone()).await.unwrap(), declined);
    assert_eq!(
        intake.deliver(event.clone()).await.unwrap(),
        Accepted::Stored
    );
    assert_eq!(
        intake.deliver(event.clone()).await.unwrap(),
        Accepted::Duplicate
    );
    let expect = Arrived {
        offered: 4,
        events: vec![event],
        present: vec![],
    };
    assert_eq!(intake.arrived(), expect);
}

#[tokio::test]
async fn sends_follow_their_script_and_are_recorded() {
    let platform = FakePlatform::new(all_caps());
    let adapter = platform.adapter(ChannelName::parse("fake").unwrap());
    let to = direct_event("fake", "chat", "1", "").unwrap().address;
    let op = OutboundOp::Delete {
        target: PlatformMessageId::parse("9").unwrap(),
    };
    platform.script(Scripted::Fail(ChannelError::RateLimited {
        retry_after: LIMIT,
    }));
    platform.script(Scripted::TakeAndLoseAnswer);
    assert!(matches!(
        adapter.send(&to, &op, part_key(1)).await,
        Err(ChannelError::RateLimited { retry_after: LIMIT })
    ));
    assert!(matches!(
        adapter.send(&to, &op, part_key(1)).await,
        Err(ChannelError::Ambiguous { .. })
    ));
    adapter.send(&to, &op, part_key(1)).await.unwrap();
    platform.leave(&to);
    assert!(matches!(
        adapter.send(&to, &op, part_key(2)).await,
        Err(ChannelError::Absent)
    ));
    let outcomes: Vec<&str> = platform.sends().iter().map(|sent| sent.outcome).collect();
    assert_eq!(outcomes, ["failed", "ambiguous", "sent", "absent"]);
    // The platform dedupes by key: the ambiguous send and its resend are one.
    assert_eq!(platform.seen(&to), [op]);
}

#[tokio::test]
async fn a_paused_platform_lets_sends_wait() {
    let platform = FakePlatform::new(all_caps());
    let adapter = platform.adapter(ChannelName::parse("fake").unwrap());
    let to = direct_event("fake", "chat", "1", "").unwrap().address;
    platform.pause();
    let send = adapter.send(&to, &OutboundOp::Typing, part_key(1));
    let resume = async {
        assert!(!platform.until_sends(Duration::from_millis(20), 1).await);
        platform.resume();
        assert!(platform.until_sends(LIMIT, 1).await);
    };
    let (sent, ()) = tokio::join!(send, resume);
    sent.unwrap();
}
