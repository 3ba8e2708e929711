//! Albums: several messages that a person sent as one. Telegram hands their parts over one by one
//! and does not say how many there are: <https://core.telegram.org/bots/api#sendmediagroup>.

use crate::wire::{Message, Numbered};

/// An album has at most so many parts.
pub(crate) const PARTS_LIMIT: usize = 10;

/// What tells one album from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    chat: i64,
    group: String,
}

impl Key {
    /// The album that a message is part of.
    pub(crate) fn of(message: &Message) -> Option<Self> {
        let group = message.media_group_id.clone()?;
        let chat = message.chat.id;
        Some(Self { chat, group })
    }
}

/// The message of an update that may be part of an album: a new one.
pub(crate) fn part(numbered: &Numbered) -> Option<&Message> {
    let update = numbered.update.as_ref()?;
    update.message.as_deref().or(update.channel_post.as_deref())
}

/// The parts of an album among updates, in order.
pub(crate) fn parts<'a>(updates: &'a [Numbered], key: &Key) -> Vec<(i64, &'a Message)> {
    let mut parts: Vec<_> = updates
        .iter()
        .filter_map(|numbered| Some((numbered.number, part(numbered)?)))
        .filter(|(_, message)| Key::of(message).as_ref() == Some(key))
        .collect();
    parts.sort_by_key(|(_, message)| message.message_id);
    parts.truncate(PARTS_LIMIT);
    parts
}
