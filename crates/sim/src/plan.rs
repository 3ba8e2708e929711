//! What happens in one simulation: who writes what, and what goes wrong when. Drawn from a seed.

use std::fmt;

use crate::random::Rng;

/// Everything that a simulation does not find out by running. All times are virtual milliseconds.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where all else is drawn from.
    pub seed: u64,
    /// What people write.
    pub said: Vec<Said>,
    /// Who dies at which step.
    pub kills: Vec<Kill>,
    /// Who dies at which time.
    pub deaths: Vec<Death>,
    /// When which part of the world is bad.
    pub storms: Vec<Storm>,
    /// When the disk is full, whoever writes.
    pub full: Option<Full>,
    /// The central database that the first host finds, as a file; [`EARLIER`] is on record in it.
    pub found: Option<Vec<u8>>,
    /// When the wall clock jumps, and by how many milliseconds.
    pub jumps: Vec<(u64, i64)>,
    /// How many sandboxes may run at once.
    pub sandboxes: u64,
    /// From here on nothing goes wrong any more.
    pub calm_at: u64,
    /// Is it the scenario that is always the same?
    pub is_fixed: bool,
}

/// One message that a person writes.
#[derive(Clone, Debug)]
pub struct Said {
    /// Its number, which makes its id and is in its text.
    pub number: u32,
    /// When it is written.
    pub at: u64,
    /// On which channel instance.
    pub channel: &'static str,
    /// In which chat.
    pub chat: String,
    /// What the agent is to do.
    pub task: Task,
}

/// What the scripted agent does about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// So many posts.
    pub posts: u32,
    /// So many words in each.
    pub words: u32,
    /// After so many milliseconds.
    pub takes: u64,
    /// And then takes follow-ups for so many milliseconds.
    pub listens: u64,
    /// How it ends.
    pub end: End,
}

/// How a turn ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With its answer.
    Well,
    /// With a failure that the person is told of.
    Failed,
    /// With its answer, after its provider has failed twice.
    Waits,
    /// With the death of its process, each time it is tried.
    Exit,
}

/// A death at a numbered step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kill {
    /// The step that does not happen any more.
    pub at: u64,
    /// Who dies.
    pub whom: Whom,
}

/// A death at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Death {
    /// When.
    pub at: u64,
    /// Who dies.
    pub whom: Whom,
}

/// Who dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// Whoever takes the step.
    Actor,
    /// The host.
    Host,
    /// All sandboxes.
    Sandboxes,
    /// Everything: the power is cut.
    Power,
}

/// A disk without any room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// From this step on.
    pub from_step: u64,
    /// Until this time.
    pub until: u64,
}

/// A time in which something goes wrong now and then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Storm {
    /// What.
    pub kind: StormKind,
    /// From when.
    pub from: u64,
    /// Until when.
    pub until: u64,
    /// How often, of a thousand.
    pub per_mille: u64,
}

/// What can go wrong now and then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StormKind {
    /// A file is locked by somebody else.
    Busy,
    /// The disk is full.
    Full,
    /// A file can't be made durable.
    Fsync,
    /// The disk fails.
    Io,
    /// The platform asks to wait.
    RateLimited,
    /// The platform fails before it takes anything.
    Transient,
    /// The platform takes a message and the answer is lost.
    TakenUnheard,
    /// The platform takes nothing and the answer is lost.
    LostUnheard,
    /// The platform answers late, or too late.
    Slow,
    /// The platform offers again what was acknowledged.
    Repeats,
    /// The platform offers messages out of order.
    Reorders,
    /// The engine does not answer.
    EngineDown,
    /// The engine fails to start a sandbox.
    EngineFails,
    /// Bells are not heard.
    Deaf,
}

