use super::*;

fn good() -> Tally {
    let mut tally = Tally::new(7);
    tally.hit(Victim::Host, true);
    tally.hit(Victim::Sandbox, true);
    tally.hit(Victim::Sandbox, false);
    tally.platform = Seen {
        said: 5,
        accepted: 5,
        answered: 4,
        told: 1,
        ..Seen::default()
    };
    tally.host.messages_failed = 1;
    tally
}

#[test]
fn everything_accounted_for_is_good() {
    let tally = good();
    assert!(tally.is_good());
    assert_eq!(
        tally.line(),
        "2 kills, 5 messages, 0 lost, 0 duplicated, 0 unexplained"
    );
}

#[test]
fn whatever_is_not_accounted_for_is_not() {
    let spoil: [fn(&mut Tally); 9] = [
        |tally| tally.platform.lost = 1,
        |tally| tally.platform.duplicated = 1,
        |tally| tally.platform.strange = 1,
        |tally| tally.platform.out_of_order = 1,
        |tally| tally.platform.accepted = 4,
        // Given up, and nobody was told.
        |tally| tally.host.messages_failed = 2,
        |tally| tally.host.messages_pending = 1,
        |tally| tally.host.deliveries_dead = 1,
        |tally| tally.host.deliveries_unknown = 1,
    ];
    for spoil in spoil {
        let mut tally = good();
        spoil(&mut tally);
        assert!(!tally.is_good(), "{tally:?}");
    }
}
