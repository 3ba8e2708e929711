//! One figure: what was measured, beside what it should be and what others need.

use anyhow::{Context, Result};
use serde::Serialize;

use crate::bench::{
    disk::{Disk, Fsync},
    expected::{self, Expected},
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
    pub(super) most: f64,
    /// Whether the figure is no more than that.
    pub(super) met: bool,
    /// How much of it the figure is.
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
        self.figures.push(Figure::new(expected, value, self.fsync));
        Ok(())
    }

    /// All that was added.
    pub(super) fn finish(self) -> Vec<Figure> {
        self.figures
    }
}

impl Figure {
    pub(super) fn new(expected: &Expected, value: f64, fsync: Fsync) -> Self {
        let target = expected.target.map(|target| {
            let most = target.in_fsyncs * fsync.p50_ms + target.plus;
            Judged {
                formula: target.formula(expected.unit),
                most,
                met: value <= most,
                ratio: value / most,
            }
        });
        let baseline = expected.baseline.map(|baseline| Compared {
            value: baseline,
            ratio: value / baseline,
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
