//! What was said while nobody listened.
//!
//! A session that goes on is told everything that it missed. One that begins is told nothing, so the
//! conversations are read from the last message that was taken, before anything newer of them is.
//! Discord gives bots no list of their direct chats: one that somebody opens while the session is lost,
//! and who has never written before, is heard with their next message.

use anchorhold_channel::ChannelError;
use tracing::{info, warn};

use crate::{
    api::Page,
    kept::Spot,
    places::Place,
    receive::{Later, Worker},
    wire::{Channel, Guild, Snowflake},
};

/// So many pages of one conversation are read at most.
const PAGES_LIMIT: usize = 200;
/// What was said so shortly before the last message that was taken may not have been: ids of different
/// channels are not quite in order. Ten seconds of Discord's time.
const SKEW: u64 = 10_000 << 22;

impl Worker<'_> {
    /// A new session has begun: every conversation may have gone on without us. Those in servers are
    /// read when the server shows itself, or when something is said in them.
    pub(crate) async fn began(&mut self) {
        self.kept.mark = self.kept.mark.or(self.kept.latest());
        self.gaps = self.kept.seen.keys().copied().collect();
        let alone = self.awaited.is_empty();
        let now = |spot: &&Spot| alone || spot.direct;
        let directs: Vec<Spot> = self.gaps.iter().filter(now).copied().collect();
        for spot in directs {
            self.fill(spot).await;
        }
    }

    /// Something that was told did not get into the queue.
    pub(crate) async fn missed(&mut self) {
        info!("reads what did not get into the queue");
        let all: Vec<Spot> = self.kept.seen.keys().copied().collect();
        for spot in all {
            self.fill(spot).await;
        }
    }

    /// A server shows itself with its channels and open threads, and what was said last in each.
    pub(crate) async fn guild(&mut self, guild: &Guild) {
        for channel in guild.channels.iter().chain(&guild.threads) {
            self.places.note(channel, Some(guild.id));
        }
        for channel in guild.channels.iter().chain(&guild.threads) {
            self.look_at(channel, guild.id).await;
        }
        self.awaited.remove(&guild.id);
        // Threads that were closed meanwhile are not shown, nor is what the bot can't see any more.
        let last = self.awaited.is_empty();
        let here = |chat: Snowflake| guild.channels.iter().any(|channel| channel.id == chat);
        let here = |spot: &&Spot| last || here(spot.chat);
        let closed: Vec<Spot> = self.gaps.iter().filter(here).copied().collect();
        for spot in closed {
            self.fill(spot).await;
        }
    }

    async fn look_at(&mut self, channel: &Channel, guild: Snowflake) {
        let spot = Spot::of(&Place::of(channel, Some(guild)));
        let last = channel.last_message_id;
        match (self.kept.seen.get(&spot), self.kept.mark) {
            (Some(seen), _) => {
                if last.is_some_and(|last| last <= *seen) {
                    self.gaps.remove(&spot);
                } else if self.gaps.contains(&spot) {
                    self.fill(spot).await;
                }
            }
            // A thread that is not known, of a channel that is: it may have begun meanwhile.
            (None, Some(mark)) if spot.thread.is_some() && self.kept.knows_chat(spot.chat) => {
                let mark = Snowflake(mark.0.saturating_sub(SKEW));
                if last.is_some_and(|last| last > mark) {
                    self.read(spot, mark).await;
                }
            }
            (None, _) => {}
        }
    }

    /// Reads a conversation on from where it was left.
    pub(crate) async fn fill(&mut self, spot: Spot) {
        if let Some(seen) = self.kept.seen.get(&spot) {
            self.read(spot, *seen).await;
        }
        self.gaps.remove(&spot);
    }

    async fn read(&mut self, spot: Spot, mut after: Snowflake) {
        let place = Place {
            chat: spot.chat,
            thread: spot.thread,
            guild: self.places.guild(spot.channel()),
            direct: spot.direct,
        };
        for _ in 0..PAGES_LIMIT {
            let Some(page) = self.page(spot.channel(), after).await else {
                return;
            };
            for message in &page.messages {
                self.hear(message, &place, false).await;
            }
            self.write().await;
            let Some(last) = page.rest else { return };
            after = last;
        }
        warn!(chat = %spot.chat, "so much was said meanwhile that the newest of it is left out");
    }

    /// The next messages of a channel, asked for until there is an answer; `None` where the bot can't
    /// read there any more.
    async fn page(&self, channel: Snowflake, after: Snowflake) -> Option<Page> {
        let mut failed = 0;
        loop {
            match self.adapter.api.messages(channel, after).await {
                Ok(page) => return Some(page),
                Err(ChannelError::Permanent { reason }) => {
                    warn!(chat = %channel, %reason, "can't be read any more");
                    return None;
                }
                Err(error) => self.rest(&Later::Platform(error), failed).await,
            }
            failed += 1;
        }
    }
}
