//! What became of what the agent said during a turn: told by the host, for whoever waits for it.
//!
//! A word of it may be lost with the host that had it. Then it is not known inside, and the host
//! still tells of a failure in its own way.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};

use crate::{Error, HostSide, RunnerSide, Seq, layout::INBOUND};

/// So many outcomes are kept, the newest.
const OUTCOMES_LIMIT: u32 = 200;
/// The longest reason, in characters.
const WHY_LIMIT: usize = 500;

/// What became of something that was said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", content = "why", rename_all = "snake_case")]
pub enum Outcome {
    /// The platform took it.
    Sent,
    /// It is not sent yet, and is tried again.
    Waits(String),
    /// Nobody can say whether the platform took it.
    Unknown(String),
    /// It is given up.
    Dead(String),
    /// The host does not take it.
    Refused(String),
}

impl Outcome {
    /// Is it the last word?
    pub fn is_end(&self) -> bool {
        match self {
            Self::Waits(_) => false,
            Self::Sent | Self::Unknown(_) | Self::Dead(_) | Self::Refused(_) => true,
        }
    }

    fn bounded(&self) -> Self {
        let short = |why: &String| why.chars().take(WHY_LIMIT).collect();
        match self {
            Self::Sent => Self::Sent,
            Self::Waits(why) => Self::Waits(short(why)),
            Self::Unknown(why) => Self::Unknown(short(why)),
            Self::Dead(why) => Self::Dead(short(why)),
            Self::Refused(why) => Self::Refused(short(why)),
        }
    }
}

impl HostSide {
    /// Tells the agent-runner what became of its row `seq`; a later word replaces an earlier one.
    pub fn tell_outcome(&self, seq: Seq, outcome: &Outcome, now: Timestamp) -> Result<(), Error> {
        let told = serde_json::to_string(&outcome.bounded());
        let told = told.map_err(|source| Error::Encode { source })?;
        self.write("tell an outcome", |transaction| {
            transaction.execute(
                "INSERT OR REPLACE INTO outcomes (seq, outcome, told_at) VALUES (?1, ?2, ?3)",
                params![seq.get(), told, now.as_millisecond()],
            )?;
            transaction.execute(
                "DELETE FROM outcomes WHERE seq <= (SELECT seq FROM outcomes
                 ORDER BY seq DESC LIMIT 1 OFFSET ?1)",
                [OUTCOMES_LIMIT],
            )?;
            Ok(())
        })
    }
}

impl RunnerSide {
    /// What the host says became of row `seq`, if it has said so.
    pub fn outcome(&self, seq: Seq) -> Result<Option<Outcome>, Error> {
        let path = self.layout.in_dir.join(INBOUND);
        let found: Option<String> = self
            .inbound()?
            .query_row(
                "SELECT outcome FROM outcomes WHERE seq = ?1",
                [seq.get()],
                |row| row.get(0),
            )
            .optional()
            .map_err(Error::sql(&path, "read"))?;
        // silent: a newer host's word, of which nothing is known here
        Ok(found.and_then(|told| serde_json::from_str(&told).ok()))
    }
}
