//! Every figure there is, with its target and the reference system's figure, in this one place.
//!
//! Targets are those set for the first whole path, from a message to its answer, and for routing
//! where there is much to choose from.

use serde::Serialize;

/// Where the baselines come from.
pub(super) const BASELINE_SOURCE: &str = "NanoClaw v2.0.64 with its mock provider, measured once on \
     2 cores, 24 GiB, Debian 12, Linux 6.18, Docker 20.10, both cores busy with other work most of \
     the time, an fsync at 0.3 to 4 ms: orders of magnitude";

/// Thousandths of a second.
pub(super) const MS: &str = "ms";
/// The same of a processor's time, which no disk can make longer.
const CPU_MS: &str = "ms of CPU";
/// 1,048,576 bytes.
const MIB: &str = "MiB";
/// Calls that make something durable.
const SYNCS: &str = "fsyncs";
/// Of one core.
const PERCENT: &str = "%";
/// Each second.
const PER_SECOND: &str = "/s";

/// A figure as it should be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    /// The measurement's name, a dot, and its part.
    pub(super) name: &'static str,
    /// In what it is told.
    pub(super) unit: &'static str,
    /// What it may be at most.
    pub(super) target: Option<Target>,
    /// What the reference system needs.
    pub(super) baseline: Option<f64>,
}

/// What a figure may be at most, for a disk with an fsync of any cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Target {
    /// That many fsyncs,
    pub(super) in_fsyncs: f64,
    /// and this much.
    pub(super) plus: f64,
}

impl Target {
    /// As people write it.
    pub(super) fn formula(self, unit: &str) -> String {
        let Self { in_fsyncs, plus } = self;
        if in_fsyncs > 0.0 {
            format!("{in_fsyncs} f + {plus} {unit}")
        } else {
            format!("{plus} {unit}")
        }
    }
}

const fn figure(name: &'static str, unit: &'static str) -> Expected {
    Expected {
        name,
        unit,
        target: None,
        baseline: None,
    }
}

impl Expected {
    const fn at_most(mut self, plus: f64) -> Self {
        let in_fsyncs = 0.0;
        self.target = Some(Target { in_fsyncs, plus });
        self
    }

    const fn at_most_fsyncs(mut self, in_fsyncs: f64, plus: f64) -> Self {
        self.target = Some(Target { in_fsyncs, plus });
        self
    }

    const fn baseline(mut self, value: f64) -> Self {
        self.baseline = Some(value);
        self
    }
}

/// All of them, in the order in which they are measured.
///
/// Without a baseline are those for which the reference system was not measured in the same way.
pub(super) const FIGURES: &[Expected] = &[
    figure("size.runner", MIB).at_most(12.0),
    figure("start.fresh", MS).baseline(197.0),
    figure("start.again", MS).baseline(197.0),
    figure("idle-sandbox.resident", MIB)
        .at_most(25.0)
        .baseline(78.0),
    figure("idle-sandbox.shared-out", MIB).baseline(51.0),
    figure("idle-sandbox.cpu", PERCENT).baseline(0.13),
    figure("idle-sandbox.switches", PER_SECOND),
    figure("idle-docker.resident", MIB)
        .at_most(25.0)
        .baseline(78.0),
    figure("idle-docker.shared-out", MIB).baseline(51.0),
    figure("idle-docker.cpu", PERCENT).baseline(0.13),
    figure("idle-docker.switches", PER_SECOND),
    figure("sessions.resident", MIB)
        .at_most(30.0)
        .baseline(92.0),
    figure("sessions.shared-out", MIB).baseline(64.0),
    figure("sessions.cpu", PERCENT).baseline(2.1),
    figure("sessions.switches", PER_SECOND),
    figure("routing.decide", CPU_MS).at_most(1.0),
    figure("routing.explain", CPU_MS),
    figure("routing.request", CPU_MS),
    figure("routing.event", CPU_MS).at_most(1.0),
    figure("runner-sandbox.resident", MIB)
        .at_most(8.0)
        .baseline(73.5),
    figure("runner-sandbox.shared-out", MIB).baseline(34.0),
    figure("runner-sandbox.cpu", PERCENT).baseline(0.36),
    figure("runner-sandbox.switches", PER_SECOND).baseline(11.0),
    figure("runner-docker.resident", MIB)
        .at_most(8.0)
        .baseline(73.5),
    figure("runner-docker.shared-out", MIB).baseline(34.0),
    figure("runner-docker.cpu", PERCENT).baseline(0.36),
    figure("runner-docker.switches", PER_SECOND).baseline(11.0),
    figure("warm-sandbox.p50", MS).at_most_fsyncs(10.0, 25.0),
    figure("warm-sandbox.p99", MS),
    figure("warm-sandbox.max", MS),
    figure("warm-docker.p50", MS)
        .at_most_fsyncs(10.0, 25.0)
        .baseline(1005.0),
    figure("warm-docker.p99", MS),
    figure("warm-docker.max", MS),
    figure("gaps-sandbox.p50", MS)
        .at_most_fsyncs(10.0, 25.0)
        .baseline(716.0),
    figure("gaps-sandbox.p99", MS),
    figure("gaps-sandbox.max", MS).baseline(1289.0),
    figure("gaps-docker.p50", MS)
        .at_most_fsyncs(10.0, 25.0)
        .baseline(813.0),
    figure("gaps-docker.p99", MS),
    figure("gaps-docker.max", MS).baseline(1332.0),
    figure("burst-sandbox.all", MS).baseline(116_000.0),
    figure("burst-docker.all", MS).baseline(116_000.0),
    figure("syncs-sandbox.path", SYNCS).at_most(10.0),
    figure("syncs-sandbox.path-max", SYNCS),
    // About 4 to route a message and about 4 to deliver an answer.
    figure("syncs-sandbox.path-host", SYNCS).baseline(8.0),
    figure("syncs-sandbox.path-runner", SYNCS),
    figure("syncs-sandbox.after", SYNCS),
    figure("syncs-docker.path", SYNCS).at_most(10.0),
    figure("syncs-docker.path-max", SYNCS),
    figure("syncs-docker.path-host", SYNCS).baseline(8.0),
    figure("syncs-docker.path-runner", SYNCS),
    figure("syncs-docker.after", SYNCS),
    figure("cold-sandbox.p50", MS)
        .at_most(200.0)
        .baseline(649.0),
    figure("cold-sandbox.max", MS),
    figure("cold-docker.p50", MS).at_most(700.0).baseline(985.0),
    figure("cold-docker.max", MS),
];

/// The figures that the measurement called `measure` gives.
pub(super) fn of(measure: &str) -> impl Iterator<Item = &'static Expected> {
    FIGURES.iter().filter(move |expected| {
        expected
            .name
            .split_once('.')
            .is_some_and(|(name, _part)| name == measure)
    })
}

#[cfg(test)]
mod tests;
