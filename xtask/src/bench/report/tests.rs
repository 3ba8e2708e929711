use super::*;

#[test]
fn numbers_have_three_digits_that_say_something() {
    let check = |value, expected: &str| assert_eq!(number(value), expected);
    check(0.0, "0");
    check(0.0123, "0.012");
    check(0.25, "0.25");
    check(9.994, "9.99");
    check(9.999, "10");
    check(10.0, "10");
    check(12.34, "12.3");
    check(99.96, "100");
    check(1234.5, "1234");
    check(116_000.0, "116000");
}

fn report() -> Report {
    let fsync = Fsync {
        p50_ms: 2.0,
        p99_ms: 9.25,
        samples: 3,
    };
    let figure = |name, value| {
        let expected = expected::FIGURES.iter().find(|found| found.name == name);
        Figure::new(expected.unwrap(), value, fsync, Some(50.0))
    };
    Report {
        quick: true,
        seed: 7,
        machine: Machine {
            cores: 2,
            kernel: "6.1".to_owned(),
            load_before: "1 2 3".to_owned(),
        },
        baseline_source: "elsewhere",
        figures: vec![
            figure("size.runner", 4.5),
            figure("warm-docker.p50", 50.0),
            figure("warm-docker.p99", 61.25),
        ],
        failures: vec![Failure::new("cold-docker", "no engine".to_owned(), &[])],
    }
}

#[test]
fn the_table_lines_up_and_tells_of_failures() {
    let expected = "\
quick, 2 cores, Linux 6.1, load before 1 2 3, seed 7

| figure          | value   | in f | f p50/p99 ms | target             | of target | met | baseline | of baseline |
| --------------- | ------- | ---- | ------------ | ------------------ | --------- | --- | -------- | ----------- |
| size.runner     | 4.5 MiB |      | 2 / 9.25     | 12 MiB             | 0.38×     | yes |          |             |
| warm-docker.p50 | 50 ms   | 25   | 2 / 9.25     | 8 f + 4 ms = 20 ms | 2.5×      | NO  | 1005 ms  | 0.05×       |
| warm-docker.p99 | 61.2 ms | 30.6 | 2 / 9.25     | 4 p50 = 200 ms     | 0.31×     | yes |          |             |
| cold-docker.p50 | FAILED  |      |              |                    |           |     |          |             |
| cold-docker.max | FAILED  |      |              |                    |           |     |          |             |

f: a write of 4 KiB and its fsync, on the same disk at the same time.
baselines: elsewhere.
cold-docker failed: no engine";
    assert_eq!(report().table(), expected);
    assert!(report().misses());
}

#[test]
fn json_has_the_same_in_full() {
    let json = serde_json::to_value(report()).unwrap();
    let figure = json.pointer("/figures/1").unwrap();
    assert_eq!(
        *figure,
        serde_json::json!({
            "name": "warm-docker.p50",
            "value": 50.0,
            "unit": "ms",
            "in_fsyncs": 25.0,
            "fsync": {"p50_ms": 2.0, "p99_ms": 9.25, "samples": 3},
            "target": {"formula": "8 f + 4 ms", "bound": 20.0, "met": false, "ratio": 2.5},
            "baseline": {"value": 1005.0, "ratio": 50.0 / 1005.0},
        })
    );
    assert_eq!(
        json.pointer("/failures/0/missing"),
        Some(&serde_json::json!(["cold-docker.p50", "cold-docker.max"]))
    );
}

#[test]
fn a_measurement_that_gave_some_figures_lacks_the_others() {
    let report = report();
    let failure = Failure::new("warm-docker", String::new(), &report.figures);
    assert_eq!(failure.missing, ["warm-docker.max"]);
}
