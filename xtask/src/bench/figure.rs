//! One figure: what was measured, beside what it should be and what others need.

use anyhow::{Context, Result};
use serde::Serialize;

use crate::bench::{
    disk::{Disk, Fsync},
    expected::{self, Expected, Target},
};

/// A measured figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Figure {
    /// Which; `docs/bench.md` says what each means.
    pub(super) name: &'static str,
    /// How much it is.
    pub(super) value: f64,
    /// In what.
    pub(super) unit: &'static str,
    /// How many fsyncs of the time would take as long; for times only.
    pub(super) in_fsyncs: Option<f64>,
    /// What an fsync cost meanwhile.
    pub(super) fsync: Fsync,
    /// What it should be.
    pub(super) target: Option<Judged>,
    /// What the reference system needs for the same.
    pub(super) baseline: Option<Compared>,
}

/// A figure against its target.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Judged {
    /// The target as it was set; `f` is what an fsync cost, at its middle.
    pub(super) formula: String,
    /// What that comes to.
    pub(super) bound: f64,
    /// Whether the figure is as it should be.
    pub(super) met: bool,
    /// How much of it the figure is, or where more is better how much of the figure it is.
    pub(super) ratio: f64,
}

/// A figure against the reference system's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Compared {
    /// The reference system's.
    pub(super) value: f64,
    /// How much of it the figure is.
    pub(super) ratio: f64,
}

/// What one measurement has found so far.
#[derive(Debug)]
pub(super) struct Findings {
    measure: &'static str,
    fsync: Fsync,
    figures: Vec<Figure>,
}

impl Findings {
    /// Nothing yet of the measurement called `measure`, at what an fsync cost on `disk`.
    pub(super) fn new(measure: &'static str, disk: &Disk) -> Result<Self> {
        Ok(Self {
            measure,
            fsync: disk.cost()?,
            figures: Vec::new(),
        })
    }

    /// Adds the figure `part` of this measurement.
    pub(super) fn add(&mut self, part: &str, value: f64) -> Result<()> {
        let name = format!("{}.{part}", self.measure);
        let expected = expected::FIGURES
            .iter()
            .find(|expected| expected.name == name)
            .with_context(|| format!("no figure is called {name}"))?;
        let median = format!("{}.p50", self.measure);
        let median = self.figures.iter().find(|figure| figure.name == median);
        let median = median.map(|figure| figure.value);
        self.figures
            .push(Figure::new(expected, value, self.fsync, median));
        Ok(())
    }

    /// All that was added.
    pub(super) fn finish(self) -> Vec<Figure> {
        self.figures
    }
}

impl Figure {
    /// `median` is that of the same measurement, if it has one.
    pub(super) fn new(expected: &Expected, value: f64, fsync: Fsync, median: Option<f64>) -> Self {
        let target = expected.target.and_then(|target| {
            let bound = target.bound(fsync.p50_ms, median)?;
            let ratio = target.ratio(value, bound);
            Some(Judged {
                formula: target.formula(expected.unit),
                bound,
                met: ratio <= 1.0,
                ratio,
            })
        });
        // Where more is better, less of the reference system's is worse.
        let more_is_better = matches!(expected.target, Some(Target::AtLeast { .. }));
        let baseline = expected.baseline.map(|baseline| Compared {
            value: baseline,
            ratio: if more_is_better {
                baseline / value
            } else {
                value / baseline
            },
        });
        Self {
            name: expected.name,
            value,
            unit: expected.unit,
            in_fsyncs: (expected.unit == expected::MS).then(|| value / fsync.p50_ms),
            fsync,
            target,
            baseline,
        }
    }

    /// Whether it has a target and exceeds it.
    pub(super) fn misses(&self) -> bool {
        self.target.as_ref().is_some_and(|target| !target.met)
    }
}

#[cfg(test)]
mod tests;
