use super::*;

#[test]
fn pauses_grow_to_the_longest_and_end() {
    let pace = Pace::CUSTOMARY;
    let pauses: Vec<_> = (1..=7).map(|failed| pace.pause(failed)).collect();
    let expect = [1, 2, 4, 8, 16, 30, 30].map(|seconds| Some(Duration::from_secs(seconds)));
    assert_eq!(pauses, expect);
    assert_eq!(pace.pause(19), Some(pace.longest));
    assert_eq!(pace.pause(20), None);
    let endless = Pace {
        tries: u32::MAX,
        ..pace
    };
    assert_eq!(endless.pause(1_000_000), Some(pace.longest));
}
