//! The wall clock may be set, by a person or by the network's time. Set back, what was planned by it
//! would wait until it has caught up; set ahead, what is kept for a time would go too early.

use std::time::{Duration, Instant};

use anchorhold_core::ids::SessionId;
use anchorhold_store::Error as StoreError;
use jiff::Timestamp;
use tracing::warn;

use crate::base::Base;

/// Clocks are corrected by less than this all the time, and waits may be longer by so much.
const TOLERANCE: Duration = Duration::from_secs(1);

/// Notices that the wall clock was set: back also while no host ran, ahead while this one runs.
#[derive(Debug)]
pub struct Wall {
    base: Base,
    /// What it said, or should have said, and when.
    seen: (Timestamp, Instant),
    /// How much further it went than the time that went by.
    ahead: Duration,
}

impl Wall {
    /// Begins with the latest time that earlier hosts have on record, if it is later than now.
    pub async fn begin(base: Base) -> Result<Self, StoreError> {
        let latest = base.store.latest_noted().await?;
        let (now, mono) = (base.now(), base.mono());
        let seen = (latest.unwrap_or(now).max(now), mono);
        Ok(Self {
            base,
            seen,
            ahead: Duration::ZERO,
        })
    }

    /// A time that has come, as far as can be told: the clock's, less what it was set ahead. It may be
    /// early: while a machine sleeps only its clock goes on.
    pub fn surely(&self) -> Timestamp {
        // It may have been set since the last look.
        let now = self.base.now().min(self.should_be());
        now.saturating_sub(self.ahead).unwrap_or(Timestamp::MIN)
    }

    /// What the clock says unless it was set since the last look.
    fn should_be(&self) -> Timestamp {
        let (seen, at) = self.seen;
        let went_by = self.base.mono().saturating_duration_since(at);
        seen.saturating_add(went_by).unwrap_or(seen)
    }

    /// Looks at the clock. If it was set back since it was last looked at, plans are made up for it;
    /// gives the sessions whose files have to be made anew then. After an error the next look does
    /// the same again.
    pub async fn look(&mut self) -> Result<Vec<SessionId>, StoreError> {
        let (now, mono) = (self.base.now(), self.base.mono());
        let should_be = self.should_be();
        let mut distrusted = Vec::new();
        let set = now.duration_since(should_be);
        if should_be > now.saturating_add(TOLERANCE).unwrap_or(now) {
            warn!(was = %should_be, %now, "the clock was set back: what is planned is so much earlier");
            distrusted = self.base.store.set_back(should_be, now).await?;
        }
        if set.is_negative() {
            self.ahead = self.ahead.saturating_sub(set.unsigned_abs());
        } else if set.unsigned_abs() > TOLERANCE {
            self.ahead = self.ahead.saturating_add(set.unsigned_abs());
        }
        self.seen = (now, mono);
        Ok(distrusted)
    }
}
