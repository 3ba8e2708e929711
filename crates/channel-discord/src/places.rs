//! Where a channel's id leads: what is said in a thread names only the thread, and the conversation that
//! it belongs to has to be known.

use std::collections::HashMap;

use anchorhold_channel::ChannelError;
use anchorhold_core::{
    address::Address,
    ids::{ChannelName, ChatId, IdError, ThreadId},
    inbound::ChatKind,
};

use crate::{
    api::Api,
    wire::{Channel, Snowflake},
};

/// So many channels are remembered; then it begins anew. A channel never changes its parent.
const LIMIT: usize = 20_000;

/// A place where something is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The channel, or the one that the thread is in.
    pub(crate) chat: Snowflake,
    pub(crate) thread: Option<Snowflake>,
    pub(crate) guild: Option<Snowflake>,
    /// Is it between one person and the bot?
    pub(crate) direct: bool,
}

impl Place {
    /// Where a channel is.
    pub(crate) fn of(channel: &Channel, guild: Option<Snowflake>) -> Self {
        let parent = channel.parent_id.filter(|_| channel.is_thread());
        let guild = channel.guild_id.or(guild);
        Self {
            chat: parent.unwrap_or(channel.id),
            thread: parent.map(|_| channel.id),
            guild,
            direct: guild.is_none() && channel.is_direct(),
        }
    }

    /// A channel of which only the id is known.
    pub(crate) fn plain(id: Snowflake, guild: Option<Snowflake>) -> Self {
        Self {
            chat: id,
            thread: None,
            guild,
            direct: guild.is_none(),
        }
    }

    /// As the host names it.
    pub(crate) fn address(&self, channel: &ChannelName) -> Result<Address, IdError> {
        let thread = |thread: Snowflake| ThreadId::parse(&thread.to_string());
        Ok(Address {
            channel: channel.clone(),
            chat: ChatId::parse(&self.chat.to_string())?,
            thread: self.thread.map(thread).transpose()?,
        })
    }

    /// As the host sorts it.
    pub(crate) fn kind(&self) -> ChatKind {
        if self.direct {
            ChatKind::Direct
        } else {
            ChatKind::Group
        }
    }
}

/// The places that are known.
#[derive(Debug, Default)]
pub(crate) struct Places {
    known: HashMap<Snowflake, Place>,
}

impl Places {
    /// Notes a channel that Discord has told of.
    pub(crate) fn note(&mut self, channel: &Channel, guild: Option<Snowflake>) -> Place {
        if self.known.len() >= LIMIT {
            self.known.clear();
        }
        let place = Place::of(channel, guild);
        self.known.insert(channel.id, place);
        place
    }

    /// The server that a channel is in, as far as that is known.
    pub(crate) fn guild(&self, id: Snowflake) -> Option<Snowflake> {
        self.known.get(&id).and_then(|place| place.guild)
    }

    /// The place with this id, asked for where it is not known. What is said outside of servers is said
    /// directly: there are no threads.
    pub(crate) async fn find(
        &mut self,
        api: &Api,
        (id, guild): (Snowflake, Option<Snowflake>),
    ) -> Result<Place, ChannelError> {
        if let Some(place) = self.known.get(&id) {
            return Ok(*place);
        }
        if guild.is_none() {
            return Ok(Place::plain(id, None));
        }
        match api.channel(id).await {
            Ok(channel) => Ok(self.note(&channel, guild)),
            // Something was said there, and where else it would belong nobody says.
            Err(ChannelError::Permanent { .. }) => Ok(Place::plain(id, guild)),
            Err(error) => Err(error),
        }
    }
}
