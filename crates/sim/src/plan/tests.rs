use super::Plan;

#[test]
fn a_seed_has_one_plan() {
    for seed in 0..50 {
        let plans = [Plan::of(seed), Plan::of(seed)].map(|plan| format!("{plan:?}"));
        assert_eq!(plans[0], plans[1]);
    }
}

#[test]
fn nothing_goes_wrong_in_the_calm() {
    for seed in 0..500 {
        let plan = Plan::of(seed);
        for storm in &plan.storms {
            assert!(
                storm.from <= storm.until && storm.until <= plan.calm_at,
                "{plan}"
            );
        }
        assert!(
            plan.deaths.iter().all(|death| death.at < plan.calm_at),
            "{plan}"
        );
        assert!(
            plan.jumps.iter().all(|(at, _)| *at < plan.calm_at),
            "{plan}"
        );
        let numbers: Vec<_> = plan.said.iter().map(|said| said.number).collect();
        assert_eq!(numbers, (0..).take(plan.said.len()).collect::<Vec<_>>());
    }
}

#[test]
fn the_fixed_plan_is_ten_messages_over_two_conversations() {
    let plan = Plan::fixed(None);
    let mut chats: Vec<_> = plan.said.iter().map(|said| said.chat.as_str()).collect();
    chats.sort_unstable();
    chats.dedup();
    assert_eq!((plan.said.len(), chats), (10, vec!["left", "right"]));
}
