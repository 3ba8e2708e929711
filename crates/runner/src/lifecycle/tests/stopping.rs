use super::*;

#[tokio::test(start_paused = true)]
async fn a_want_while_stopping_waits_for_the_end() {
    let world = Before::nothing().start(3);
    world.want(1);
    world.settle().await;
    world.told();
    world.runtime.on_term(OnTerm::Ignore);
    world.lifecycle.stop(session(1));
    world.want(1);
    world.pass(ALMOST_GRACE).await;
    assert_eq!((world.told(), world.lifecycle.waiting()), (vec![], 1));
    world.pass(TICK * 2).await;
    assert_eq!(
        world.told(),
        ["exited 1.1: signal 9", "prepare 1", "started 1.2"]
    );
    world.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_kill_does_not_wait_for_the_grace_of_a_stop() {
    let world = Before::nothing().start(3);
    world.want(1);
    world.settle().await;
    world.told();
    world.runtime.on_term(OnTerm::Hang);
    world.lifecycle.stop(session(1));
    world.pass(TICK).await;
    world.lifecycle.kill(session(1));
    world.settle().await;
    assert_eq!(world.told(), ["exited 1.1: signal 9"]);
    world.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn defect_53_a_slow_stop_blocks_nobody_else() {
    let world = Before::nothing().start(2);
    world.want(1);
    world.settle().await;
    world.told();
    world.runtime.on_term(OnTerm::Hang);
    world.lifecycle.stop(session(1));
    world.pass(TICK * 5).await;
    world.want(2);
    world.settle().await;
    assert_eq!(world.told(), ["prepare 2", "started 2.1"]);
    world.runtime.exit(&id(2, 1), ExitStatus::Code(0));
    world.settle().await;
    assert_eq!(world.told(), ["exited 2.1: exit status 0"]);
    world.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_during_the_start_takes_effect_after_it() {
    let world = Before::nothing().start(2);
    world.settle().await;
    world.told();
    *world.owner.hanging.lock().unwrap() = Some(session(1));
    world.want(1);
    world.settle().await;
    world.lifecycle.kill(session(1));
    *world.owner.hanging.lock().unwrap() = None;
    world.owner.released.notify_waiters();
    world.settle().await;
    assert_eq!(
        world.told(),
        ["prepare 1", "started 1.1", "exited 1.1: signal 9"]
    );
    world.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn drain_stops_all_kills_the_rest_and_starts_nothing() {
    let world = Before::nothing().start(2);
    world.want(1);
    world.want(2);
    world.settle().await;
    world.want(3);
    *world.owner.hanging.lock().unwrap() = Some(session(3));
    world.told();
    world.runtime.on_term(OnTerm::Ignore);
    let before = tokio::time::Instant::now();
    world.lifecycle.drain(Duration::from_secs(7)).await;
    assert_eq!(before.elapsed().as_secs(), 7);
    world.want(4);
    world.pass(TICK * 5).await;
    let mut told = world.told();
    told.sort_unstable();
    assert_eq!(told, ["exited 1.1: signal 9", "exited 2.1: signal 9"]);
    assert_eq!((world.running(), world.lifecycle.waiting()), (vec![], 0));
    world.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn drain_does_not_wait_for_an_engine_that_is_down() {
    let world = Before::nothing().start(2);
    world.want(1);
    world.settle().await;
    world.runtime.set_available(false);
    tokio::time::timeout(TICK * 5, world.lifecycle.drain(GRACE))
        .await
        .unwrap();
    assert_eq!(world.running(), [1]);
    world.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn drain_ends_a_preparation_that_hangs() {
    let world = Before::nothing().start(2);
    world.settle().await;
    *world.owner.hanging.lock().unwrap() = Some(session(1));
    world.want(1);
    world.settle().await;
    tokio::time::timeout(TICK, world.lifecycle.drain(GRACE))
        .await
        .unwrap();
    world.shut_down().await;
}
