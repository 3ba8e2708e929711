//! What the host does for people who write a command, and what it answers.

mod where_is;

use std::collections::HashSet;

use anchorhold_core::{
    address::Address,
    command::{self, Command, Talks},
    entity::{AgentGroup, EngageMode, SessionKey, SessionMode, Wiring},
    ids::{AgentGroupId, ConversationId, PLATFORM_ID_LIMIT_BYTES, SessionId, UserId},
    inbound::InboundEvent,
};
use anchorhold_runner::lifecycle::Lifecycle;
use anchorhold_store::trace::find::Subject;

use crate::{
    approvals::plain,
    base::Base,
    sessions::{HOST_WORD, SessionError, Sessions, Stopping},
    trace,
};

/// How much of a name is shown, in characters.
const NAME_LIMIT: usize = 60;

/// Does what commands ask for. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Commands {
    base: Base,
    lifecycle: Lifecycle,
    sessions: Sessions,
}

/// One agent that hears the person who wrote a command.
#[derive(Clone, Debug)]
pub struct Hears {
    /// By which wiring.
    pub wiring: Wiring,
    /// In which session.
    pub session: SessionKey,
    /// How the person stands to it.
    pub talks: Talks,
}

/// One agent that a command is for.
struct Meant {
    group: AgentGroup,
    session: Option<SessionId>,
    wiring: Wiring,
}

impl Commands {
    /// Does what commands ask for with what the host works with.
    pub fn new(base: Base, lifecycle: Lifecycle, sessions: Sessions) -> Self {
        Self {
            base,
            lifecycle,
            sessions,
        }
    }

    /// Does what `command` asks for and tells what came of it. A command that the person may not
    /// use at any of the agents is refused with an answer.
    pub async fn run(
        &self,
        command: &Command,
        event: &InboundEvent,
        (sender, conversation): (UserId, ConversationId),
        audience: &[Hears],
    ) -> Result<String, SessionError> {
        let mut meant = Vec::with_capacity(audience.len());
        for hears in audience.iter().filter(|h| command.is_allowed(h.talks)) {
            let Some(group) = self.base.store.group(hears.wiring.agent_group).await? else {
                continue;
            };
            let found = self.base.store.session_by_key(&hears.session).await?;
            meant.push(Meant {
                group,
                session: found.map(|row| row.session.id),
                wiring: hears.wiring.clone(),
            });
        }
        if meant.is_empty() {
            return Ok(format!(
                "You may not use {} here: it takes an admin of the agent.",
                command.word()
            ));
        }
        // The same message that comes again is the same wish.
        let key = format!("{HOST_WORD}{} {}", command.word(), event.message_id);
        let key = key
            .get(..key.floor_char_boundary(PLATFORM_ID_LIMIT_BYTES))
            .unwrap_or_default();
        let lines = match command {
            Command::Help => help(audience),
            Command::Agent => meant.iter().map(who_hears).collect(),
            Command::Where => {
                let groups = meant.iter().map(|meant| meant.group.id).collect();
                self.whereabouts((sender, conversation), event, groups)
                    .await?
            }
            Command::Status => self.status(&meant).await?,
            Command::Cost => self.cost(&meant).await?,
            Command::New => self.begin_afresh(&meant).await?,
            Command::Stop => self.stop(&meant, &event.address, key).await?,
            Command::Compact => self.compact(&meant, &event.address, key).await?,
            // Answers go to whoever asked, not to an agent by its wiring.
            Command::Answer { .. } => Vec::new(),
        };
        Ok(lines.join("\n"))
    }

    async fn status(&self, meant: &[Meant]) -> Result<Vec<String>, SessionError> {
        let mut lines = Vec::with_capacity(meant.len());
        for Meant { group, session, .. } in meant {
            let pending = match session {
                Some(session) => self.base.store.session_work(*session).await?.pending,
                None => 0,
            };
            let running = session.and_then(|session| self.lifecycle.is_running(session));
            let state = match (running, pending) {
                (Some(_), 0) => "is awake and has nothing to do".to_owned(),
                (Some(_), waiting) => format!("is at work, {waiting} to answer"),
                (None, 0) => "sleeps and has nothing to do".to_owned(),
                (None, waiting) => format!("is about to wake, {waiting} to answer"),
            };
            lines.push(format!("{} {state}.", name(group)));
        }
        Ok(lines)
    }

    async fn cost(&self, meant: &[Meant]) -> Result<Vec<String>, SessionError> {
        let mut lines = Vec::with_capacity(meant.len());
        for Meant { group, session, .. } in meant {
            let counts = match session {
                Some(session) => self.base.store.answered(*session).await?,
                None => anchorhold_store::sessions::Answered::default(),
            };
            let cost = if group.provider == "offline" {
                "It calls no model, so it has cost nothing."
            } else {
                "What its model costs is not on record."
            };
            lines.push(format!(
                "{} has taken in {} of this conversation and sent {}. {cost}",
                name(group),
                counted(counts.done, "message"),
                counted(counts.sent, "answer")
            ));
        }
        Ok(lines)
    }

