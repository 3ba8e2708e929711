use std::process;

use super::*;

#[test]
fn times_are_found_behind_any_name() {
    let check = |stat: &str, expected: Option<u64>| {
        assert_eq!(ticks_in(stat).ok(), expected, "{stat}");
    };
    check("7 (host) S 1 7 7 0 -1 0 0 0 0 0 12 30 0 0 20", Some(42));
    check("7 (a) b) S) R 1 7 7 0 -1 0 0 0 0 0 1 2 0 0 20", Some(3));
    check("7 (host) S 1 7", None);
    check("", None);
}

#[test]
fn memory_is_told_in_mib() {
    let status = "Name:\thost\nVmHWM:\t 9999 kB\nVmRSS:\t    2560 kB\n";
    assert!((memory(status, "VmRSS:").unwrap() - 2.5).abs() < 1e-9);
    assert!(memory(status, "VmSwap:").is_err());
    assert!(memory("VmRSS:\t 12 pages", "VmRSS:").is_err());
}

#[test]
fn this_process_can_be_watched() {
    let interrupts = Interrupts::catch().unwrap();
    let rest = at_rest(process::id(), Duration::ZERO, &interrupts).unwrap();
    assert!(rest.resident > 0.1, "{rest:?}");
    assert!(rest.shared_out > 0.1, "{rest:?}");
    let before = cpu_time(process::id()).unwrap();
    let watch = Stopwatch::start();
    while cpu_time(process::id()).unwrap() == before {
        assert!(watch.elapsed() < Duration::from_mins(1), "no time passes");
    }
}

#[test]
fn a_session_without_a_runner_has_none() {
    assert!(runner_of("no such session").is_err());
}
