use super::*;

#[test]
fn the_start_time_is_found_behind_any_name() {
    let stat = "23050 (a) b ( 1) S 1 2 3 0 -1 4 45 408 0 0 0 0 0 0 20 0 1 0 184389 3457024 306";
    assert_eq!(stat_field(stat, START_TIME), Some(184_389));
    assert_eq!(stat_field("", START_TIME), None);
    assert_eq!(stat_field("1 (x) S", START_TIME), None);
}

#[test]
fn a_process_id_with_another_start_time_is_another_process() {
    let own = i32::try_from(std::process::id()).unwrap();
    let this = ProcessRef::of(own).unwrap();
    assert!(!this.open().unwrap().unwrap().is_over().unwrap());
    let other = ProcessRef {
        started: this.started + 1,
        ..this
    };
    assert!(other.open().unwrap().is_none());
    assert!(Process::open(0).unwrap().is_none());
    assert!(Process::open(-1).unwrap().is_none());
}
