use super::*;

#[test]
fn only_the_secret_is_the_secret() {
    assert!(is_secret(b"s3cret", b"s3cret"));
    for given in ["", "s3cre", "s3crets", "S3cret"] {
        assert!(!is_secret(given.as_bytes(), b"s3cret"), "{given}");
    }
}

/// The second test case of RFC 4231.
#[test]
fn a_signature_is_of_this_key_and_these_bytes() {
    let signature = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    let parts: [&[u8]; 2] = [b"what do ya want ", b"for nothing?"];
    assert!(is_signed(signature, b"Jefe", &parts));
    assert!(is_signed(&signature.to_uppercase(), b"Jefe", &parts));
    assert!(!is_signed(signature, b"Jefe", &parts[..1]));
    assert!(!is_signed(signature, b"jefe", &parts));
    assert!(!is_signed("", b"Jefe", &parts));
}

#[test]
fn what_is_played_again_later_is_too_old() {
    let now = Timestamp::constant(1_767_225_600, 0);
    let window = Duration::from_mins(5);
    let second = Duration::from_secs(1);
    assert!(is_fresh(now, now, window));
    assert!(is_fresh(now - window, now, window));
    assert!(is_fresh(now + window, now, window));
    assert!(!is_fresh(now - window - second, now, window));
    assert!(!is_fresh(now + window + second, now, window));
    assert!(!is_fresh(Timestamp::MIN, now, window));
}
