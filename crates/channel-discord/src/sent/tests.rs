use anchorhold_channel::fake::part_key;

use super::*;

#[test]
fn a_nonce_is_the_keys_own_and_fits() {
    let nonces: Vec<String> = (0..100).map(|n| nonce(part_key(n))).collect();
    assert_eq!(nonce(part_key(0)), nonces[0]);
    for (at, one) in nonces.iter().enumerate() {
        assert_eq!(one.len(), 24);
        assert!(!nonces[..at].contains(one));
    }
    let mut second = part_key(1);
    second.part = 1;
    assert_ne!(nonce(second), nonces[1]);
}

#[test]
fn only_what_is_old_may_be_forgotten() {
    let key = part_key(1);
    let at = |seconds| Timestamp::from_second(seconds).unwrap();
    assert_eq!(is_late(key, at(60)), None);
    assert_eq!(is_late(key, at(121)), Some(Snowflake(0)));
}

#[test]
fn what_was_sent_is_remembered_by_its_key() {
    let mut sent = Sent::default();
    for n in 0..1_200 {
        sent.note(part_key(n), Snowflake(u64::from(n)));
    }
    assert_eq!(sent.last.len(), LIMIT);
    assert_eq!(sent.of(part_key(1_000)), Some(Snowflake(1_000)));
    assert_eq!(sent.of(part_key(0)), None);
    assert!(sent.is_of_another(Snowflake(1_000), part_key(1)));
    assert!(!sent.is_of_another(Snowflake(1_000), part_key(1_000)));
}
