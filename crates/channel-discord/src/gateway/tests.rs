use anchorhold_channel::Disposition;

use super::*;

/// What an operator has to mend is told from an outage.
#[test]
fn a_code_says_who_has_to_act() {
    let of = |code| fatal(Some(code)).disposition();
    assert_eq!(of(4004), Disposition::ParkInstance);
    assert_eq!(of(4014), Disposition::ParkInstance);
    for code in [4010, 4011, 4012, 4013] {
        assert_eq!(of(code), Disposition::Dead, "{code}");
    }
    assert_eq!(fatal(None).disposition(), Disposition::Backoff);
    for code in [4004, 4010, 4011, 4012, 4013, 4014] {
        assert!(is_fatal(Some(code)), "{code}");
    }
    for code in [1000, 1001, 1006, 4000, 4007, 4008, 4009] {
        assert!(!is_fatal(Some(code)), "{code}");
    }
    assert!(!is_fatal(None));
}

#[test]
fn everything_is_asked_for_only_where_it_is_wanted() {
    assert!(intents(true).contains(Intents::MESSAGE_CONTENT));
    assert!(!intents(false).contains(Intents::MESSAGE_CONTENT));
    assert!(!intents(true).intersects(Intents::GUILD_MEMBERS | Intents::GUILD_PRESENCES));
}
