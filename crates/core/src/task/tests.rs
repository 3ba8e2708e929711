use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};
use proptest::{prelude::*, test_runner::Config};

use super::*;

const MINUTE: Duration = Duration::from_mins(1);

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn zone(name: &str) -> TimeZone {
    zone_named(name).unwrap()
}

fn recurring(cron: &str, name: &str) -> Schedule {
    Schedule::recurring(cron, zone(name), MINUTE, at("2026-01-01T00:00:00Z")).unwrap()
}

/// The first runs after a time, in the zone's own clock.
fn runs(cron: &str, name: &str, after: &str, count: usize) -> Vec<String> {
    let schedule = recurring(cron, name);
    let mut last = at(after);
    let mut found = Vec::new();
    for _ in 0..count {
        last = schedule.next_after(last).unwrap();
        let local = last.to_zoned(zone(name));
        found.push(local.strftime("%m-%d %H:%M%:z").to_string());
    }
    found
}

#[test]
fn defect_34_an_hour_that_does_not_exist_is_not_left_out() {
    // On 29 March 2026 clocks in Berlin go from 02:00 to 03:00.
    let after = "2026-03-28T12:00:00Z";
    let check = |cron, expect: &[&str]| {
        assert_eq!(
            runs(cron, "Europe/Berlin", after, expect.len()),
            expect,
            "{cron}"
        );
    };
    check("30 2 * * *", &["03-29 03:00+02:00", "03-30 02:30+02:00"]);
    check(
        "30 1,2 * * *",
        &[
            "03-29 01:30+01:00",
            "03-29 03:00+02:00",
            "03-30 01:30+02:00",
        ],
    );
    check("*/20 2 * * *", &["03-29 03:00+02:00", "03-30 02:00+02:00"]);
    check(
        "30 0-4 * * *",
        &[
            "03-29 00:30+01:00",
            "03-29 01:30+01:00",
            "03-29 03:00+02:00",
            "03-29 03:30+02:00",
        ],
    );
    check("0 9 * * *", &["03-29 09:00+02:00", "03-30 09:00+02:00"]);
}

#[test]
fn defect_34_an_hour_that_comes_twice_runs_once() {
    // On 25 October 2026 clocks in Berlin go from 03:00 back to 02:00; on 1 November in New York.
    let check = |cron, name, after, expect: &[&str]| {
        assert_eq!(runs(cron, name, after, expect.len()), expect, "{cron}");
    };
    let after = "2026-10-24T12:00:00Z";
    check(
        "30 2 * * *",
        "Europe/Berlin",
        after,
        &["10-25 02:30+02:00", "10-26 02:30+01:00"],
    );
    check(
        "30 1 * * *",
        "America/New_York",
        "2026-10-31T12:00:00Z",
        &["11-01 01:30-04:00", "11-02 01:30-05:00"],
    );
    check(
        "0 9 * * *",
        "Europe/Berlin",
        after,
        &["10-25 09:00+01:00", "10-26 09:00+01:00"],
    );
}

#[test]
fn what_runs_at_every_hour_runs_through_both_hours() {
    let expect = [
        "10-25 01:00+02:00",
        "10-25 02:00+02:00",
        "10-25 02:00+01:00",
        "10-25 03:00+01:00",
    ];
    assert_eq!(
        runs("0 * * * *", "Europe/Berlin", "2026-10-24T22:30:00Z", 4),
        expect
    );
    let expect = [
        "03-29 01:00+01:00",
        "03-29 03:00+02:00",
        "03-29 04:00+02:00",
    ];
    assert_eq!(
        runs("0 * * * *", "Europe/Berlin", "2026-03-28T23:30:00Z", 3),
        expect
    );
}

#[test]
fn what_was_missed_is_one_run() {
    let daily = recurring("0 9 * * *", "UTC");
    let check = |due, now, expect| assert_eq!(daily.fire(at(due), at(now)), expect);
    let next = |missed, next: &str| Firing {
        missed,
        next_at: Some(at(next)),
    };
    check(
        "2026-05-01T09:00:00Z",
        "2026-05-01T09:00:00Z",
        next(0, "2026-05-02T09:00:00Z"),
    );
    check(
        "2026-05-01T09:00:00Z",
        "2026-05-04T08:59:59Z",
        next(2, "2026-05-04T09:00:00Z"),
    );
    check(
        "2026-05-01T09:00:00Z",
        "2026-05-04T09:00:00Z",
        next(3, "2026-05-05T09:00:00Z"),
    );
    let each_minute = recurring("* * * * *", "UTC");
    assert_eq!(
        each_minute.fire(at("2026-05-01T00:00:00Z"), at("2026-06-01T00:00:30Z")),
        next(1_000, "2026-06-01T00:01:00Z"),
    );
    let once = Schedule::Once(at("2026-05-01T09:00:00Z"));
    let over = Firing {
        missed: 0,
        next_at: None,
    };
    assert_eq!(
        once.fire(at("2026-05-01T09:00:00Z"), at("2026-05-09T09:00:00Z")),
        over
    );
}

