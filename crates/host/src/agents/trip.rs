//! The addresses of the channel between agents. Pure.

use anchorhold_core::{
    address::Address,
    ids::{AgentGroupId, ChannelName, ChatId, IdError, SessionId, ThreadId},
};
use anchorhold_sessiondb::Seq;

/// The name of the channel; no instance of the configuration can have it.
pub const CHANNEL: &str = "agents";

/// Which way a word goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To the agent that is asked.
    Ask,
    /// Back to the session that asked.
    Answer,
}

/// What an address of the channel says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trip {
    /// Which way.
    pub way: Way,
    /// The session that asks.
    pub asking: SessionId,
    /// The agent that is asked.
    pub asked: AgentGroupId,
    /// The message for whose sake it is asked: where an answer goes.
    pub about: Seq,
    /// How many agents have asked each other to come to this, this one included.
    pub hops: u32,
}

impl Trip {
    /// The address that says this.
    pub fn address(&self) -> Result<Address, IdError> {
        let way = match self.way {
            Way::Ask => "ask",
            Way::Answer => "answer",
        };
        Ok(Address {
            channel: ChannelName::parse(CHANNEL)?,
            chat: ChatId::parse(&format!("{way}:{}:{}", self.asking, self.asked))?,
            thread: Some(ThreadId::parse(&format!("{}:{}", self.about, self.hops))?),
        })
    }

    /// What an address says, if it is one of the channel.
    pub fn read(address: &Address) -> Option<Self> {
        if address.channel.as_str() != CHANNEL {
            return None;
        }
        let mut chat = address.chat.as_str().splitn(3, ':');
        let way = match chat.next()? {
            "ask" => Way::Ask,
            "answer" => Way::Answer,
            _ => return None,
        };
        let asking = SessionId::parse(chat.next()?).ok()?;
        let asked = AgentGroupId::parse(chat.next()?).ok()?;
        let (about, hops) = address.thread.as_ref()?.as_str().split_once(':')?;
        Some(Self {
            way,
            asking,
            asked,
            about: Seq::new(about.parse().ok()?)?,
            hops: hops.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn an_address_says_what_was_put_into_it() {
        let now = Timestamp::UNIX_EPOCH;
        for way in [Way::Ask, Way::Answer] {
            let trip = Trip {
                way,
                asking: SessionId::mint(now, [1; 10]),
                asked: AgentGroupId::mint(now, [2; 10]),
                about: Seq::new(4).unwrap(),
                hops: 3,
            };
            assert_eq!(Trip::read(&trip.address().unwrap()), Some(trip));
            let address = |chat: &str, thread: &str| Address {
                channel: ChannelName::parse(CHANNEL).unwrap(),
                chat: ChatId::parse(chat).unwrap(),
                thread: Some(ThreadId::parse(thread).unwrap()),
            };
            assert_eq!(Trip::read(&address("ask:x:y", "4:1")), None);
            assert_eq!(Trip::read(&address("c1", "4:1")), None);
        }
    }
}
