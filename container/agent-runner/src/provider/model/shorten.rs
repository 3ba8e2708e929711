//! A conversation that has become too long is told again by its model, in short.

use anchorhold_core::turn_failure::FailureClass;

use crate::provider::model::{
    Dialect,
    failure::Failure,
    history::{History, LIMIT_BYTES, Part},
    work::Work,
};

/// When it is made shorter before it is full: at this share of what the model can read.
const FULL_PERCENT: u64 = 75;
/// How often half of it is forgotten until the rest can be told.
const HALVES_LIMIT: u32 = 6;
/// What was said is cut to this while the conversation is too long to be told, in bytes.
const TEXT_LIMIT_BYTES: usize = 2 * 1024;

const TELL: &str = "\
(This is from the system, and no message of a person.) The conversation becomes too long. \
Write down what you need to go on with it: who the people are and what they want, what was decided \
and promised, what you did and found out with names, numbers and paths as they are, what is still open. \
What you do not write down is forgotten. Write nothing else, and call no tool.";

const BEFORE: &str = "(This is from the system.) The conversation so far was made shorter. \
This is what you wrote down of it:\n\n";

/// Is it time to make it shorter?
pub(super) fn is_due(tokens: u64, context_tokens: u32, history: &History) -> bool {
    let limit = u64::from(context_tokens) * FULL_PERCENT / 100;
    tokens >= limit || history.bytes() > LIMIT_BYTES
}

impl<D: Dialect> Work<'_, D> {
    /// Has the model tell the conversation in short, and goes on with that. What this turn was asked
    /// stays as it was said.
    pub(super) async fn shorten(&mut self) -> Result<(), Failure> {
        tracing::info!(bytes = self.history.bytes(), "conversation is made shorter");
        let mut telling = self.history.clone();
        telling.hear(vec![Part::text(TELL)]);
        let mut halves = 0;
        let told = loop {
            match self.ask(&telling, false).await {
                Ok(answered) => break text_of(&answered.parts),
                Err(failure) if failure.class == FailureClass::ContextFull => {
                    if halves > 0 && !telling.forget_half() || halves >= HALVES_LIMIT {
                        return Err(failure);
                    }
                    halves += 1;
                    telling.cut(TEXT_LIMIT_BYTES);
                }
                Err(failure) => return Err(failure),
            }
        };
        if told.trim().is_empty() {
            return Err(Failure::transient("the model wrote nothing down"));
        }
        self.history.messages.clear();
        let mut parts = vec![Part::text(format!("{BEFORE}{told}"))];
        parts.extend(self.asked.iter().cloned());
        self.history.hear(parts);
        self.tokens = 0;
        Ok(())
    }
}

/// The words among parts.
pub(super) fn text_of(parts: &[Part]) -> String {
    let mut text = String::new();
    for part in parts {
        if let Part::Text { text: more } = part {
            text.push_str(more);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_shorter_before_it_is_full() {
        let history = History::fresh("m");
        assert!(!is_due(149_999, 200_000, &history));
        assert!(is_due(150_000, 200_000, &history));
        let mut long = History::fresh("m");
        long.hear(vec![Part::text("x".repeat(LIMIT_BYTES + 1))]);
        assert!(is_due(0, 200_000, &long));
    }
}
