use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_780_000_000 + seconds).unwrap()
}

fn outage(since: i64, told: Option<i64>) -> Outage {
    Outage {
        since: at(since),
        told_at: told.map(at),
    }
}

fn seen(up: bool, since: i64, proven: Option<i64>) -> Seen {
    Seen {
        up,
        since: at(since),
        proven_at: proven.map(at),
    }
}

#[test]
fn an_outage_is_told_once_and_so_is_its_end() {
    let begun = |since| Verdict::Begun(outage(since, None));
    for (known, seen, now, expect) in [
        (None, seen(true, 0, None), 900, Verdict::Nothing),
        (None, seen(false, 3, None), 5, begun(3)),
        // A clock that was set back does not put it into the future.
        (None, seen(false, 9, None), 5, begun(5)),
        (
            Some(outage(0, None)),
            seen(false, 0, None),
            299,
            Verdict::Nothing,
        ),
        (
            Some(outage(0, None)),
            seen(false, 0, None),
            300,
            Verdict::Tell,
        ),
        // A later host sees it down only since its own start.
        (
            Some(outage(0, None)),
            seen(false, 290, None),
            300,
            Verdict::Tell,
        ),
        (
            Some(outage(0, Some(300))),
            seen(false, 0, None),
            9000,
            Verdict::Nothing,
        ),
        // Up, and nothing has come over it: that proves nothing for a minute.
        (
            Some(outage(0, Some(300))),
            seen(true, 400, None),
            459,
            Verdict::Nothing,
        ),
        (
            Some(outage(0, Some(300))),
            seen(true, 400, Some(399)),
            459,
            Verdict::Nothing,
        ),
        (
            Some(outage(0, Some(300))),
            seen(true, 400, Some(401)),
            402,
            Verdict::Over,
        ),
        (
            Some(outage(0, Some(300))),
            seen(true, 400, None),
            460,
            Verdict::Over,
        ),
        (
            Some(outage(0, None)),
            seen(true, 400, None),
            460,
            Verdict::Over,
        ),
    ] {
        assert_eq!(
            judge(known, seen, at(now)),
            expect,
            "{known:?} {seen:?} {now}"
        );
    }
}

#[test]
fn a_connection_that_comes_and_goes_is_one_outage() {
    let mut known = None;
    let mut told = 0;
    for second in 0..1200 {
        // Ten seconds up in each minute.
        let up = second % 60 >= 50;
        let since = second
            - if up {
                second % 60 - 50
            } else {
                (second + 10) % 60
            };
        match judge(known, seen(up, since, None), at(second)) {
            Verdict::Begun(outage) => known = Some(outage),
            Verdict::Tell => {
                told += 1;
                known = Some(outage(0, Some(second)));
            }
            Verdict::Over => panic!("over at {second}"),
            Verdict::Nothing => {}
        }
    }
    assert_eq!(told, 1);
}
