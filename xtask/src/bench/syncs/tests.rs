use super::*;

const TRACE: &str = "\
100 1700000000.000100 fdatasync(9)      = 0
100 1700000000.100000 fsync(12 <unfinished ...>
101 1700000000.100500 fdatasync(9)      = 0
100 1700000000.101000 <... fsync resumed>) = 0
101 1700000000.200000 fsyncd(9)         = 0
100 1700000000.300000 --- SIGCHLD {si_signo=SIGCHLD} ---
101 1700000000.400000 msync(0x7f0000000000, 32768, MS_SYNC) = 0
101 1700000000.500000 +++ exited with 0 +++
";

const START: Duration = Duration::from_secs(1_700_000_000);

fn at(micros: u64) -> Duration {
    START + Duration::from_micros(micros)
}

#[test]
fn a_call_counts_once_when_it_begins() {
    let near = |one: Duration, other: Duration| one.abs_diff(other) < Duration::from_micros(2);
    let starts = starts(TRACE).unwrap();
    let expected = [at(100), at(100_000), at(100_500), at(400_000)];
    assert_eq!(starts.len(), expected.len(), "{starts:?}");
    assert!(
        starts
            .iter()
            .zip(expected)
            .all(|(one, other)| near(*one, other)),
        "{starts:?}"
    );
    assert!(super::starts("100 yesterday fsync(3) = 0\n").is_err());
}

#[test]
fn calls_belong_to_the_message_they_fall_on() {
    let message = |sent, answered, over| Message {
        sent: at(sent),
        answered: at(answered),
        over: at(over),
    };
    let starts = [
        at(5),
        at(10),
        at(19),
        at(20),
        at(29),
        at(30),
        at(45),
        at(99),
    ];
    let messages = [
        message(10, 20, 30),
        message(40, 50, 60),
        message(70, 80, 90),
    ];
    let calls = |path, after| Calls { path, after };
    assert_eq!(
        by_message(&starts, &messages).unwrap(),
        [calls(2, 2), calls(1, 0), calls(0, 0)]
    );
}

#[test]
fn a_program_that_is_never_seen_at_the_disk_fails_the_count() {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = crate::bench::disk::Disk::new(folder.path()).unwrap();
    disk.probe(1).unwrap();
    let findings = || Findings::new("syncs-sandbox", &disk).unwrap();
    let calls = |path, after| Calls { path, after };
    let values = |host: &[Calls], runner: &[Calls]| {
        let figures = report(findings(), host, runner)?;
        anyhow::Ok(
            figures
                .iter()
                .map(|figure| figure.value)
                .collect::<Vec<_>>(),
        )
    };
    let host = [calls(4, 1), calls(5, 0), calls(4, 0)];
    assert!(values(&host, &[calls(6, 0); 3]).is_ok_and(|values| values == [10., 11., 4., 6., 0.]));
    assert!(values(&host, &[calls(0, 0); 3]).is_err());
}