#[test]
fn defect_34_a_run_that_fails_does_not_end_its_series() {
    let every_5 = recurring("*/5 * * * *", "UTC");
    let now = at("2026-05-01T09:00:30Z");
    let planned = Some(at("2026-05-01T09:05:00Z"));
    let follows = |ended, failures, now| every_5.follows(ended, failures, planned, now);
    let standing = |failures, follows| Standing { failures, follows };
    let next = |text| Follows::At(at(text));
    assert_eq!(
        follows(Ended::Well, 3, now),
        standing(0, next("2026-05-01T09:05:00Z"))
    );
    assert_eq!(
        follows(Ended::Failed, 0, now),
        standing(1, next("2026-05-01T09:05:00Z"))
    );
    assert_eq!(
        follows(Ended::Failed, 1, now),
        standing(2, next("2026-05-01T09:05:00Z"))
    );
    assert_eq!(
        follows(Ended::Failed, 2, now),
        standing(3, next("2026-05-01T09:10:00Z"))
    );
    assert_eq!(
        follows(Ended::Failed, 3, now),
        standing(4, next("2026-05-01T09:20:00Z"))
    );
    assert_eq!(follows(Ended::Failed, 4, now), standing(5, Follows::Paused));
}

#[test]
fn what_becomes_due_while_a_run_goes_on_is_left_out() {
    let hourly = recurring("0 * * * *", "UTC");
    let planned = Some(at("2026-05-01T10:00:00Z"));
    let standing = hourly.follows(Ended::Well, 0, planned, at("2026-05-01T12:30:00Z"));
    assert_eq!(standing.follows, Follows::At(at("2026-05-01T13:00:00Z")));
    let once = Schedule::Once(at("2026-05-01T09:00:00Z"));
    let now = at("2026-05-01T09:01:00Z");
    assert_eq!(
        once.follows(Ended::Well, 0, None, now).follows,
        Follows::Over
    );
    assert_eq!(
        once.follows(Ended::Failed, 0, None, now).follows,
        Follows::Over
    );
    // A run beside the schedule leaves what is planned.
    let later = Some(at("2026-05-02T09:00:00Z"));
    let kept = Follows::At(at("2026-05-02T09:00:00Z"));
    assert_eq!(once.follows(Ended::Well, 0, later, now).follows, kept);
}

#[test]
fn defect_34_a_bad_schedule_is_refused_at_once() {
    let now = at("2026-05-01T09:00:00Z");
    let apart = Duration::from_mins(5);
    let check = |cron: &str, expect: &str| {
        let refused = Schedule::recurring(cron, zone("UTC"), apart, now).unwrap_err();
        let refused = refused.to_string();
        assert!(refused.contains(expect), "{cron:?}: {refused}");
    };
    check("every day", "no cron expression of five fields");
    check("", "no cron expression");
    check("61 * * * *", "no cron expression");
    check("0 0 9 * * *", "no cron expression");
    check("0 0 31 2 *", "it would never run");
    check("* * * * *", "at least 5 minutes");
    check("0,1 9 * * *", "at least 5 minutes");
    check("59,0 * 29 2 *", "at least 5 minutes");
    assert!(Schedule::recurring("*/5 * * * *", zone("UTC"), apart, now).is_ok());
    assert!(Schedule::recurring("@daily", zone("UTC"), apart, now).is_ok());
    assert_eq!(Schedule::once(now, now).unwrap_err(), BadSchedule::Past);
    let far = at("2040-01-01T00:00:00Z");
    assert_eq!(Schedule::once(far, now).unwrap_err(), BadSchedule::TooFar);
    assert_eq!(zone_named("Berlin").unwrap_err(), BadSchedule::Zone);
    assert_eq!(zone_named("").unwrap_err(), BadSchedule::Zone);
}

