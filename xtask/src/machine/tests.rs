use std::fs;

use super::*;

#[test]
fn programs_are_found_on_the_search_path_only() {
    assert!(which("sh").is_some());
    assert_eq!(which("no-such-program-anywhere"), None);
}

#[test]
fn waiting_ends_with_the_condition_or_the_limit() {
    let mut looks = 0;
    let held = wait_until(Duration::from_secs(10), || {
        looks += 1;
        Ok(looks == 3)
    });
    assert!(held.unwrap());
    assert_eq!(looks, 3);
    assert!(!wait_until(Duration::ZERO, || Ok(false)).unwrap());
    assert!(wait_until(Duration::ZERO, || bail!("broken")).is_err());
}

/// Starts a shell script as a daemon, and waits until it wrote its first line.
fn daemon(script: &str, folder: &Path, grace: Duration) -> Daemon {
    let log = folder.join("log");
    let daemon = Daemon::start(Path::new("/bin/sh"), ["-c", script], &log, grace).unwrap();
    let ready = wait_until(Duration::from_secs(10), || {
        Ok(fs::read_to_string(&log)?.starts_with("ready"))
    });
    assert!(ready.unwrap(), "the script never said that it is ready");
    daemon
}

#[test]
fn a_daemon_is_asked_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    let script = "trap 'echo asked; exit 7' TERM; echo ready; while :; do sleep 0.01; done";
    let mut daemon = daemon(script, folder.path(), Duration::from_secs(10));
    assert_eq!(daemon.ended().unwrap(), None);
    assert_eq!(daemon.stop().unwrap().code(), Some(7));
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    assert_eq!(log, "ready\nasked\n");
}

#[test]
fn a_daemon_that_will_not_stop_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let script = "trap '' TERM; echo ready; while :; do sleep 0.01; done";
    let mut daemon = daemon(script, folder.path(), Duration::from_millis(100));
    let complaint = format!("{:#}", daemon.stop().unwrap_err());
    assert!(complaint.contains("did not stop within"), "{complaint}");
    assert!(daemon.ended().unwrap().is_some());
}