    async fn begin_afresh(&self, meant: &[Meant]) -> Result<Vec<String>, SessionError> {
        let mut lines = Vec::with_capacity(meant.len());
        for Meant { group, session, .. } in meant {
            let closed = match session {
                Some(session) => self.sessions.close(*session).await?,
                None => false,
            };
            lines.push(if closed {
                format!("{} begins afresh with your next message.", name(group))
            } else {
                format!("{} has nothing to forget here.", name(group))
            });
        }
        Ok(lines)
    }

    async fn stop(
        &self,
        meant: &[Meant],
        address: &Address,
        key: &str,
    ) -> Result<Vec<String>, SessionError> {
        let mut lines = Vec::with_capacity(meant.len());
        for Meant { group, session, .. } in meant {
            let stopping = match session {
                Some(session) => self.sessions.stop_turn(*session, address, key).await?,
                None => Stopping::Nothing,
            };
            lines.push(match stopping {
                Stopping::Told => format!("{} is told to stop.", name(group)),
                Stopping::Withdrawn(count) => {
                    let taken_back = counted(count, "message");
                    format!("{} had not begun; taken back: {taken_back}.", name(group))
                }
                Stopping::Nothing => format!("{} is doing nothing.", name(group)),
            });
        }
        Ok(lines)
    }

    async fn compact(
        &self,
        meant: &[Meant],
        address: &Address,
        key: &str,
    ) -> Result<Vec<String>, SessionError> {
        let mut lines = Vec::with_capacity(meant.len());
        for Meant { group, session, .. } in meant {
            lines.push(match session {
                Some(session) => {
                    self.sessions
                        .compact(group.id, *session, address, key)
                        .await?;
                    format!("{} is asked to make its memory smaller.", name(group))
                }
                None => format!("{} remembers nothing here.", name(group)),
            });
        }
        Ok(lines)
    }

    /// What happened to the person's newest message here, or to the one that they reply to, at each
    /// agent that heard it.
    async fn whereabouts(
        &self,
        (sender, conversation): (UserId, ConversationId),
        event: &InboundEvent,
        groups: HashSet<AgentGroupId>,
    ) -> Result<Vec<String>, SessionError> {
        let quoted = event.reply_to.as_ref();
        let quoted = quoted.and_then(|quote| quote.message_id.clone());
        let (subject, called, none) = if let Some(id) = quoted {
            let Address { channel, chat, .. } = event.address.clone();
            let subject = Subject::Said { channel, chat, id };
            let none = "Nothing is on record of that message; reply to one that you wrote.";
            (Some(subject), "that message", none)
        } else {
            let last = self.base.store.last_traced_of(sender, conversation).await?;
            let none = "No agent has heard a message of yours here.";
            (last.map(|last| last.subject), "your last message", none)
        };
        let Some(subject) = subject else {
            return Ok(vec![none.to_owned()]);
        };
        let (store, now) = (&self.base.store, self.base.now());
        let files = |session| self.base.dirs.session(session);
        let Some(story) = store.story(&subject, None, now).await? else {
            return Ok(vec![none.to_owned()]);
        };
        let claims = trace::claims(store, &files, &story).await?;
        let lines = where_is::lines(&story, &claims, called, &groups);
        Ok(if lines.is_empty() {
            vec![none.to_owned()]
        } else {
            lines
        })
    }
}

fn help(audience: &[Hears]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in audience.iter().flat_map(|hears| command::help(hears.talks)) {
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines.push("Anything else that begins with a slash is text for the agent.".to_owned());
    lines
}

fn counted(count: u64, what: &str) -> String {
    match count {
        1 => format!("one {what}"),
        more => format!("{more} {what}s"),
    }
}

fn name(group: &AgentGroup) -> String {
    plain(&group.name, NAME_LIMIT)
}

fn who_hears(meant: &Meant) -> String {
    let wiring = &meant.wiring;
    let when = match (wiring.engage, wiring.pattern.as_deref()) {
        (EngageMode::Pattern, Some(".") | None) => "answers everything",
        (EngageMode::Pattern, Some(_)) => "answers what matches its pattern",
        (EngageMode::Mention, _) => "answers when it is addressed",
        (EngageMode::MentionSticky, _) => "answers when it is addressed, and what follows",
    };
    let memory = match wiring.session_mode {
        SessionMode::Shared => "one memory for this conversation",
        SessionMode::PerThread => "one memory for each thread",
        SessionMode::AgentShared => "one memory for all its conversations",
    };
    format!("{} {when}, with {memory}.", name(&meant.group))
}
