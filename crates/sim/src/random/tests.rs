use super::Rng;

#[test]
fn the_same_seed_gives_the_same_numbers() {
    let numbers = |seed, stream| {
        let mut rng = Rng::new(seed, stream);
        [rng.draw(), rng.draw(), rng.below(10), rng.between(3, 4)]
    };
    assert_eq!(numbers(1, 2), numbers(1, 2));
    assert_ne!(numbers(1, 2), numbers(1, 3));
    assert_ne!(numbers(1, 2), numbers(2, 2));
}

#[test]
fn ranges_hold() {
    let mut rng = Rng::new(7, 0);
    let drawn: Vec<_> = (0..1_000).map(|_| rng.between(3, 5)).collect();
    assert_eq!(drawn.iter().min(), Some(&3));
    assert_eq!(drawn.iter().max(), Some(&5));
    assert_eq!(rng.below(0), 0);
    assert_eq!((0..1_000).filter(|_| rng.chance(0)).count(), 0);
    assert_eq!((0..1_000).filter(|_| rng.chance(1_000)).count(), 1_000);
}
