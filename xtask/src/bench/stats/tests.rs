use super::*;

#[test]
fn percentiles_are_values_that_occurred() {
    let check = |values: &[u32], percent, expected| {
        assert_eq!(percentile(values, percent).unwrap(), expected);
    };
    check(&[7], 50, 7);
    check(&[7], 99, 7);
    check(&[3, 1, 2], 50, 2);
    check(&[4, 3, 1, 2], 50, 2);
    check(&[5, 4, 3, 1, 2], 0, 1);
    check(&[5, 4, 3, 1, 2], 100, 5);
    let hundred: Vec<u32> = (1..=100).rev().collect();
    check(&hundred, 50, 50);
    check(&hundred, 99, 99);
    let two_hundred: Vec<u32> = (1..=200).collect();
    check(&two_hundred, 99, 198);
    assert!(percentile::<u32>(&[], 50).is_err());
}

#[test]
fn gaps_repeat_with_their_seed_and_stay_in_range() {
    let longest = Duration::from_millis(200);
    let draw = |seed| {
        let mut random = Random::new(seed);
        (0..1000).map(|_| random.gap(longest)).collect::<Vec<_>>()
    };
    let drawn = draw(1);
    assert_eq!(drawn, draw(1));
    assert_ne!(drawn, draw(2));
    assert!(drawn.iter().all(|gap| *gap <= longest));
    let mean = drawn.iter().sum::<Duration>() / 1000;
    assert!(
        (Duration::from_millis(90)..Duration::from_millis(110)).contains(&mean),
        "{mean:?}"
    );
}

#[test]
fn numbers_are_drawn_from_all_that_are_asked_for() {
    let mut random = Random::new(1);
    let mut drawn: Vec<u64> = (0..100).map(|_| random.below(4)).collect();
    drawn.sort_unstable();
    drawn.dedup();
    assert_eq!(drawn, [0, 1, 2, 3]);
}

#[test]
fn times_are_told_in_milliseconds() {
    assert!((millis(Duration::from_micros(1_500)) - 1.5).abs() < 1e-9);
}
