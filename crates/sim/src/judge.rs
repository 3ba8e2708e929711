//! The judge: compares what people wrote and saw with what is on record.

mod records;

pub(crate) use records::Records;

use std::{collections::BTreeMap, sync::Arc};

use anchorhold_core::ids::SessionId;

use crate::{
    engine::Engine,
    judge::records::{Delivery, Message},
    plan::{EARLIER, Said},
    platform::Platform,
    sabotage::Sabotage,
    script,
    world::World,
};

/// For how long a session may have due work and no sandbox, while nothing goes wrong: the longest
/// wait after starts that failed, and a sweep.
const UNOWNED_LIMIT_MS: u64 = 90_000;

/// The judge of one simulation.
#[derive(Debug)]
pub(crate) struct Judge {
    world: Arc<World>,
    platform: Arc<Platform>,
    engine: Arc<Engine>,
    /// Since when a session with due work has no sandbox.
    unowned: BTreeMap<String, u64>,
}

impl Judge {
    pub(crate) fn new(world: Arc<World>, platform: Arc<Platform>, engine: Arc<Engine>) -> Self {
        Self {
            world,
            platform,
            engine,
            unowned: BTreeMap::new(),
        }
    }

    /// A host has died, and nobody has the database open.
    pub(crate) fn host_died(&mut self) {
        self.unowned.clear();
        if self.world.sabotage == Sabotage::NoAttemptRow {
            Records::forget_open_attempts(&self.world);
        }
    }

    /// Looks at what is due, now that the host rests.
    pub(crate) fn look(&mut self, host: bool) {
        let now = self.world.now_ms();
        let calm = now >= self.world.plan.calm_at;
        let Some(records) = Records::open(&self.world) else {
            return;
        };
        if !host || !calm {
            self.unowned.clear();
            return;
        }
        let running: Vec<String> = self
            .engine
            .running()
            .iter()
            .map(SessionId::to_string)
            .collect();
        // Where there is room for less than all, those that wait take turns.
        let full = u64::try_from(running.len()).unwrap_or(0) >= self.world.plan.sandboxes;
        let due = records.due_sessions(&self.world);
        self.unowned.retain(|session, _| due.contains(session));
        for session in due {
            if full || running.contains(&session) {
                self.unowned.remove(&session);
                continue;
            }
            let since = *self.unowned.entry(session.clone()).or_insert(now);
            if now.saturating_sub(since) > UNOWNED_LIMIT_MS {
                self.world.violation(format_args!(
                    "session {session} has due work and no sandbox"
                ));
                self.unowned.insert(session, u64::MAX / 2);
            }
        }
    }

    /// Has everything ended that is on record?
    pub(crate) fn is_all_over(&self) -> bool {
        Records::open(&self.world).is_some_and(|records| records.open_work() == 0)
    }

    /// Looks at the whole.
    pub(crate) fn verdict(&self) {
        let Some(records) = Records::open(&self.world) else {
            self.world
                .violation(format_args!("the records can't be read"));
            return;
        };
        if self.world.plan.found.is_some() && !records.has_event(EARLIER) {
            self.world.violation(format_args!(
                "what was in the database is not there any more"
            ));
        }
        let messages = records.messages();
        let deliveries = records.deliveries();
        for said in &self.world.plan.said {
            self.judge_message(said, &messages, &deliveries);
        }
        self.judge_order(&deliveries);
        self.judge_words();
        self.judge_arrivals(&messages);
    }

    /// A message that was taken is answered, or ended in a way that people can see.
    fn judge_message(&self, said: &Said, messages: &[Message], deliveries: &[Delivery]) {
        let number = said.number;
        if !self.platform.acknowledged().contains(&number) {
            self.world
                .violation(format_args!("m{number} was never taken"));
            return;
        }
        let platform_id = format!("p{number}");
        let found: Vec<_> = messages
            .iter()
            .filter(|message| message.platform_id.as_deref() == Some(platform_id.as_str()))
            .collect();
        let [message] = found.as_slice() else {
            self.world.violation(format_args!(
                "m{number} was taken and is on record {} times",
                found.len()
            ));
            return;
        };
        let of_it = |delivery: &&Delivery| delivery.in_reply_to.as_deref() == Some(&*message.id);
        let answers: Vec<_> = deliveries.iter().filter(of_it).collect();
        let given_up = |delivery: &&&Delivery| {
            matches!(delivery.status.as_str(), "dead" | "unknown") && delivery.told
        };
        let surfaced = answers.iter().filter(given_up).count() > 0;
        match message.status.as_str() {
            "done" => {
                let shown = self.words_of(number);
                let expected = script::words(number, &said.task);
                if shown != expected && !surfaced {
                    self.world.violation(format_args!(
                        "m{number} is done, and people see {} of {} words",
                        shown.len(),
                        expected.len()
                    ));
                }
            }
            "failed" => {
                if !answers.iter().any(|answer| answer.origin == "host") {
                    self.world
                        .violation(format_args!("m{number} has failed and nobody was told"));
                }
            }
            status => self
                .world
                .violation(format_args!("m{number} is still {status}")),
        }
    }

    fn words_of(&self, number: u32) -> Vec<String> {
        let shown = self.platform.shown();
        shown
            .iter()
            .flat_map(|shown| shown.text.split_whitespace())
            .filter(|word| script::of_word(word) == Some(number))
            .map(str::to_owned)
            .collect()
    }

    /// No word of an answer is seen twice, whatever key it came under.
    fn judge_words(&self) {
        let mut seen = BTreeMap::<String, u32>::new();
        for shown in self.platform.shown() {
            for word in shown.text.split_whitespace() {
                if script::of_word(word).is_some() {
                    *seen.entry(word.to_owned()).or_default() += 1;
                }
            }
        }
        for (word, times) in seen.iter().filter(|(_, times)| **times > 1) {
            self.world
                .violation(format_args!("{word} is seen {times} times"));
        }
    }

    /// In each conversation people see what was said in the order in which it was said.
    fn judge_order(&self, deliveries: &[Delivery]) {
        let positions: BTreeMap<_, _> = deliveries
            .iter()
            .map(|delivery| (delivery.id.as_str(), delivery.position))
            .collect();
        let mut last = BTreeMap::new();
        for shown in self.platform.shown() {
            let id = shown.key.outbound.to_string();
            let Some(position) = positions.get(id.as_str()) else {
                self.world
                    .violation(format_args!("{} is seen and not on record", shown.key));
                continue;
            };
            let place = (*position, shown.key.part);
            let before = last.insert(shown.address.clone(), place);
            if before.is_some_and(|before| before >= place) {
                self.world.violation(format_args!(
                    "{} is seen after what was said later",
                    shown.key
                ));
            }
        }
    }

    /// In each conversation the agent has a message that was taken before another was offered before
    /// that one.
    fn judge_arrivals(&self, messages: &[Message]) {
        let seqs: BTreeMap<_, _> = messages
            .iter()
            .filter_map(|message| Some((message.platform_id.as_deref()?, message.seq)))
            .collect();
        let seq = |number: u32| seqs.get(format!("p{number}").as_str()).copied();
        let place = |said: &Said| (said.channel, said.chat.clone());
        let said = &self.world.plan.said;
        for (one, other) in said.iter().flat_map(|a| said.iter().map(move |b| (a, b))) {
            if place(one) == place(other)
                && self.platform.was_before(one.number, other.number)
                && seq(one.number) > seq(other.number)
            {
                self.world.violation(format_args!(
                    "m{} was taken before m{} was offered, and comes after it",
                    one.number, other.number
                ));
            }
        }
    }
}
