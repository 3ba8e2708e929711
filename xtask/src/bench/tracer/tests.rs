use super::*;

const TRACE: &str = "\
100 1700000000.000100 fdatasync(9)      = 0
100 1700000000.100000 fsync(12 <unfinished ...>
101 1700000000.100500 epoll_wait(9, [], 1024, 0) = 0
100 1700000000.101000 <... fsync resumed>) = 0
100 1700000000.300000 --- SIGCHLD {si_signo=SIGCHLD} ---
101 1700000000.400000 msync(0x7f0000000000, 32768, MS_SYNC) = 0
101 1700000000.500000 +++ exited with 0 +++
";

#[test]
fn a_call_counts_once_when_it_begins() {
    let calls = calls_in(TRACE).unwrap();
    let names: Vec<&str> = calls.iter().map(|call| call.name.as_str()).collect();
    assert_eq!(names, ["fdatasync", "fsync", "epoll_wait", "msync"]);
    let expected = [100, 100_000, 100_500, 400_000].map(Duration::from_micros);
    for (call, after) in calls.iter().zip(expected) {
        let at = Duration::from_secs(1_700_000_000) + after;
        assert!(call.at.abs_diff(at) < Duration::from_micros(2), "{call:?}");
    }
    assert!(calls_in("100 yesterday fsync(3) = 0\n").is_err());
}
