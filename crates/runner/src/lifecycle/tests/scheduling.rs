use super::*;

#[tokio::test(start_paused = true)]
async fn a_wanted_session_is_prepared_started_and_reported_gone() {
    let world = Before::nothing().start(2);
    world.want(5);
    world.want(5);
    world.settle().await;
    world.want(5);
    world.settle().await;
    assert_eq!(world.told(), ["sandbox up", "prepare 5", "started 5.1"]);
    assert_eq!(world.lifecycle.is_running(session(5)), Some(Generation(1)));
    assert!(world.runtime.exit(&id(5, 1), ExitStatus::Code(3)));
    world.settle().await;
    assert_eq!(world.told(), ["exited 5.1: exit status 3"]);
    assert_eq!(world.lifecycle.is_running(session(5)), None);
    world.want(5);
    world.settle().await;
    assert_eq!(world.told(), ["prepare 5", "started 5.2"]);
    world.shut_down().await;
    assert_eq!(world.runtime.running(), [id(5, 2)]);
}

#[tokio::test(start_paused = true)]
async fn defect_54_no_more_run_than_the_limit_and_groups_take_turns() {
    let world = Before::nothing().start(2);
    world.settle().await;
    for n in [1, 2, 3] {
        world.lifecycle.want(group(1), session(n));
    }
    world.lifecycle.want(group(2), session(4));
    world.settle().await;
    assert_eq!((world.running().len(), world.lifecycle.waiting()), (2, 2));
    // One of each group, though three of group 1 came first.
    assert_eq!(world.running(), [1, 4]);
    world.told();
    for n in [1, 4, 2, 3] {
        world.runtime.exit(&id(n, 1), ExitStatus::Code(0));
        world.settle().await;
        assert!(world.running().len() <= 2);
    }
    let started: Vec<String> = world.told();
    let started: Vec<&str> = started
        .iter()
        .filter_map(|line| line.strip_prefix("started "))
        .collect();
    assert_eq!(started, ["2.1", "3.1"]);
    world.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn defect_54_an_idle_sandbox_is_stopped_after_its_limit() {
    let world = Before::nothing().start(2);
    world.want(1);
    world.want(2);
    world.settle().await;
    world.told();
    let almost = Duration::from_secs(5 * 60 - 10);
    world.owner.set_standing(
        1,
        Standing::Idle {
            for_how_long: almost,
        },
    );
    world.pass(TICK * 3).await;
    assert_eq!(world.running(), [1, 2]);
    world.owner.set_standing(
        1,
        Standing::Idle {
            for_how_long: IDLE_LIMIT,
        },
    );
    world.pass(REST).await;
    assert_eq!(world.told(), ["exited 1.1: exit status 0"]);
    assert_eq!(world.runtime.stops(), [(id(1, 1), GRACE)]);
    world.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_sandbox_is_looked_at_when_its_limit_is_due_and_not_each_tick() {
    let world = Before::nothing().start(2);
    world.want(1);
    world.settle().await;
    let three_seconds = TICK * 3;
    let for_how_long = IDLE_LIMIT.saturating_sub(three_seconds);
    world.owner.set_standing(1, Standing::Idle { for_how_long });
    world.lifecycle.look();
    world.settle().await;
    let asked = world.owner.asked();
    let for_how_long = IDLE_LIMIT;
    world.owner.set_standing(1, Standing::Idle { for_how_long });
    world.pass(three_seconds).await;
    assert_eq!(world.runtime.stops(), [(id(1, 1), GRACE)]);
    assert_eq!(world.owner.asked(), asked + 1, "once, when it is due");
    world.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_sandbox_makes_room_and_a_busy_one_does_not() {
    let world = Before::nothing().start(2);
    world.want(1);
    world.want(2);
    world.settle().await;
    world.want(3);
    world.pass(TICK * 3).await;
    assert_eq!(
        (world.running(), world.lifecycle.waiting()),
        (vec![1, 2], 1)
    );
    let for_how_long = Duration::from_secs(1);
    world.owner.set_standing(2, Standing::Idle { for_how_long });
    world.pass(TICK).await;
    assert_eq!(
        (world.running(), world.lifecycle.waiting()),
        (vec![1, 3], 0)
    );
    world.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn defect_48_a_want_returns_at_once_while_a_preparation_hangs() {
    let world = Before::nothing().start(2);
    world.settle().await;
    *world.owner.hanging.lock().unwrap() = Some(session(1));
    let before = tokio::time::Instant::now();
    world.want(1);
    world.want(2);
    assert_eq!(before.elapsed(), Duration::ZERO);
    world.pass(TICK * 5).await;
    assert_eq!(world.running(), [2]);
    *world.owner.hanging.lock().unwrap() = None;
    world.owner.released.notify_waiters();
    world.settle().await;
    assert_eq!(world.running(), [1, 2]);
    world.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_start_is_told_once_and_not_repeated() {
    let world = Before::nothing().start(2);
    world.settle().await;
    world.told();
    world.runtime.fail_starts(Some(FakeFailure::Failed));
    world.want(1);
    world.pass(TICK * 3).await;
    assert_eq!(
        world.told(),
        ["prepare 1", "could not start 1: failed: start"]
    );
    world.runtime.fail_starts(None);
    world.want(1);
    world.want(99);
    world.pass(TICK * 3).await;
    let mut told = world.told();
    told.sort_unstable();
    assert_eq!(told, ["prepare 1", "prepare 99", "started 1.2"]);
    assert_eq!(world.lifecycle.waiting(), 0);
    world.shut_down().await;
}
