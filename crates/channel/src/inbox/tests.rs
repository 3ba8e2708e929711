use anchorhold_core::inbound::{Attachment, Quote};

use super::*;
use crate::fake::{FakeIntake, direct_answer, direct_event, question_id};

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
        message_id: None,
    });
    inbox.deliver(event.clone()).await.unwrap();
    event.sender.name = Some("é".repeat(127));
    event.reply_to = Some(Quote {
        sender: None,
        text: "q".repeat(TEXT_LIMIT_BYTES),
        message_id: None,
    });
    assert_eq!(intake.events(), vec![event]);
}

#[tokio::test]
async fn a_click_is_passed_on_with_what_became_of_it() {
    let (inbox, intake) = inbox();
    let mut answer = direct_answer("fake", "chat", question_id(1), OPTIONS_LIMIT - 1).unwrap();
    // Two bytes a character: the limit falls inside one.
    answer.sender.name = Some("é".repeat(200));
    let taken = Answered::Taken("taken".into());
    assert_eq!(inbox.answer(answer.clone()).await.unwrap(), taken);
    let refused = Answered::Refused("too late".into());
    intake.set_answered(refused.clone());
    assert_eq!(inbox.answer(answer.clone()).await.unwrap(), refused);
    answer.sender.name = Some("é".repeat(127));
    assert_eq!(intake.answers(), vec![answer.clone(), answer]);
}

#[tokio::test]
async fn a_click_that_can_be_no_answer_is_refused_before_the_host_sees_it() {
    let (inbox, intake) = inbox();
    let refused = async |channel: &str, option| {
        let answer = direct_answer(channel, "chat", question_id(1), option).unwrap();
        match inbox.answer(answer).await {
            Err(IntakeError::Refused { why }) => why,
            other => panic!("not refused: {other:?}"),
        }
    };
    let foreign = refused("other", 0).await;
    assert_eq!(foreign, "it claims to come from another channel");
    let beyond = refused("fake", OPTIONS_LIMIT).await;
    assert_eq!(beyond, "a question has at most 20 options");
    assert_eq!(intake.arrived().clicks, 0);
}