impl StormKind {
    /// All kinds.
    pub const ALL: &[Self] = &[
        Self::Busy,
        Self::Full,
        Self::Fsync,
        Self::Io,
        Self::RateLimited,
        Self::Transient,
        Self::TakenUnheard,
        Self::LostUnheard,
        Self::Slow,
        Self::Repeats,
        Self::Reorders,
        Self::EngineDown,
        Self::EngineFails,
        Self::Deaf,
    ];
}

/// The platform's id of a message that was taken before the first host began; see [`Plan::found`].
pub const EARLIER: &str = "earlier";

/// The channel instance on which a second send with the same key is the same message.
pub const DEDUPES: &str = "keyed";
/// The one on which it is a second message.
pub const BLIND: &str = "blind";

/// So many seeds of a thousand lose the power.
const POWER_PER_MILLE: u64 = 400;
/// And in so many the clock is set back by weeks.
const JUMP_PER_MILLE: u64 = 150;
/// How long things go wrong, at the longest.
const ROUGH_MS: u64 = 60_000;

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Self {
        let mut rng = Rng::new(seed, 1);
        let rough = rng.between(5_000, ROUGH_MS);
        let said = said(&mut rng, rough);
        let mut kills = Vec::new();
        let mut at = 0;
        for _ in 0..rng.below(6) {
            at += rng.between(1, 1_500);
            let whom = if rng.chance(600) {
                Whom::Actor
            } else {
                Whom::Host
            };
            kills.push(Kill { at, whom });
        }
        let mut deaths: Vec<_> = (0..rng.below(4))
            .map(|_| Death {
                at: rng.below(rough),
                whom: if rng.chance(500) {
                    Whom::Host
                } else {
                    Whom::Sandboxes
                },
            })
            .collect();
        deaths.sort_by_key(|death| death.at);
        let storms = (0..rng.below(6)).map(|_| storm(&mut rng, rough)).collect();
        let mut jumps = Vec::new();
        if rng.chance(250) {
            let forth = i64::try_from(rng.between(1, 30 * 24)).unwrap_or(1) * 3_600_000;
            let back = -i64::try_from(rng.between(100, 60_000)).unwrap_or(0);
            let by = if rng.chance(500) { forth } else { back };
            jumps.push((rng.below(rough), by));
        }
        let mut plan = Self {
            seed,
            said,
            kills,
            deaths,
            storms,
            full: None,
            found: None,
            jumps,
            sandboxes: rng.between(1, 4),
            calm_at: rough,
            is_fixed: false,
        };
        plan.add_power_cuts();
        plan.add_jumps();
        plan
    }

    /// What was thought of last is drawn apart, so that the seeds of before are what they were.
    fn add_power_cuts(&mut self) {
        let mut rng = Rng::new(self.seed, 4);
        let whom = Whom::Power;
        // What a disk keeps of what it failed to sync is not told apart yet: after a cut SQLite can
        // find its own file malformed then (docs/simulation.md).
        let unsure = self
            .storms
            .iter()
            .any(|storm| storm.kind == StormKind::Fsync);
        if unsure || !rng.chance(POWER_PER_MILLE) {
            return;
        }
        for _ in 0..rng.between(1, 3) {
            if rng.chance(700) {
                let at = rng.between(1, 4_000);
                self.kills.push(Kill { at, whom });
            } else {
                let at = rng.below(self.calm_at);
                self.deaths.push(Death { at, whom });
            }
        }
        self.kills.sort_by_key(|kill| kill.at);
        self.deaths.sort_by_key(|death| death.at);
    }

    /// A clock that is weeks ahead and put right, and one that is put right and was not wrong.
    fn add_jumps(&mut self) {
        let mut rng = Rng::new(self.seed, 5);
        if rng.chance(JUMP_PER_MILLE) {
            let by = i64::try_from(rng.between(1, 8 * 7 * 24)).unwrap_or(1) * 3_600_000;
            self.jumps.push((rng.below(self.calm_at), -by));
            self.jumps.sort_unstable();
        }
    }

    /// Ten messages over two conversations, and nothing goes wrong but `kill`.
    pub fn fixed(kill: Option<Kill>) -> Self {
        let said = (0..10_u32)
            .map(|number| {
                let (channel, chat) = if number % 2 == 0 {
                    (DEDUPES, "left")
                } else {
                    (BLIND, "right")
                };
                Said {
                    number,
                    at: u64::from(number / 2) * 150,
                    channel,
                    chat: chat.to_owned(),
                    task: Task {
                        posts: 1 + u32::from(number == 4),
                        words: if number == 5 { 12 } else { 2 },
                        takes: u64::from(number % 3) * 40,
                        listens: 0,
                        end: End::Well,
                    },
                }
            })
            .collect();
        Self {
            seed: 0,
            said,
            kills: kill.into_iter().collect(),
            deaths: Vec::new(),
            storms: Vec::new(),
            full: None,
            found: None,
            jumps: Vec::new(),
            sandboxes: 2,
            calm_at: 1_000,
            is_fixed: true,
        }
    }

    /// Can the power be cut?
    pub fn cuts_power(&self) -> bool {
        let whoms = self.kills.iter().map(|kill| kill.whom);
        whoms
            .chain(self.deaths.iter().map(|death| death.whom))
            .any(|whom| whom == Whom::Power)
    }
}

