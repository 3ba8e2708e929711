//! Stages that are broken on purpose, to see that the simulator finds it.

/// What is broken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sabotage {
    /// Nothing.
    #[default]
    None,
    /// A message is acknowledged to the platform before it is durable.
    AckBeforePersist,
    /// No attempt is on record before a message is sent.
    NoAttemptRow,
    /// What a sandbox of an earlier generation does is taken for the present one's.
    NoGenerationCheck,
    /// What is committed to the central database is not durable when it is acknowledged.
    NoDurableCommit,
}

impl Sabotage {
    pub(crate) fn acks_at_once(self) -> bool {
        self == Self::AckBeforePersist
    }

    pub(crate) fn forgets_log(self) -> bool {
        self == Self::NoDurableCommit
    }

    pub(crate) fn hides_sandboxes(self) -> bool {
        self == Self::NoGenerationCheck
    }
}
