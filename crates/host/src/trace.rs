//! What became of a message: found by whatever people call it, and told in order.
//!
//! Reads the central database, and of a message that waits also its session's file, so it works
//! with and without a running host.

pub mod show;
pub mod timeline;

use anchorhold_core::{
    entity::MessageStatus,
    ids::{AgentGroupId, ChannelName, ChatId, ConversationId, SessionId},
};
use anchorhold_sessiondb::{Claim, Cursors, HostSide};
use anchorhold_store::{
    Error as StoreError, Store,
    trace::{
        find::{Candidate, Subject},
        story::Story,
    },
};
use camino::Utf8PathBuf;
use jiff::Timestamp;
use tracing::debug;

use crate::{
    blocking::blocking,
    report::report,
    trace::timeline::{Timeline, timeline},
};

/// The word that stands for the newest message of a conversation.
pub const LAST: &str = "last";

/// Which message is asked about, and by whom.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// What it is called.
    pub id: &'a str,
    /// The conversation that `last` is about: our id, `CHANNEL:CHAT`, the platform's id or the name.
    pub conversation: Option<&'a str>,
    /// The one agent group whose part is told.
    pub group: Option<AgentGroupId>,
    /// May all that was sent be looked through for it? Takes time.
    pub thorough: bool,
    /// Now.
    pub now: Timestamp,
}

/// What was found.
#[derive(Clone, Debug)]
pub enum Found {
    /// One message.
    One(Box<Timeline>),
    /// Several that are called so.
    Several(Vec<Candidate>),
    /// None.
    Nothing,
    /// The conversation is called by a name of several or of none.
    Conversation(&'static str),
}

/// Where sessions' files are.
pub type Files<'a> = &'a (dyn Fn(SessionId) -> Utf8PathBuf + Sync);

/// Looks for the message and tells what became of it.
pub async fn look(store: &Store, files: Files<'_>, asked: &Asked<'_>) -> Result<Found, StoreError> {
    let place = match asked.conversation {
        Some(name) => match conversation(store, name).await? {
            Ok(place) => Some(place),
            Err(why) => return Ok(Found::Conversation(why)),
        },
        None => None,
    };
    let candidates = match (asked.id, &place) {
        (LAST, Some((channel, chat))) => {
            let last = store.last_traced((channel, chat), asked.group).await?;
            last.into_iter().collect()
        }
        (LAST, None) => {
            return Ok(Found::Conversation(
                "say of which conversation (--conversation)",
            ));
        }
        (id, place) => {
            let mut found = store.find_traced(id, asked.thorough).await?;
            found.retain(|one| {
                place
                    .as_ref()
                    .is_none_or(|place| is_in(&one.subject, place))
            });
            found
        }
    };
    let mut known = Vec::new();
    for candidate in candidates {
        let story = store.story(&candidate.subject, asked.group, asked.now);
        if let Some(story) = story.await? {
            known.push((candidate, story));
        }
    }
    Ok(match known.len() {
        0 => Found::Nothing,
        1 => {
            let story = known.remove(0).1;
            let claims = claims(store, files, &story).await?;
            Found::One(Box::new(timeline(&story, &claims, asked.now)))
        }
        _several => Found::Several(known.into_iter().map(|(candidate, _)| candidate).collect()),
    })
}

fn is_in(subject: &Subject, (channel, chat): &(ChannelName, ChatId)) -> bool {
    match subject {
        Subject::Said {
            channel: its_channel,
            chat: its_chat,
            ..
        } => its_channel == channel && its_chat == chat,
        Subject::Word { .. } => true,
    }
}

/// The messages of a story that sandboxes have in hand now.
pub async fn claims(
    store: &Store,
    files: Files<'_>,
    story: &Story,
) -> Result<Vec<(SessionId, Claim)>, StoreError> {
    let mut claims = Vec::new();
    for hearing in &story.hearings {
        if hearing.status == MessageStatus::Pending {
            let claimed = claim(store, files, (hearing.session, hearing.seq)).await?;
            claims.extend(claimed.map(|claim| (hearing.session, claim)));
        }
    }
    Ok(claims)
}

/// Has a sandbox taken the message? Its file says so; one that can't be read says nothing.
async fn claim(
    store: &Store,
    files: Files<'_>,
    (session, seq): (SessionId, i64),
) -> Result<Option<Claim>, StoreError> {
    let Some(row) = store.session(session).await? else {
        return Ok(None);
    };
    let cursors = Cursors {
        out: row.out_cursor,
        handled: row.handled_cursor,
    };
    let (side, highest) = (HostSide::at(&files(session)), row.in_seq);
    let read = blocking(move || side.pull(cursors, highest)).await;
    let claims = match read {
        Ok(Ok(pulled)) => pulled.claims,
        Ok(Err(failure)) => {
            debug!(%session, error = %report(&failure), "claims can't be read");
            return Ok(None);
        }
        // silent: the program ends
        Err(_cut_off) => return Ok(None),
    };
    let current = row.session.generation;
    Ok(claims
        .into_iter()
        .find(|claim| claim.seq.get() == seq && claim.generation == current))
}

/// The chat of a conversation, by whatever it is called; an inner error says why there is none.
async fn conversation(
    store: &Store,
    name: &str,
) -> Result<Result<(ChannelName, ChatId), &'static str>, StoreError> {
    if let Ok(id) = ConversationId::parse(name) {
        let row = store.conversation_by_id(id).await?;
        let place = row.map(|row| (row.conversation.channel, row.conversation.chat));
        return Ok(place.ok_or("there is no such conversation (--conversation)"));
    }
    if let Some((channel, chat)) = name.split_once(':')
        && let (Ok(channel), Ok(chat)) = (ChannelName::parse(channel), ChatId::parse(chat))
        && store.conversation(&channel, &chat).await?.is_some()
    {
        return Ok(Ok((channel, chat)));
    }
    let mut called = store.conversations_called(name, 2).await?;
    Ok(match (called.pop(), called.pop()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => {
            Err("several conversations are called so; write CHANNEL:CHAT (--conversation)")
        }
        // Nobody heard a chat that is not on record; what was declined there is traced.
        (None, _) => match name.split_once(':') {
            Some((channel, chat)) => match (ChannelName::parse(channel), ChatId::parse(chat)) {
                (Ok(channel), Ok(chat)) => Ok((channel, chat)),
                _ => Err("there is no such conversation (--conversation)"),
            },
            None => Err("there is no such conversation (--conversation)"),
        },
    })
}
