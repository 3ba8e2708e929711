mod older;

use super::run;
use crate::{
    plan::{Death, End, Full, Kill, Plan, Said, Whom},
    sabotage::Sabotage,
};

#[test]
fn a_quiet_day_ends_well() {
    let outcome = run(&Plan::fixed(None), Sabotage::None);
    assert_eq!(outcome.violations, Vec::<String>::new());
    assert_eq!(outcome.hosts, 1);
}

/// Nothing changes places, whichever thread is the quicker one.
#[test]
fn one_message_dies_at_the_same_place_each_time() {
    for at in [300, 600] {
        let whom = Whom::Actor;
        let mut plan = Plan::fixed(Some(Kill { at, whom }));
        plan.said.retain(|said: &Said| said.number == 0);
        let [first, second] = [(), ()].map(|()| run(&plan, Sabotage::None));
        // Where they part says more than both together.
        let parts = first
            .record
            .iter()
            .zip(&second.record)
            .find(|(a, b)| a != b);
        assert_eq!((at, parts), (at, None));
        assert_eq!((first.sum, first.hosts), (second.sum, second.hosts));
    }
}

/// Seed 60: it was closed in the session's file before its end was on record, so that after a death
/// in between no sandbox saw it, and the records waited for it for ever.
#[test]
fn a_message_given_up_as_the_host_dies_ends_all_the_same() {
    let with = |kill| {
        let mut plan = Plan::fixed(kill);
        plan.said.retain(|said: &Said| said.number == 0);
        plan.said[0].task.end = End::Exit;
        plan
    };
    let quiet = run(&with(None), Sabotage::None);
    let last = quiet
        .record
        .iter()
        .rposition(|line| line.contains("ends: exit status 3"));
    let after = quiet.record.iter().skip(last.unwrap());
    let sent = after.take_while(|line| !line.contains(": send "));
    let steps: Vec<u64> = sent.filter_map(|line| step_of(line)).collect();
    assert!(!steps.is_empty());
    for at in steps.into_iter().step_by(4) {
        let whom = Whom::Host;
        let outcome = run(&with(Some(Kill { at, whom })), Sabotage::None);
        assert_eq!((at, outcome.violations), (at, Vec::new()));
    }
}

/// The number of the step that a line of the record tells of.
fn step_of(line: &str) -> Option<u64> {
    line.split_once('#')?.1.split(' ').next()?.parse().ok()
}

/// Runs plans until one finds what is broken.
fn finds(sabotage: Sabotage, plans: impl Iterator<Item = Plan>, word: &str) {
    for plan in plans {
        let found = run(&plan, sabotage).violations;
        if found.iter().any(|violation| violation.contains(word)) {
            return;
        }
    }
    panic!("nobody has noticed {sabotage:?}");
}

fn deaths(steps: std::ops::Range<u64>, by: usize) -> impl Iterator<Item = Plan> {
    steps.step_by(by).map(|at| {
        let whom = Whom::Host;
        Plan::fixed(Some(Kill { at, whom }))
    })
}

#[test]
fn a_message_acknowledged_before_it_is_durable_is_found() {
    finds(
        Sabotage::AckBeforePersist,
        deaths(300..1_500, 40),
        "on record 0 times",
    );
}

#[test]
fn an_attempt_that_is_not_on_record_is_found() {
    // Right after the platform has taken something.
    let quiet = run(&Plan::fixed(None), Sabotage::None);
    let taken = quiet.record.iter().filter(|line| line.contains(": taken "));
    let plans = taken.filter_map(|line| step_of(line)).map(|at| {
        let whom = Whom::Actor;
        Plan::fixed(Some(Kill { at, whom }))
    });
    finds(Sabotage::NoAttemptRow, plans, "twice");
}

#[test]
fn a_sandbox_of_an_earlier_generation_that_lives_on_is_found() {
    finds(
        Sabotage::NoGenerationCheck,
        deaths(700..3_000, 100),
        "two sandboxes",
    );
}