#[test]
fn defect_35_a_time_without_an_offset_is_local() {
    let berlin = zone("Europe/Berlin");
    let check =
        |text: &str, expect: &str| assert_eq!(time(text, &berlin), Ok(at(expect)), "{text}");
    check("2026-07-01 09:00", "2026-07-01T07:00:00Z");
    check("2026-01-01T09:00:30", "2026-01-01T08:00:30Z");
    check("2026-01-01T09:00:00Z", "2026-01-01T09:00:00Z");
    check("2026-01-01T09:00:00-05:00", "2026-01-01T14:00:00Z");
    check(
        "2026-01-01T09:00:00-05:00[America/New_York]",
        "2026-01-01T14:00:00Z",
    );
    // Neither exists twice nor not at all.
    check("2026-03-29 02:30", "2026-03-29T01:30:00Z");
    check("2026-10-25 02:30", "2026-10-25T00:30:00Z");
    for wrong in ["", "tomorrow", "2026-07-01", "09:00", "2026-13-01 09:00"] {
        assert_eq!(time(wrong, &berlin), Err(BadSchedule::Time), "{wrong}");
    }
}

#[test]
fn a_wait_counts_days_by_the_calendar() {
    let berlin = zone("Europe/Berlin");
    let now = at("2026-03-28T12:00:00Z");
    let check = |text: &str, expect: &str| {
        assert_eq!(wait(text, &berlin, now), Ok(at(expect)), "{text}");
    };
    check("20 minutes", "2026-03-28T12:20:00Z");
    check("2h 30m", "2026-03-28T14:30:00Z");
    check("PT1H", "2026-03-28T13:00:00Z");
    check("1 day", "2026-03-29T11:00:00Z");
    assert_eq!(wait("soon", &berlin, now), Err(BadSchedule::Wait));
    assert_eq!(wait("99999 years", &berlin, now), Err(BadSchedule::Wait));
}

#[test]
fn a_clock_that_was_wrong_holds_nothing_back() {
    let daily = recurring("0 9 * * *", "UTC");
    let now = at("2026-05-01T08:59:00Z");
    let check = |next, last: Option<&str>, expect| {
        assert_eq!(
            daily.after_set_back(at(next), last.map(at), now),
            Some(at(expect))
        );
    };
    // It ran today already, a minute before the clock was set back by two.
    check(
        "2026-05-02T09:00:00Z",
        Some("2026-05-01T09:00:00Z"),
        "2026-05-02T09:00:00Z",
    );
    // The clock was in another year.
    check(
        "2031-05-02T09:00:00Z",
        Some("2031-05-01T09:00:00Z"),
        "2026-05-01T09:00:00Z",
    );
    check("2026-05-01T09:00:00Z", None, "2026-05-01T09:00:00Z");
}

fn crons() -> impl Strategy<Value = String> {
    let minute = prop_oneof![
        "[0-9]|[1-5][0-9]",
        Just("*/15".to_owned()),
        Just("*/7".to_owned())
    ];
    let hour = prop_oneof![
        "[0-9]|1[0-9]|2[0-3]",
        Just("*".to_owned()),
        Just("*/3".to_owned()),
        Just("1-4".to_owned())
    ];
    let day = prop_oneof![Just("*".to_owned()), "[1-9]|1[0-9]|2[0-8]"];
    let weekday = prop_oneof![Just("*".to_owned()), "[0-6]", Just("1-5".to_owned())];
    (minute, hour, day, weekday).prop_map(|(m, h, d, w)| format!("{m} {h} {d} * {w}"))
}

const ZONES: &[&str] = &[
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Asia/Kathmandu",
];

proptest! {
    #![proptest_config(Config::with_cases(64))]

    /// Whenever it is asked, there is a next time; it is later, and nothing lies between.
    #[test]
    fn the_next_time_is_the_next_one(
        cron in crons(),
        zone in prop::sample::select(ZONES),
        start in 1_735_689_600_i64..1_830_297_600,
        within in 0_i64..100_000,
    ) {
        let schedule = recurring(&cron, zone);
        let start = Timestamp::from_second(start).unwrap();
        let next = schedule.next_after(start).unwrap();
        prop_assert!(next > start);
        let between = Timestamp::from_second(start.as_second() + within).unwrap();
        if between < next {
            prop_assert_eq!(schedule.next_after(between), Some(next));
        } else {
            prop_assert!(schedule.next_after(between).unwrap() > next);
        }
    }

    /// A day has a daily run, once, whatever its clocks do.
    #[test]
    fn a_daily_task_runs_once_each_day(
        minute in 0..60_u32,
        hour in 0..24_u32,
        zone in prop::sample::select(ZONES),
        start in 1_735_689_600_i64..1_830_297_600,
    ) {
        let schedule = recurring(&format!("{minute} {hour} * * *"), zone);
        let tz = self::zone(zone);
        let mut last = Timestamp::from_second(start).unwrap();
        let mut day = None;
        for _ in 0..400 {
            last = schedule.next_after(last).unwrap();
            let today = last.to_zoned(tz.clone()).date();
            if let Some(day) = day {
                prop_assert_eq!(today, jiff::civil::Date::tomorrow(day).unwrap());
            }
            day = Some(today);
        }
    }
}
