use super::*;
use crate::lifecycle::state::{Fate, Listed, State};

#[tokio::test(start_paused = true)]
async fn defect_59_running_sandboxes_are_adopted_not_stopped() {
    let before = Before {
        generations: vec![(1, 4), (2, 1)],
        ..Before::nothing()
    };
    before.runtime.insert(id(1, 4));
    let world = before.start(1);
    // Wanted before the first list: what is there counts against the limit, and is what is wanted.
    world.want(1);
    world.want(2);
    world.pass(TICK * 3).await;
    assert_eq!(world.told(), ["adopted 1.4", "sandbox up"]);
    assert_eq!((world.running(), world.lifecycle.waiting()), (vec![1], 1));
    assert!(
        world
            .lifecycle
            .running()
            .iter()
            .all(|sandbox| sandbox.adopted)
    );
    assert_eq!(world.runtime.stops(), []);
    world.runtime.exit(&id(1, 4), ExitStatus::Signal(9));
    world.settle().await;
    assert_eq!(
        world.told(),
        ["exited 1.4: signal 9", "prepare 2", "started 2.2"]
    );
    world.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn an_orphan_is_stopped_and_its_session_waits_for_the_end() {
    let before = Before {
        generations: vec![(1, 5)],
        ..Before::nothing()
    };
    before.runtime.insert(id(1, 4));
    before.runtime.insert(id(3, 1));
    before.runtime.on_term(OnTerm::Ignore);
    let world = before.start(3);
    world.want(1);
    world.pass(ALMOST_GRACE).await;
    assert_eq!(world.told(), ["sandbox up"]);
    assert_eq!(world.lifecycle.waiting(), 1);
    world.pass(TICK * 2).await;
    let mut told = world.told();
    told.sort_unstable();
    assert_eq!(
        told,
        [
            "exited 1.4: signal 9",
            "exited 3.1: signal 9",
            "prepare 1",
            "started 1.6"
        ]
    );
    world.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn another_installs_sandboxes_are_never_touched() {
    let before = Before::nothing();
    let theirs = InstanceId {
        install: InstallId::mint(Timestamp::UNIX_EPOCH, [2; 10]),
        ..id(1, 1)
    };
    before.runtime.insert(theirs);
    let world = before.start(3);
    world.pass(TICK * 5).await;
    world.lifecycle.drain(GRACE).await;
    assert_eq!(world.runtime.running(), [theirs]);
    assert_eq!(world.runtime.stops(), []);
    world.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn defect_57_what_runs_is_what_the_runtime_lists() {
    // The host believes that 1 and 2 run; in truth 1 ended while nobody looked, 2 is not there.
    let before = Before {
        generations: vec![(1, 3), (2, 8)],
        ..Before::nothing()
    };
    before.runtime.insert(id(1, 3));
    before.runtime.exit(&id(1, 3), ExitStatus::Code(2));
    let world = before.start(2);
    world.settle().await;
    assert_eq!(world.told(), ["sandbox up", "exited 1.3: exit status 2"]);
    assert_eq!(world.lifecycle.running(), vec![]);
    world.want(2);
    world.settle().await;
    assert_eq!(world.told(), ["prepare 2", "started 2.9"]);
    world.pass(TICK * 5).await;
    assert_eq!(world.told(), Vec::<String>::new());
    world.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn the_next_host_takes_over_from_the_last() {
    let world = Before::nothing().start(2);
    world.want(1);
    world.settle().await;
    world.shut_down().await;
    let next = Before {
        runtime: Arc::clone(&world.runtime),
        generations: vec![(1, 1)],
        ..Before::nothing()
    };
    let next = next.start(2);
    next.settle().await;
    assert_eq!(next.told(), ["adopted 1.1", "sandbox up"]);
    next.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_host_left_running_is_known_after_the_first_survey() {
    let before = Before {
        generations: vec![(1, 4)],
        ..Before::nothing()
    };
    before.runtime.insert(id(1, 4));
    let world = before.start(1);
    assert_eq!(world.running(), Vec::<u8>::new());
    world.lifecycle.surveyed().await;
    assert_eq!(world.running(), [1]);
    world.shut_down().await;
    // And nobody waits for a survey that never comes.
    let down = Before::nothing();
    down.runtime.set_available(false);
    let world = down.start(1);
    world.lifecycle.surveyed().await;
    assert_eq!(world.running(), Vec::<u8>::new());
    world.shut_down().await;
}

/// A start that began while its runtime was still silent made the list's line of the same session be
/// taken for what came of it: then there were two sandboxes, and each message was answered twice.
#[test]
fn what_a_list_shows_of_a_session_that_is_about_to_start_waits_for_the_start() {
    let mut state = State::default();
    let now = || PausedClock.mono();
    state.want(group(1), session(1));
    state.came_up(RuntimeKind::Sandbox);
    let orders = state.plan(&BTreeMap::new(), 3);
    assert_eq!(orders.start, [(session(1), group(1))]);
    let listed = Listed {
        id: id(1, 4),
        kind: RuntimeKind::Docker,
        running: true,
    };
    state.begin_list(RuntimeKind::Docker);
    let current = Some(Generation(4));
    assert_eq!(state.take_in(listed, current, now()), Fate::Later);
    // It finds its runtime silent.
    state.park(session(1), RuntimeKind::Docker);
    state.begin_list(RuntimeKind::Docker);
    assert_eq!(state.take_in(listed, current, now()), Fate::Adopt);
    state.came_up(RuntimeKind::Docker);
    assert_eq!(state.waiting(), 0);
    assert!(state.plan(&BTreeMap::new(), 3).start.is_empty());
}
