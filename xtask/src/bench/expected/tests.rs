use std::collections::BTreeSet;

use super::*;
use crate::bench::ALL;

#[test]
fn names_are_unique_and_in_the_order_of_the_measurements() {
    let names: BTreeSet<&str> = FIGURES.iter().map(|figure| figure.name).collect();
    assert_eq!(names.len(), FIGURES.len());
    let in_order: Vec<&str> = ALL
        .iter()
        .flat_map(|(measure, _)| of(measure))
        .map(|figure| figure.name)
        .collect();
    let as_listed: Vec<&str> = FIGURES.iter().map(|figure| figure.name).collect();
    assert_eq!(in_order, as_listed);
    for (measure, _) in ALL {
        assert!(of(measure).next().is_some(), "{measure} gives no figure");
    }
}

#[test]
fn each_figure_and_its_target_is_explained() {
    let page = include_str!("../../../../docs/bench.md");
    for figure in FIGURES {
        let common = figure
            .name
            .replace("-sandbox", "-RUNTIME")
            .replace("-docker", "-RUNTIME");
        let cell = format!("| `{common}` |");
        let line = page.lines().find(|line| line.starts_with(&cell));
        let line = line.unwrap_or_else(|| panic!("docs/bench.md has no {cell}"));
        if let Some(target) = figure.target {
            let formula = target.formula(figure.unit);
            assert!(line.contains(&formula), "{cell} does not say {formula}");
        }
    }
}

#[test]
fn formulas_read_as_they_were_set() {
    let check = |target: Target, unit, expected: &str| {
        assert_eq!(target.formula(unit), expected);
    };
    let at_most = |in_fsyncs, plus| Target::AtMost { in_fsyncs, plus };
    check(at_most(10.0, 25.0), MS, "10 f + 25 ms");
    check(at_most(0.0, 12.0), MIB, "12 MiB");
    let (rate, per_fsync) = (6000.0, 4.0);
    let at_least = Target::AtLeast { rate, per_fsync };
    check(at_least, PER_SECOND, "at least min(6000, 4/f) /s");
    check(Target::TimesMedian(4.0), MS, "4 p50");
}

#[test]
fn bounds_go_by_the_disk_and_by_the_median() {
    let check = |target: Target, value: f64, (bound, met): (f64, bool)| {
        let found = target.bound(2.0, Some(10.0)).unwrap();
        assert!((found - bound).abs() < 1e-9, "{target:?}: {found}");
        assert_eq!(target.ratio(value, found) <= 1.0, met, "{target:?}");
    };
    let in_fsyncs = Target::AtMost {
        in_fsyncs: 8.0,
        plus: 4.0,
    };
    check(in_fsyncs, 20.0, (20.0, true));
    check(in_fsyncs, 20.1, (20.0, false));
    let rate = |rate| Target::AtLeast {
        rate,
        per_fsync: 4.0,
    };
    // Four in two thousandths of a second.
    check(rate(6000.0), 2000.0, (2000.0, true));
    check(rate(6000.0), 1999.0, (2000.0, false));
    check(rate(1000.0), 1999.0, (1000.0, true));
    check(Target::TimesMedian(4.0), 41.0, (40.0, false));
    assert_eq!(Target::TimesMedian(4.0).bound(2.0, None), None);
}
