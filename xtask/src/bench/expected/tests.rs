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
    let check = |in_fsyncs, plus, unit, expected: &str| {
        assert_eq!(Target { in_fsyncs, plus }.formula(unit), expected);
    };
    check(10.0, 25.0, MS, "10 f + 25 ms");
    check(0.0, 12.0, MIB, "12 MiB");
}
