use super::*;

fn call(name: &str, at: u64) -> Call {
    Call {
        at: Duration::from_micros(at),
        name: name.to_owned(),
    }
}

#[test]
fn calls_belong_to_the_message_and_the_leg_they_fall_on() {
    let at = Duration::from_micros;
    let message = |sent, answered, over| Message {
        sent: at(sent),
        answered: at(answered),
        over: at(over),
    };
    let host = [
        call("fdatasync", 5),
        call("fdatasync", 10),
        call("fsync", 12),
        call("fdatasync", 28),
        call("fdatasync", 30),
        call("fdatasync", 45),
    ];
    let runner = [
        call("fdatasync", 15),
        call("fdatasync", 16),
        call("fdatasync", 18),
        call("fdatasync", 35),
    ];
    let expected = Legs {
        host_in: 2,
        runner: 3,
        host_out: 1,
        after: 2,
    };
    assert_eq!(legs(&host, &runner, &message(10, 30, 40)), expected);
    assert_eq!(expected.path(), 6);
    // A message that no agent-runner wrote anything for was all the host's.
    let expected = Legs {
        host_in: 1,
        ..Legs::default()
    };
    assert_eq!(legs(&host, &runner, &message(40, 50, 60)), expected);
}

#[test]
fn a_program_that_is_never_seen_at_the_disk_fails_the_count() {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = crate::bench::disk::Disk::new(folder.path()).unwrap();
    disk.probe(1).unwrap();
    let values = |legs: &[Legs]| {
        let figures = report(Findings::new("syncs-sandbox", &disk).unwrap(), legs)?;
        let values = figures.iter().map(|figure| figure.value);
        anyhow::Ok(values.collect::<Vec<_>>())
    };
    let usual = Legs {
        host_in: 4,
        runner: 6,
        host_out: 0,
        after: 1,
    };
    let more = Legs {
        host_in: 5,
        ..usual
    };
    let found = values(&[usual, more, usual]).unwrap();
    assert_eq!(found, [10., 11., 4., 6., 0., 1.]);
    let host_in = 0;
    assert!(values(&[Legs { host_in, ..usual }]).is_err());
    let alone = Legs { runner: 0, ..usual };
    assert!(values(&[alone]).is_err());
}
