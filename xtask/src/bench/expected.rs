//! Every figure there is, with its target and the reference system's figure, in this one place.
//!
//! Targets are those set for the path from a message to its answer, for routing where there is much
//! to choose from, and for what is idle.

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

/// The fsyncs on the path of one message that are allowed for.
const PATH_SYNCS: f64 = 8.0;

/// A figure as it should be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    /// The measurement's name, a dot, and its part.
    pub(super) name: &'static str,
    /// In what it is told.
    pub(super) unit: &'static str,
    /// What it should be.
    pub(super) target: Option<Target>,
    /// What the reference system needs.
    pub(super) baseline: Option<f64>,
}

/// What a figure should be, for a disk with an fsync of any cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Target {
    /// At most so many fsyncs and this much.
    AtMost {
        /// That many fsyncs,
        in_fsyncs: f64,
        /// and this much.
        plus: f64,
    },
    /// At least so many a second, or so many in the time of one fsync where that is less.
    AtLeast {
        /// Each second.
        rate: f64,
        /// In the time of one fsync.
        per_fsync: f64,
    },
    /// At most so many times the median of the same measurement.
    TimesMedian(f64),
}

impl Target {
    /// As people write it.
    pub(super) fn formula(self, unit: &str) -> String {
        match self {
            Self::AtMost { in_fsyncs, plus } if in_fsyncs > 0.0 => {
                format!("{in_fsyncs} f + {plus} {unit}")
            }
            Self::AtMost { plus, .. } => format!("{plus} {unit}"),
            Self::AtLeast { rate, per_fsync } => {
                format!("at least min({rate}, {per_fsync}/f) {unit}")
            }
            Self::TimesMedian(times) => format!("{times} p50"),
        }
    }

    /// The number that it comes to with an fsync of so many milliseconds; `None` without the median
    /// that it hangs on.
    pub(super) fn bound(self, fsync_ms: f64, median: Option<f64>) -> Option<f64> {
        match self {
            Self::AtMost { in_fsyncs, plus } => Some(in_fsyncs * fsync_ms + plus),
            Self::AtLeast { rate, per_fsync } => Some(rate.min(per_fsync * 1000.0 / fsync_ms)),
            Self::TimesMedian(times) => median.map(|median| times * median),
        }
    }

