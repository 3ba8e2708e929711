//! The messages of a turn that wait for an answer, and what is said to them.

use std::collections::BTreeSet;

use anchorhold_core::outbound::TEXT_LIMIT_BYTES;
use anchorhold_sessiondb::{Emit, InboundRow, Seq};

use crate::{
    provider::{draft::Draft, model::reply::split},
    tools::Effect,
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
    pub(super) fn has_said(&self) -> bool {
        !self.draft.emit.is_empty()
    }

    /// Does something in the conversation.
    pub(super) fn emit(&mut self, effect: Effect) {
        self.draft.emit(effect.op, effect.files);
    }

    /// Says something that is not the model's.
    pub(super) fn tell(&mut self, text: String) {
        self.draft.post(text);
    }

    /// Sends words of the model to where they go, each conversation of the turn something.
    pub(super) fn say(&mut self, text: &str) {
        let newest = self.open.last().cloned();
        let mut answered: BTreeSet<&str> = BTreeSet::new();
        for said in split(text) {
            let to = said
                .to
                .and_then(|to| self.open.iter().find(|(seq, _)| *seq == to));
            let Some((seq, place)) = to.or(self.open.last()) else {
                self.draft.post(said.text);
                continue;
            };
            answered.insert(place);
            post(&mut self.draft, *seq, &said.text);
        }
        // Whoever wrote is not left without a word, and gets none that was meant for others.
        for (seq, place) in self.open.iter().rev() {
            let acted = newest.as_ref().is_some_and(|(_, newest)| newest == place)
                && !self.draft.emit.is_empty();
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
