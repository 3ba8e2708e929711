use anchorhold_core::outbound::{OutboundOp, Question};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use super::*;
use crate::{
    adapter::{ChannelAdapter, ChannelContext},
    cursor::Cursor,
    error::{ChannelError, LimitScope},
    health,
    inbox::Inbox,
};

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
        ..Arrived::default()
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
        scope: LimitScope::Instance,
    }));
    platform.script(Scripted::TakeAndLoseAnswer);
    assert!(matches!(
        adapter.send(&to, &op, part_key(1)).await,
        Err(ChannelError::RateLimited {
            retry_after: LIMIT,
            scope: LimitScope::Instance
        })
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

/// A running adapter of `platform`, which ends with the guard.
fn run(platform: &Arc<FakePlatform>, intake: &Arc<FakeIntake>) -> DropGuard {
    let channel = ChannelName::parse("fake").unwrap();
    let shutdown = CancellationToken::new();
    let intake: Arc<dyn Intake> = Arc::<FakeIntake>::clone(intake);
    let (health, _view) = health::pair(FakeClock::new());
    let cx = ChannelContext {
        inbox: Inbox::new(channel.clone(), intake),
        cursor: Cursor::new(channel.clone(), FakeCursorStore::new()),
        health,
        shutdown: shutdown.clone(),
    };
    let adapter = platform.adapter(channel);
    TaskTracker::new().spawn(async move { adapter.run(cx).await });
    shutdown.drop_guard()
}

#[tokio::test]
async fn clicks_reach_the_intake_and_show_what_became_of_them() {
    let platform = FakePlatform::new(all_caps());
    let intake = FakeIntake::new();
    let _running = run(&platform, &intake);
    let click = |option| direct_answer("fake", "chat", question_id(1), option).unwrap();

    intake.answer_next(IntakeAnswer::Unavailable);
    platform.click(click(1));
    assert!(platform.until_answered(LIMIT, 1).await);
    intake.answer_next(IntakeAnswer::Refuse("no such question".into()));
    platform.click(click(2));
    assert!(platform.until_answered(LIMIT, 2).await);
    intake.set_answered(Answered::Refused("it is answered".into()));
    platform.click(click(3));
    assert!(platform.until_answered(LIMIT, 3).await);

    let expect = [
        (click(1), Answered::Taken("taken".into())),
        (click(2), Answered::Refused("no such question".into())),
        (click(3), Answered::Refused("it is answered".into())),
    ];
    assert_eq!(platform.answered(), expect);
    let arrived = intake.arrived();
    assert_eq!(
        (arrived.clicks, arrived.answers),
        (4, vec![click(1), click(3)])
    );
}

#[tokio::test]
async fn what_was_asked_can_be_looked_at() {
    let platform = FakePlatform::new(all_caps());
    let adapter = platform.adapter(ChannelName::parse("fake").unwrap());
    let to = direct_event("fake", "chat", "1", "").unwrap().address;
    let question = Question {
        id: question_id(1),
        title: "Deploy".into(),
        text: "Now?".into(),
        options: vec!["yes".into(), "no".into()],
    };
    let op = OutboundOp::Ask(question.clone());
    adapter
        .send(&to, &OutboundOp::Typing, part_key(1))
        .await
        .unwrap();
    adapter.send(&to, &op, part_key(2)).await.unwrap();
    assert_eq!(platform.asked(&to), [question]);
}

#[tokio::test]
async fn direct_chats_are_opened_or_fail_as_scripted() {
    let platform = FakePlatform::new(all_caps());
    let adapter = platform.adapter(ChannelName::parse("fake").unwrap());
    let person = Handle::parse("person").unwrap();
    platform.fail_direct(ChannelError::RateLimited {
        retry_after: LIMIT,
        scope: LimitScope::Chat,
    });
    let failed = adapter.open_direct(&person).await;
    assert!(
        matches!(
            failed,
            Err(ChannelError::RateLimited {
                retry_after: LIMIT,
                scope: LimitScope::Chat
            })
        ),
        "{failed:?}"
    );
    for _ in 0..2 {
        let chat = adapter.open_direct(&person).await.unwrap();
        assert_eq!(chat.as_str(), "dm-person");
    }
    assert_eq!(platform.opened(), [person.clone(), person.clone()]);
    assert_eq!(platform.sends(), []);

    let mut caps = all_caps();
    caps.opens_directs = Support::No;
    let adapter = FakePlatform::new(caps).adapter(ChannelName::parse("fake").unwrap());
    let refused = adapter.open_direct(&person).await;
    assert!(
        matches!(refused, Err(ChannelError::Permanent { .. })),
        "{refused:?}"
    );
}
