//! All figures of one run, as a table for people and as JSON for programs.

use std::{fs, thread};

use serde::Serialize;

use crate::bench::{
    disk::Fsync,
    expected::{self, Expected},
    figure::Figure,
};

/// All that one run found, and failed to find.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    /// Fewer repetitions were made than figures worth keeping need.
    pub(super) quick: bool,
    /// What the random gaps and picks were made from.
    pub(super) seed: u64,
    /// The machine, and how busy it was before.
    pub(super) machine: Machine,
    /// Where the baselines come from.
    pub(super) baseline_source: &'static str,
    pub(super) figures: Vec<Figure>,
    pub(super) failures: Vec<Failure>,
}

/// Where it was measured.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Machine {
    cores: usize,
    kernel: String,
    /// The mean number of programs that wanted a core, over 1, 5 and 15 minutes.
    load_before: String,
}

/// A measurement that could not be made.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Failure {
    pub(super) measure: &'static str,
    pub(super) why: String,
    /// The figures that are missing for it.
    pub(super) missing: Vec<&'static str>,
}

impl Machine {
    pub(super) fn this() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let load = read("/proc/loadavg");
        let load: Vec<&str> = load.split_whitespace().take(3).collect();
        Self {
            cores: thread::available_parallelism().map_or(0, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load_before: load.join(" "),
        }
    }
}

impl Failure {
    /// Of the measurement `measure`, with all figures that `measured` does not have.
    pub(super) fn new(measure: &'static str, why: String, measured: &[Figure]) -> Self {
        let has = |expected: &Expected| measured.iter().any(|figure| figure.name == expected.name);
        let missing = expected::of(measure).filter(|expected| !has(expected));
        Self {
            measure,
            why,
            missing: missing.map(|expected| expected.name).collect(),
        }
    }
}

impl Report {
    /// Whether a figure exceeds its target.
    pub(super) fn misses(&self) -> bool {
        self.figures.iter().any(Figure::misses)
    }

    /// A table in Markdown, with a few words around it.
    pub(super) fn table(&self) -> String {
        let Machine {
            cores,
            kernel,
            load_before,
        } = &self.machine;
        let length = if self.quick { "quick, " } else { "" };
        let seed = self.seed;
        let mut rows = vec![HEAD.map(str::to_owned)];
        rows.extend(self.figures.iter().map(row));
        rows.extend(self.failures.iter().flat_map(failed_rows));
        let mut lines = vec![
            format!(
                "{length}{cores} cores, Linux {kernel}, load before {load_before}, seed {seed}"
            ),
            String::new(),
            aligned(&rows),
            "f: a write of 4 KiB and its fsync, on the same disk at the same time.".to_owned(),
            format!("baselines: {}.", self.baseline_source),
        ];
        let why = |failure: &Failure| format!("{} failed: {}", failure.measure, failure.why);
        lines.extend(self.failures.iter().map(why));
        lines.join("\n")
    }
}

const COLUMNS: usize = 9;
const HEAD: [&str; COLUMNS] = [
    "figure",
    "value",
    "in f",
    "f p50/p99 ms",
    "target",
    "of target",
    "met",
    "baseline",
    "of baseline",
];

fn row(figure: &Figure) -> [String; COLUMNS] {
    let Figure {
        name,
        value,
        unit,
        in_fsyncs,
        fsync: Fsync { p50_ms, p99_ms, .. },
        target,
        baseline,
    } = figure;
    let none = String::new;
    let times = |ratio: f64| format!("{}×", number(ratio));
    let target = target.as_ref();
    let baseline = baseline.as_ref();
    [
        (*name).to_owned(),
        format!("{} {unit}", number(*value)),
        in_fsyncs.map_or_else(none, number),
        format!("{} / {}", number(*p50_ms), number(*p99_ms)),
        target.map_or_else(none, |target| {
            let bound = format!("{} {unit}", number(target.bound));
            if target.formula == bound {
                bound
            } else {
                format!("{} = {bound}", target.formula)
            }
        }),
        target.map_or_else(none, |target| times(target.ratio)),
        target.map_or_else(none, |target| {
            if target.met { "yes" } else { "NO" }.to_owned()
        }),
        baseline.map_or_else(none, |baseline| {
            format!("{} {unit}", number(baseline.value))
        }),
        baseline.map_or_else(none, |baseline| times(baseline.ratio)),
    ]
}

fn failed_rows(failure: &Failure) -> Vec<[String; COLUMNS]> {
    let row = |name: &&str| {
        let mut row = <[String; COLUMNS]>::default();
        let [figure, value, ..] = &mut row;
        (*name).clone_into(figure);
        "FAILED".clone_into(value);
        row
    };
    failure.missing.iter().map(row).collect()
}

/// Three digits that say something, and no zeros that don't.
fn number(value: f64) -> String {
    let digits = match value.abs() {
        large if large >= 99.95 => 0,
        middle if middle >= 9.995 => 1,
        small if small >= 0.0995 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A table whose columns are as wide as what is in them; the first row is its head.
fn aligned(rows: &[[String; COLUMNS]]) -> String {
    let mut widths = [0; COLUMNS];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; COLUMNS]| {
        let cells = row.iter().zip(widths);
        let cells: Vec<_> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        text.push_str(&line(row));
        if number == 0 {
            text.push_str(&line(&widths.map(|width| "-".repeat(width))));
        }
    }
    text
}

#[cfg(test)]
mod tests;