fn said(rng: &mut Rng, rough: u64) -> Vec<Said> {
    let chats = rng.between(1, 4);
    let count = rng.between(3, 24);
    let mut said: Vec<Said> = (0..count)
        .map(|_| {
            let chat = rng.below(chats);
            let end = match rng.below(20) {
                0 => End::Failed,
                1 => End::Exit,
                2 => End::Waits,
                _ => End::Well,
            };
            Said {
                number: 0,
                at: rng.below(rough),
                channel: if chat.is_multiple_of(2) {
                    DEDUPES
                } else {
                    BLIND
                },
                chat: format!("chat-{chat}"),
                task: Task {
                    posts: u32::try_from(rng.between(1, 3)).unwrap_or(1),
                    words: u32::try_from(rng.between(1, 12)).unwrap_or(1),
                    takes: if rng.chance(300) {
                        rng.below(8_000)
                    } else {
                        rng.below(100)
                    },
                    listens: if rng.chance(150) { rng.below(3_000) } else { 0 },
                    end,
                },
            }
        })
        .collect();
    // Some come in a burst.
    if rng.chance(400) {
        let at = rng.below(rough);
        for one in said.iter_mut().take(8) {
            one.at = at;
        }
    }
    said.sort_by_key(|said| said.at);
    for (number, one) in (0..).zip(&mut said) {
        one.number = number;
    }
    said
}

fn storm(rng: &mut Rng, rough: u64) -> Storm {
    let from = rng.below(rough);
    let index = usize::try_from(rng.draw() % 64).unwrap_or(0) % StormKind::ALL.len();
    Storm {
        kind: StormKind::ALL[index],
        from,
        until: (from + rng.between(100, 20_000)).min(rough),
        per_mille: match rng.below(3) {
            0 => 50,
            1 => 300,
            _ => 1_000,
        },
    }
}

impl fmt::Display for Plan {
    /// One line each, without the messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "seed {}: {} messages, {} sandboxes at most, calm from {} ms",
            self.seed,
            self.said.len(),
            self.sandboxes,
            self.calm_at
        )?;
        for Kill { at, whom } in &self.kills {
            writeln!(f, "  dies at step {at}: {whom:?}")?;
        }
        for Death { at, whom } in &self.deaths {
            writeln!(f, "  dies at {at} ms: {whom:?}")?;
        }
        for Storm {
            kind,
            from,
            until,
            per_mille,
        } in &self.storms
        {
            writeln!(
                f,
                "  {kind:?} from {from} to {until} ms, {per_mille} of 1000"
            )?;
        }
        for (at, by) in &self.jumps {
            writeln!(f, "  the clock jumps by {by} ms at {at} ms")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
