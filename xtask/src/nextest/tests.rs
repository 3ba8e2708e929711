use super::*;

#[test]
fn totals_are_counted() {
    let report = "<?xml version=\"1.0\"?>\n\
        <testsuites name=\"nextest-run\" tests=\"12\" failures=\"2\" errors=\"1\" uuid=\"x\">\n\
        <testsuite name=\"a\" tests=\"5\" failures=\"0\" errors=\"0\">\n";
    let counts = parse(report).unwrap();
    assert_eq!(
        counts,
        Counts {
            passed: 9,
            failed: 3
        }
    );
    assert_eq!((counts + counts).to_string(), "18 passed, 6 failed");
}

#[test]
fn a_report_without_totals_is_an_error() {
    for report in [
        "",
        "<testsuites",
        "<testsuites tests=\"1\" failures=\"0\">",
        "<testsuites tests=\"many\" failures=\"0\" errors=\"0\">",
    ] {
        assert!(parse(report).is_err(), "{report}");
    }
}