    /// How much of its bound a figure is: more than one is a miss.
    pub(super) fn ratio(self, value: f64, bound: f64) -> f64 {
        match self {
            Self::AtMost { .. } | Self::TimesMedian(_) => value / bound,
            Self::AtLeast { .. } => bound / value,
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
        self.target = Some(Target::AtMost { in_fsyncs, plus });
        self
    }

    const fn at_most_fsyncs(mut self, in_fsyncs: f64, plus: f64) -> Self {
        self.target = Some(Target::AtMost { in_fsyncs, plus });
        self
    }

    const fn at_least(mut self, rate: f64, per_fsync: f64) -> Self {
        self.target = Some(Target::AtLeast { rate, per_fsync });
        self
    }

    const fn at_most_medians(mut self, times: f64) -> Self {
        self.target = Some(Target::TimesMedian(times));
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
    figure("idle-sandbox.calls", PER_SECOND).baseline(45.0),
    figure("idle-docker.resident", MIB)
        .at_most(25.0)
        .baseline(78.0),
    figure("idle-docker.shared-out", MIB).baseline(51.0),
    figure("idle-docker.cpu", PERCENT).baseline(0.13),
    figure("idle-docker.switches", PER_SECOND),
    figure("idle-docker.calls", PER_SECOND).baseline(45.0),
    figure("sessions.resident", MIB)
        .at_most(30.0)
        .baseline(92.0),
    figure("sessions.shared-out", MIB).baseline(64.0),
    figure("sessions.cpu", PERCENT).baseline(2.1),
    figure("sessions.switches", PER_SECOND),
    figure("sessions.calls", PER_SECOND).baseline(7241.0),
    figure("thousand.resident", MIB)
        .at_most(45.0)
        .baseline(92.0),
    figure("thousand.shared-out", MIB).baseline(64.0),
    figure("thousand.cpu", PERCENT).at_most(0.2).baseline(2.1),
    figure("thousand.switches", PER_SECOND),
    figure("thousand.calls", PER_SECOND).baseline(7241.0),
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
    figure("runner-sandbox.calls", PER_SECOND).baseline(364.0),
    figure("runner-sandbox.walled", MIB),
    figure("runner-docker.resident", MIB)
        .at_most(8.0)
        .baseline(73.5),
    figure("runner-docker.shared-out", MIB).baseline(34.0),
    figure("runner-docker.cpu", PERCENT).baseline(0.36),
    figure("runner-docker.switches", PER_SECOND).baseline(11.0),
    figure("runner-docker.calls", PER_SECOND).baseline(364.0),
    figure("runner-docker.walled", MIB).baseline(45.0),
    figure("warm-sandbox.p50", MS).at_most_fsyncs(PATH_SYNCS, 4.0),
    figure("warm-sandbox.p99", MS).at_most_medians(4.0),
    figure("warm-sandbox.max", MS),
    figure("warm-docker.p50", MS)
        .at_most_fsyncs(PATH_SYNCS, 4.0)
        .baseline(1005.0),
    figure("warm-docker.p99", MS).at_most_medians(4.0),
    figure("warm-docker.max", MS),
    figure("gaps-sandbox.p50", MS)
        .at_most_fsyncs(PATH_SYNCS, 4.0)
        .baseline(716.0),
    figure("gaps-sandbox.p99", MS).at_most_medians(4.0),
    figure("gaps-sandbox.max", MS).baseline(1289.0),
    figure("gaps-docker.p50", MS)
        .at_most_fsyncs(PATH_SYNCS, 4.0)
        .baseline(813.0),
    figure("gaps-docker.p99", MS).at_most_medians(4.0),
    figure("gaps-docker.max", MS).baseline(1332.0),
    figure("burst-sandbox.all", MS)
        .at_most(2000.0)
        .baseline(116_000.0),
    figure("burst-docker.all", MS)
        .at_most(2000.0)
        .baseline(116_000.0),
    figure("deliver-one.rate", PER_SECOND)
        .at_least(6000.0, 4.0)
        .baseline(1617.0),
    figure("deliver-many.rate", PER_SECOND)
        .at_least(6000.0, 4.0)
        .baseline(1540.0),
    // The reference system syncs four times for each message.
    figure("intake-one.rate", PER_SECOND).at_least(5000.0, 10.0),
    figure("intake-one.syncs", SYNCS).baseline(4.0),
    figure("intake-many.rate", PER_SECOND).at_least(5000.0, 2.0),
    figure("intake-many.syncs", SYNCS).baseline(4.0),
    figure("syncs-sandbox.path", SYNCS).at_most(PATH_SYNCS),
    figure("syncs-sandbox.path-max", SYNCS),
    figure("syncs-sandbox.host-in", SYNCS).baseline(4.0),
    figure("syncs-sandbox.runner", SYNCS),
    figure("syncs-sandbox.host-out", SYNCS).baseline(4.0),
    figure("syncs-sandbox.after", SYNCS),
    figure("syncs-docker.path", SYNCS).at_most(PATH_SYNCS),
    figure("syncs-docker.path-max", SYNCS),
    figure("syncs-docker.host-in", SYNCS).baseline(4.0),
    figure("syncs-docker.runner", SYNCS),
    figure("syncs-docker.host-out", SYNCS).baseline(4.0),
    figure("syncs-docker.after", SYNCS),
    figure("cold-sandbox.p50", MS)
        .at_most(120.0)
        .baseline(649.0),
    figure("cold-sandbox.max", MS),
    figure("cold-docker.p50", MS).at_most(450.0).baseline(985.0),
    figure("cold-docker.max", MS),
    figure("hundred.cold-p50", MS).baseline(12_900.0),
    figure("hundred.cold-all", MS)
        .at_most(15_000.0)
        .baseline(66_000.0),
    figure("hundred.warm-p50", MS),
    figure("hundred.warm-all", MS),
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
