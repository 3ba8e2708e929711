//! The messages of a turn that wait for an answer, and what is said to them.

use std::collections::BTreeSet;

use anchorhold_core::outbound::TEXT_LIMIT_BYTES;
use anchorhold_sessiondb::{Emit, InboundRow, Seq};

use crate::{
    provider::{
        TurnIo,
        draft::Draft,
        model::{
            prompt,
            reply::{Said, To, split},
        },
    },
    report,
    tools::destinations,
};

/// What is told of a compaction that has nothing to do.
pub(super) const NOTHING_TO_SHORTEN: &str = "There is nothing to make shorter yet.";
const NOTHING: &str = "(I have nothing to say to that.)";

/// What a turn says to whom.
#[derive(Debug, Default)]
pub(super) struct Answers {
    draft: Draft,
    /// The messages that wait for an answer: number and place.
    open: Vec<(Seq, String)>,
    /// Was the model told that words had no destination?
    told_back: bool,
}

impl Answers {
    /// From here on these messages wait, too.
    pub(super) fn hear(&mut self, rows: &[InboundRow]) {
        let waking = rows.iter().filter(|row| row.triggers);
        self.open
            .extend(waking.map(|row| (row.seq, row.place.clone())));
        if let Some((newest, _)) = self.open.last() {
            self.draft.begin(*newest);
        }
    }

    /// Is there anything yet that the turn says or does?
    pub(super) fn has_spoken(&self, io: &TurnIo) -> bool {
        io.has_spoken() || !self.draft.emit.is_empty()
    }

    /// Says something that is not the model's.
    pub(super) fn tell(&mut self, text: String) {
        self.draft.post(text);
    }

    /// Sends words of the model to where they go, each conversation of the turn something.
    ///
    /// Where some are for destinations that it has not, nothing is sent, once in a turn: gives what the
    /// model is told of that. The second time whoever waits for an answer is told.
    pub(super) async fn say(&mut self, io: &TurnIo, text: &str) -> Option<String> {
        let words = split(text);
        let unknown = unknown_destinations(io, &words).await;
        if !unknown.is_empty() && !self.told_back {
            self.told_back = true;
            return Some(prompt::unaddressed(&unknown));
        }
        self.send(io, words, &unknown);
        None
    }

    fn send(&mut self, io: &TurnIo, words: Vec<Said>, unknown: &[String]) {
        let newest = self.open.last().cloned();
        let mut answered: BTreeSet<&str> = BTreeSet::new();
        for mut said in words {
            let to = match said.to {
                Some(To::Destination(name)) if unknown.contains(&name) => {
                    said.text = prompt::not_sent(&name);
                    None
                }
                Some(To::Destination(name)) => {
                    post_at(&mut self.draft, &name, &said.text);
                    continue;
                }
                Some(To::Message(to)) => self.open.iter().find(|(seq, _)| *seq == to),
                None => None,
            };
            let Some((seq, place)) = to.or(self.open.last()) else {
                self.draft.post(said.text);
                continue;
            };
            answered.insert(place);
            post(&mut self.draft, *seq, &said.text);
        }
        // Whoever wrote is not left without a word, and gets none that was meant for others.
        for (seq, place) in self.open.iter().rev() {
            let has_spoken = io.has_spoken() || !self.draft.emit.is_empty();
            let acted = newest.as_ref().is_some_and(|(_, newest)| newest == place) && has_spoken;
            if answered.insert(place) && !acted {
                post(&mut self.draft, *seq, NOTHING);
            }
        }
        self.open.clear();
    }

    /// All of it, in order.
    pub(super) fn into_emit(self) -> Vec<Emit> {
        self.draft.emit
    }
}

/// Posts a text, in several messages where it is too long for one.
fn post(draft: &mut Draft, to: Seq, text: &str) {
    let mut rest = text;
    while !rest.is_empty() {
        let (part, after) = rest.split_at(rest.floor_char_boundary(TEXT_LIMIT_BYTES));
        draft.post_to(to, part.to_owned());
        rest = after;
    }
}

/// As [`post`], to a destination.
fn post_at(draft: &mut Draft, destination: &str, text: &str) {
    let mut rest = text;
    while !rest.is_empty() {
        let (part, after) = rest.split_at(rest.floor_char_boundary(TEXT_LIMIT_BYTES));
        draft.post_at(destination.to_owned(), part.to_owned());
        rest = after;
    }
}

/// The destinations that words name and that the agent has not. Where nobody can say, all are
/// believed: the host judges them again.
async fn unknown_destinations(io: &TurnIo, words: &[Said]) -> Vec<String> {
    let named = words.iter().filter_map(|said| match &said.to {
        Some(To::Destination(name)) => Some(name.clone()),
        Some(To::Message(_)) | None => None,
    });
    let mut named: Vec<String> = named.collect();
    if named.is_empty() {
        return named;
    }
    match destinations(io).await {
        Ok(known) => named.retain(|name| known.iter().all(|known| known.name != *name)),
        Err(error) => {
            tracing::warn!(error = %report(&error), "destinations not known");
            named.clear();
        }
    }
    named
}
