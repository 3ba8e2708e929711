//! Virtual time and seeded randomness, as the parts of a process get them.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anchorhold_core::clock::{Clock, Entropy};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::{random::Rng, world::World};

/// Where wall time begins: some moment, the same for all.
const BEGINNING_S: i64 = 1_800_000_000;

/// The clock of what runs on one runtime, whose own time began at `began`.
#[derive(Debug)]
pub struct VirtualClock {
    world: Arc<World>,
    began: Instant,
    offset: Duration,
}

impl VirtualClock {
    /// The clock of the runtime that this is called on; it is `offset` after the beginning now.
    pub fn here(world: Arc<World>, offset: Duration) -> Self {
        Self {
            world,
            began: Instant::now(),
            offset,
        }
    }

    /// The wall clock of the present slice, outside of all runtimes.
    pub fn wall(world: &World) -> Timestamp {
        at(world, Duration::from_millis(world.now_ms()))
    }

    fn elapsed(&self) -> Duration {
        self.offset + Instant::now().saturating_duration_since(self.began)
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        at(&self.world, self.elapsed())
    }

    fn mono(&self) -> std::time::Instant {
        self.world.origin() + self.elapsed()
    }
}

fn at(world: &World, elapsed: Duration) -> Timestamp {
    let beginning = Timestamp::from_second(BEGINNING_S).unwrap_or(Timestamp::UNIX_EPOCH);
    let elapsed = SignedDuration::try_from(elapsed).unwrap_or(SignedDuration::ZERO);
    let skewed = elapsed + SignedDuration::from_millis(world.skew_ms());
    beginning.saturating_add(skewed).unwrap_or(beginning)
}

/// Random bytes of one life.
#[derive(Debug)]
pub struct SeededEntropy {
    rng: Mutex<Rng>,
}

impl SeededEntropy {
    /// Its bytes are the same for the same generator.
    pub fn new(rng: Rng) -> Self {
        Self {
            rng: Mutex::new(rng),
        }
    }
}

impl Entropy for SeededEntropy {
    fn bytes(&self) -> [u8; 10] {
        let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, second) = (rng.draw().to_le_bytes(), rng.draw().to_le_bytes());
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&first);
        bytes[8..].copy_from_slice(&second[..2]);
        bytes
    }
}
