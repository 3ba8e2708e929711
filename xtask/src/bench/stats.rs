//! The little arithmetic that figures need.

use std::time::Duration;

use anyhow::{Context, Result};

/// The value that `percent` of all values do not exceed; the nearest rank, so always a real one.
pub(super) fn percentile<T: Copy + Ord>(values: &[T], percent: usize) -> Result<T> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let rank = sorted.len().saturating_mul(percent).div_ceil(100);
    sorted
        .get(rank.saturating_sub(1))
        .copied()
        .context("there is nothing to take a percentile of")
}

/// In thousandths of a second.
pub(super) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// A number that was counted.
pub(super) fn counted(count: u64) -> Result<f64> {
    let count = u32::try_from(count).context("a count is beyond reason")?;
    Ok(f64::from(count))
}

/// Random numbers that are the same for the same seed (`SplitMix64`).
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A wait between zero and `longest`, both included.
    pub(super) fn gap(&mut self, longest: Duration) -> Duration {
        let most = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.below(most.saturating_add(1)))
    }

    /// A number from zero to below `end`; any number where that is zero.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        bits.checked_rem(end).unwrap_or(bits)
    }
}

#[cfg(test)]
mod tests;
