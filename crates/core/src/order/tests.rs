use super::*;

#[test]
fn the_hosts_numbers_are_even_and_above_what_is_there() {
    fn check(known: i64, said: i64, next: i64) {
        assert_eq!(next_of_host(known, said), next, "{known} {said}");
    }
    check(0, 0, 2);
    check(2, 0, 4);
    check(2, 3, 4);
    check(4, 7, 8);
    check(7, 4, 8);
    check(-5, i64::MIN, 2);
    // What no agent can have come to is not followed.
    check(4, 4 + JUMP_LIMIT, 6 + JUMP_LIMIT);
    check(4, 5 + JUMP_LIMIT, 6);
    check(4, i64::MAX, 6);
    check(i64::MAX, 0, HIGHEST + 2);
}
