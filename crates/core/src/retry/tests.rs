use super::*;

const BACKOFF: Backoff = Backoff {
    first: Duration::from_secs(2),
    longest: Duration::from_mins(1),
    tries: 5,
};

fn check(failed: u32, asked: Option<u64>, jitter: u8, expect: Next) {
    assert_eq!(
        BACKOFF.next(failed, asked.map(Duration::from_secs), jitter),
        expect
    );
}

#[test]
fn doubles_up_to_the_longest_and_then_gives_up() {
    let after = |secs| Next::After(Duration::from_secs(secs));
    check(1, None, 0, after(2));
    check(2, None, 0, after(4));
    check(4, None, 0, after(16));
    check(5, None, 0, Next::GiveUp);
    let patient = Backoff {
        tries: u32::MAX,
        ..BACKOFF
    };
    assert_eq!(patient.next(1_000_000, None, 0), after(60));
}

#[test]
fn jitter_adds_at_most_a_quarter() {
    check(2, None, 255, Next::After(Duration::from_secs(5)));
}

#[test]
fn a_wait_that_was_asked_for_wins_where_it_is_longer_but_not_over_the_limit_of_tries() {
    check(1, Some(30), 0, Next::After(Duration::from_secs(30)));
    check(1, Some(1), 0, Next::After(Duration::from_secs(2)));
    check(5, Some(30), 0, Next::GiveUp);
}