/// The quiet plan with one message, on a disk that is full from a step on for two seconds.
fn full(from_step: u64, found: Option<&Vec<u8>>) -> Plan {
    let mut plan = Plan::fixed(None);
    plan.said.retain(|said: &Said| said.number == 0);
    let until = 2_000;
    plan.full = (from_step > 0).then_some(Full { from_step, until });
    plan.found = found.cloned();
    plan
}

/// How many steps there are until the first message is offered: the start of the host.
fn steps_of_start(found: Option<&Vec<u8>>) -> u64 {
    let quiet = run(&full(0, found), Sabotage::None);
    assert_eq!(quiet.violations, Vec::<String>::new());
    let offered = quiet.record.iter().find(|line| line.contains("m0 offered"));
    step_of(offered.unwrap()).unwrap()
}

#[test]
fn a_disk_that_is_full_while_a_host_starts_loses_nothing() {
    for from_step in (1..steps_of_start(None)).step_by(9) {
        let outcome = run(&full(from_step, None), Sabotage::None);
        assert_eq!((from_step, outcome.violations), (from_step, Vec::new()));
    }
}

#[test]
fn a_disk_that_is_full_during_a_migration_loses_nothing() {
    for missing in [1, 3] {
        let found = older::database(missing);
        let steps = steps_of_start(Some(&found));
        let mut starts = 0;
        for from_step in (1..steps).step_by(7) {
            let outcome = run(&full(from_step, Some(&found)), Sabotage::None);
            assert_eq!((from_step, outcome.violations), (from_step, Vec::new()));
            starts += outcome.hosts;
        }
        assert!(starts > steps / 7, "the disk was never in the way");
    }
}

/// What was shown was on record only until the power went: the agent was asked anew, and its answer
/// had another number where a message had come meanwhile, so that the platform could not know it.
#[test]
fn an_answer_comes_once_when_the_power_goes_after_it() {
    for chance in 0..3 {
        let quiet = run(
            &Plan {
                seed: chance,
                ..Plan::fixed(None)
            },
            Sabotage::None,
        );
        let taken = quiet.record.iter().filter(|line| line.contains(": taken "));
        let steps: Vec<u64> = taken.filter_map(|line| step_of(line)).collect();
        assert!(steps.len() > 10);
        for plan in power_cuts(steps.into_iter().map(|step| step + 2), chance) {
            let found = run(&plan, Sabotage::None).violations;
            assert_eq!(
                (chance, &plan.kills, found),
                (chance, &plan.kills, Vec::new())
            );
        }
    }
}

/// Seed 53: what was planned waited for a clock that was weeks behind. Sandboxes that were started for
/// it all the same found nothing to do, and were ended for that, over and over.
#[test]
fn nothing_waits_for_a_clock_that_was_set_back_by_weeks() {
    const WEEKS_MS: i64 = 3 * 7 * 24 * 3_600_000;
    for (at, dies) in [1_000, 3_000, 6_000]
        .into_iter()
        .flat_map(|at| [(at, false), (at, true)])
    {
        let mut plan = Plan::fixed(None);
        plan.calm_at = 7_000;
        plan.jumps = vec![(at, -WEEKS_MS)];
        if dies {
            // Then it is set back while no host runs.
            let whom = Whom::Host;
            plan.deaths = vec![Death { at: at - 1, whom }];
        }
        for said in &mut plan.said {
            said.task.end = if said.number % 4 == 0 {
                End::Waits
            } else {
                End::Well
            };
        }
        let outcome = run(&plan, Sabotage::None);
        assert_eq!((at, dies, outcome.violations), (at, dies, Vec::new()));
        assert!(outcome.took_ms < 120_000, "{} ms", outcome.took_ms);
    }
}

fn power_cuts(steps: impl Iterator<Item = u64>, chance: u64) -> impl Iterator<Item = Plan> {
    steps.map(move |at| {
        let whom = Whom::Power;
        Plan {
            seed: chance,
            ..Plan::fixed(Some(Kill { at, whom }))
        }
    })
}

#[test]
fn a_commit_that_the_disk_does_not_keep_is_found() {
    finds(
        Sabotage::NoDurableCommit,
        power_cuts((300..1_500).step_by(40), 0),
        "on record 0 times",
    );
}

#[test]
fn hash_maps_are_the_same_in_each_run() {
    assert!(crate::fate::is_sealed());
}
