use anchorhold_core::inbound::{Attachment, Quote};

use super::*;
use crate::fake::{FakeIntake, direct_event};

fn inbox() -> (Inbox, Arc<FakeIntake>) {
    let intake = FakeIntake::new();
    let channel = ChannelName::parse("fake").unwrap();
    let handle: Arc<dyn Intake> = Arc::<FakeIntake>::clone(&intake);
    (Inbox::new(channel, handle), intake)
}

fn event() -> InboundEvent {
    direct_event("fake", "chat", "1", "hello").unwrap()
}

fn file(content_bytes: usize) -> Attachment {
    Attachment {
        name: "a.bin".into(),
        media_type: None,
        content: vec![0; content_bytes],
    }
}

async fn refused(change: impl FnOnce(&mut InboundEvent)) -> String {
    let (inbox, intake) = inbox();
    let mut event = event();
    change(&mut event);
    let answer = inbox.deliver(event).await;
    assert_eq!(intake.events(), Vec::new());
    match answer {
        Err(IntakeError::Refused { why }) => why,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn what_is_too_large_is_refused_before_the_host_sees_it() {
    let long = refused(|event| event.text = "x".repeat(TEXT_LIMIT_BYTES + 1)).await;
    assert_eq!(long, "the text has 262145 bytes, at most 262144 are taken");
    let many = refused(|event| event.attachments = vec![file(1); ATTACHMENTS_LIMIT + 1]).await;
    assert_eq!(many, "it has 17 files, at most 16 are taken");
    let large = refused(|event| event.attachments = vec![file(ATTACHMENT_LIMIT_BYTES + 1)]).await;
    assert_eq!(
        large,
        "a file has 16777217 bytes, at most 16777216 are taken"
    );
    let foreign = |event: &mut InboundEvent| {
        event.address.channel = ChannelName::parse("other").unwrap();
    };
    assert_eq!(
        refused(foreign).await,
        "it claims to come from another channel"
    );
}

#[tokio::test]
async fn what_is_at_the_limit_is_taken() {
    let (inbox, intake) = inbox();
    let mut event = event();
    event.text = "x".repeat(TEXT_LIMIT_BYTES);
    event.attachments = vec![file(8); ATTACHMENTS_LIMIT];
    assert_eq!(
        inbox.deliver(event.clone()).await.unwrap(),
        Accepted::Stored
    );
    assert_eq!(intake.events(), vec![event]);
}

#[tokio::test]
async fn what_is_only_shown_is_cut() {
    let (inbox, intake) = inbox();
    let mut event = event();
    // Two bytes a character: the limit falls inside one.
    event.sender.name = Some("é".repeat(200));
    event.reply_to = Some(Quote {
        sender: None,
        text: "q".repeat(TEXT_LIMIT_BYTES + 10),
    });
    inbox.deliver(event.clone()).await.unwrap();
    event.sender.name = Some("é".repeat(127));
    event.reply_to = Some(Quote {
        sender: None,
        text: "q".repeat(TEXT_LIMIT_BYTES),
    });
    assert_eq!(intake.events(), vec![event]);
}
