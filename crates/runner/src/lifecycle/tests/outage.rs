use super::*;

#[tokio::test(start_paused = true)]
async fn an_outage_loses_nothing_and_is_reported_once() {
    let world = Before::nothing().start(3);
    world.want(1);
    world.settle().await;
    world.told();
    world.runtime.set_available(false);
    world.pass(TICK * 5).await;
    world.want(2);
    world.pass(TICK * 5).await;
    assert_eq!(world.told(), ["sandbox down"]);
    assert_eq!((world.running(), world.lifecycle.waiting()), (vec![1], 1));
    // It ends while the engine is away; that is learned when it is back.
    world.runtime.exit(&id(1, 1), ExitStatus::Code(1));
    world.pass(TICK * 5).await;
    assert_eq!(world.told(), Vec::<String>::new());
    world.runtime.set_available(true);
    world.pass(TICK * 2).await;
    let mut told = world.told();
    told.sort_unstable();
    assert_eq!(
        told,
        [
            "exited 1.1: exit status 1",
            "prepare 2",
            "sandbox up",
            "started 2.1"
        ]
    );
    world.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_is_down_from_the_start_holds_every_start() {
    let before = Before {
        generations: vec![(1, 1)],
        knows_runtime: true,
        ..Before::nothing()
    };
    before.runtime.insert(id(1, 1));
    before.runtime.set_available(false);
    let world = before.start(3);
    world.want(1);
    world.want(2);
    world.pass(TICK * 5).await;
    assert_eq!(world.told(), ["sandbox down"]);
    world.runtime.set_available(true);
    world.pass(TICK * 2).await;
    // Nothing was prepared for 1 meanwhile, so what runs is still its current sandbox.
    assert_eq!(
        world.told(),
        ["adopted 1.1", "sandbox up", "prepare 2", "started 2.1"]
    );
    world.shut_down().await;
}

#[tokio::test(start_paused = true)]
async fn a_start_that_meets_the_outage_first_stays_wanted() {
    let world = Before::nothing().start(3);
    world.settle().await;
    world.told();
    world.runtime.set_available(false);
    world.want(1);
    world.settle().await;
    assert_eq!(
        (world.told(), world.lifecycle.waiting()),
        (vec!["prepare 1".to_owned()], 1)
    );
    world.pass(TICK * 3).await;
    world.runtime.set_available(true);
    world.pass(TICK * 2).await;
    assert_eq!(
        world.told(),
        ["sandbox down", "sandbox up", "prepare 1", "started 1.2"]
    );
    world.shut_down().await;
}
