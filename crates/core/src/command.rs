//! The commands that people can write in a chat: one parser, used once, by the host.
//!
//! Only the whole first word counts, and only a message that is nothing but a command is one:
//! `/clearx` and `/new and tell me` are text for the agent like any other.

/// What somebody asks the host for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// What commands there are.
    Help,
    /// How the agent fares.
    Status,
    /// A fresh conversation: the agent forgets this one.
    New,
    /// The running turn is to end now.
    Stop,
    /// The agent is to make its memory of the conversation smaller.
    Compact,
    /// What the conversation has cost.
    Cost,
    /// Which agents hear this conversation.
    Agent,
    /// What happened to the person's last message.
    Where,
    /// An answer to a question, by its code, for where there are no buttons.
    Answer {
        /// The question's code, or its whole id.
        question: String,
        /// Which option, counted from 0.
        option: usize,
    },
}

/// Who may use a command, among those whom the agent hears at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rank {
    /// Everybody.
    Talker,
    /// Who may decide over the conversation's memory: the agent's admins, and the one person of a
    /// direct chat whose memory is that chat's alone.
    Keeper,
}

/// How a person stands to one agent in one conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Talks {
    /// Does the person administer the agent?
    pub admin: bool,
    /// Is it the person's own direct chat?
    pub direct: bool,
    /// Do other conversations feed the same memory?
    pub memory_is_shared: bool,
}

/// Every command that takes nothing: its word, itself, and what it does, for people.
const PLAIN: &[(&str, Command, &str)] = &[
    ("/help", Command::Help, "lists what you can use here"),
    ("/status", Command::Status, "tells how the agent fares"),
    (
        "/where",
        Command::Where,
        "tells what happened to your last message",
    ),
    (
        "/agent",
        Command::Agent,
        "tells who hears this conversation",
    ),
    ("/stop", Command::Stop, "stops what the agent is doing now"),
    ("/new", Command::New, "begins a fresh conversation"),
    ("/clear", Command::New, "the same as /new"),
    (
        "/compact",
        Command::Compact,
        "lets the agent make its memory smaller",
    ),
    (
        "/cost",
        Command::Cost,
        "tells what this conversation has cost",
    ),
];

const ANSWER: &str = "/answer";

impl Command {
    /// Who may use it.
    pub fn rank(&self) -> Rank {
        match self {
            Self::New | Self::Compact | Self::Cost => Rank::Keeper,
            Self::Help
            | Self::Status
            | Self::Stop
            | Self::Agent
            | Self::Where
            | Self::Answer { .. } => Rank::Talker,
        }
    }

    /// May somebody who stands so use it?
    pub fn is_allowed(&self, talks: Talks) -> bool {
        match self.rank() {
            Rank::Talker => true,
            Rank::Keeper => talks.admin || (talks.direct && !talks.memory_is_shared),
        }
    }

    /// The word that it is written with.
    pub fn word(&self) -> &'static str {
        let plain = PLAIN.iter().find(|(_, command, _)| command == self);
        plain.map_or(ANSWER, |(word, _, _)| word)
    }
}

/// The command that `text` is, if it is one.
pub fn parse(text: &str) -> Option<Command> {
    let text = text.trim();
    if !text.starts_with('/') || text.len() > 128 {
        return None;
    }
    let mut words = text.split_ascii_whitespace();
    let word = words.next()?.to_ascii_lowercase();
    if word == ANSWER {
        let (question, option) = (words.next()?, words.next()?);
        let option = option.parse::<usize>().ok()?.checked_sub(1)?;
        let question = question.to_ascii_lowercase();
        return words
            .next()
            .is_none()
            .then_some(Command::Answer { question, option });
    }
    if words.next().is_some() {
        return None;
    }
    let plain = PLAIN.iter().find(|(known, _, _)| *known == word);
    plain.map(|(_, command, _)| command.clone())
}

/// What somebody who stands so can use, one line each.
pub fn help(talks: Talks) -> Vec<String> {
    PLAIN
        .iter()
        .filter(|(_, command, _)| command.is_allowed(talks))
        .map(|(word, _, about)| format!("{word}: {about}"))
        .collect()
}

#[cfg(test)]
mod tests;
