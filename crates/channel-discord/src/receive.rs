//! What happened, taken in its order: each thing is offered to the host until it is durable.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use anchorhold_channel::{Accepted, ChannelContext, ChannelError, IntakeError};
use anchorhold_channel_kit::media::{self, Fetched};
use anchorhold_core::{
    ids::IdError,
    inbound::{ATTACHMENTS_LIMIT, InboundEvent},
};
use tokio::{sync::mpsc, time::sleep};
use tracing::warn;

use crate::{
    adapter::DiscordAdapter,
    decode::{Heard, Known, Waiting},
    kept::{Kept, Session, Spot},
    places::{Place, Places},
    wire::{Channel, Guild, Message, Reaction, Ready, Snowflake, is_thread},
};

/// How often a file is asked for before its message goes on without it.
const FETCH_TRIES: u32 = 5;
/// For so long the bot's roles in a server are believed.
const ROLES_LAST: Duration = Duration::from_mins(5);
/// So many messages are taken at most before that is written down.
const CHANGES_LIMIT: usize = 50;

/// What the gateway told of.
#[derive(Debug)]
pub(crate) enum Happened {
    /// A new session has begun: what happened before it is not told any more.
    Began(Ready),
    /// The bot is in this server.
    Guild(Guild),
    /// There is a new channel or thread.
    Channel(Channel),
    Said(Box<Message>),
    Edited(Box<Message>),
    /// A reaction was put on a message, or with `false` taken back.
    Reacted(Box<Reaction>, bool),
}

/// One thing that happened, with its number in the session.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) seq: u64,
    pub(crate) what: Happened,
}

/// What waits for the host.
#[derive(Debug)]
pub(crate) enum Queued {
    Job(Job),
    /// Here something did not get into the queue.
    Missed,
}

/// Why something is not taken now and has to be offered again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Later {
    /// The host can't take it.
    #[error(transparent)]
    Host(IntakeError),
    /// What belongs to it can't be had.
    #[error(transparent)]
    Platform(ChannelError),
}

/// Takes what happened, one thing after the other.
pub(crate) struct Worker<'a> {
    pub(crate) adapter: &'a DiscordAdapter,
    pub(crate) cx: &'a ChannelContext,
    me: Snowflake,
    pub(crate) kept: Kept,
    /// How much was taken that is not written down.
    changes: usize,
    pub(crate) places: Places,
    /// The conversations in which something may have been said that was not told.
    pub(crate) gaps: BTreeSet<Spot>,
    /// The servers that have not shown themselves in this session.
    pub(crate) awaited: BTreeSet<Snowflake>,
    session: Option<Session>,
    roles: HashMap<Snowflake, (Instant, Vec<Snowflake>)>,
}

impl<'a> Worker<'a> {
    pub(crate) fn new(
        (adapter, cx): (&'a DiscordAdapter, &'a ChannelContext),
        me: Snowflake,
        kept: Kept,
    ) -> Self {
        Self {
            adapter,
            cx,
            me,
            session: kept.session.clone(),
            kept,
            changes: 0,
            places: Places::default(),
            gaps: BTreeSet::new(),
            awaited: BTreeSet::new(),
            roles: HashMap::new(),
        }
    }

    /// Takes what is in the queue, for ever.
    pub(crate) async fn run(mut self, mut queue: mpsc::Receiver<Queued>) {
        while let Some(queued) = queue.recv().await {
            match queued {
                Queued::Missed => self.missed().await,
                Queued::Job(Job { seq, what }) => {
                    self.take(what, seq).await;
                    if let Some(session) = &mut self.session {
                        session.seq = seq;
                    }
                }
            }
            if self.changes >= CHANGES_LIMIT || queue.is_empty() {
                self.write().await;
            }
        }
    }

    /// Writes down what was taken, if anything was.
    pub(crate) async fn write(&mut self) {
        let settled = self.is_settled();
        self.kept.session = self.session.clone().filter(|_| settled);
        if settled {
            self.kept.mark = None;
        }
        if self.changes > 0 && self.kept.write(self.cx).await {
            self.changes = 0;
        }
    }

    /// Is nothing left to be read of what this session does not tell?
    fn is_settled(&self) -> bool {
        self.gaps.is_empty() && self.awaited.is_empty()
    }

    async fn take(&mut self, what: Happened, seq: u64) {
        match what {
            Happened::Began(ready) => {
                self.session = Some(Session {
                    id: ready.session_id,
                    url: ready.resume_gateway_url,
                    seq,
                });
                self.awaited = ready.guilds.iter().map(|guild| guild.id).collect();
                self.began().await;
                self.changes += 1;
            }
            Happened::Guild(guild) => {
                let settled = self.is_settled();
                self.guild(&guild).await;
                if !settled && self.is_settled() {
                    self.changes += 1;
                }
            }
            Happened::Channel(channel) => {
                self.places.note(&channel, None);
            }
            Happened::Said(message) => {
                let place = match message.channel_type {
                    Some(kind) if !is_thread(kind) => {
                        Place::plain(message.channel_id, message.guild_id)
                    }
                    Some(_) | None => self.place((message.channel_id, message.guild_id)).await,
                };
                let spot = Spot::of(&place);
                if self.gaps.contains(&spot) {
                    self.fill(spot).await;
                }
                self.hear(&message, &place, false).await;
            }
            Happened::Edited(message) => {
                let place = self.place((message.channel_id, message.guild_id)).await;
                self.hear(&message, &place, true).await;
            }
            Happened::Reacted(reaction, added) => {
                let place = self.place((reaction.channel_id, reaction.guild_id)).await;
                self.react((&reaction, added), &place, seq).await;
            }
        }
    }

    /// Where something was said; asked for until there is an answer.
    async fn place(&mut self, at: (Snowflake, Option<Snowflake>)) -> Place {
        let mut failed = 0;
        loop {
            match self.places.find(&self.adapter.api, at).await {
                Ok(place) => return place,
                Err(error) => self.rest(&Later::Platform(error), failed).await,
            }
            failed += 1;
        }
    }

    /// Takes a message on, or with `edited` a change of one.
    pub(crate) async fn hear(&mut self, message: &Message, place: &Place, edited: bool) {
        let mut failed = 0;
        loop {
            let heard = Box::pin(self.try_hear(message, place, (edited, failed))).await;
            match heard {
                Ok(taken) => {
                    if taken && !edited {
                        self.note(place, message.id);
                    }
                    return;
                }
                Err(later) => self.rest(&later, failed).await,
            }
            failed += 1;
        }
    }

    /// Notes how far a conversation was read.
    fn note(&mut self, place: &Place, id: Snowflake) {
        if self.kept.take(Spot::of(place), id) {
            self.changes += 1;
        }
    }

    /// `true` where the host keeps the message; what it does not want makes no conversation.
    async fn try_hear(
        &mut self,
        message: &Message,
        place: &Place,
        (edited, failed): (bool, u32),
    ) -> Result<bool, Later> {
        let roles = self.roles(message, place).await?;
        let known = Known {
            channel: &self.adapter.name,
            me: self.me,
            roles: &roles,
        };
        let Some(Heard { mut event, files }) = readable(known.message(message, place, edited))
        else {
            return Ok(false);
        };
        for waiting in files {
            self.fetch(waiting, &mut event, failed).await?;
        }
        let kept = self.deliver(event, place).await?;
        Ok(kept || self.kept.seen.contains_key(&Spot::of(place)))
    }

    async fn react(&mut self, reaction: (&Reaction, bool), place: &Place, seq: u64) {
        let session = self.session.as_ref();
        let which = session.map_or_else(|| seq.to_string(), |s| format!("{}-{seq}", s.id));
        let known = Known {
            channel: &self.adapter.name,
            me: self.me,
            roles: &[],
        };
        let now = self.adapter.clock.now();
        let event = known.reaction(reaction, place, (&which, now));
        let Some(event) = readable(event) else {
            return;
        };
        let mut failed = 0;
        while let Err(later) = self.deliver(event.clone(), place).await {
            self.rest(&later, failed).await;
            failed += 1;
        }
    }

    /// Hands an event to the host; `true` where it is kept.
    async fn deliver(&self, event: InboundEvent, place: &Place) -> Result<bool, Later> {
        let message_id = event.message_id.clone();
        match self.cx.inbox.deliver(event).await {
            Ok(Accepted::Stored | Accepted::Duplicate) => Ok(true),
            Ok(Accepted::Declined(_why)) => Ok(false),
            Err(IntakeError::Refused { why }) => {
                let channel = place.thread.unwrap_or(place.chat);
                let told = self.adapter.tell(channel, &why, &message_id).await;
                if let Err(error) = told {
                    warn!(%error, "nobody could be told that a message was refused");
                }
                Ok(false)
            }
            Err(error) => Err(Later::Host(error)),
        }
    }

    /// Waits before something is offered again.
    pub(crate) async fn rest(&self, later: &Later, failed: u32) {
        let pace = self.adapter.waits.pace;
        let pause = match later {
            // The token of this run is about to fire.
            Later::Host(IntakeError::Stopping) => return std::future::pending().await,
            Later::Platform(ChannelError::RateLimited { retry_after, .. }) => *retry_after,
            Later::Host(_) | Later::Platform(_) => {
                let pause = pace.pause(failed.saturating_add(1));
                pause.unwrap_or(pace.longest)
            }
        };
        warn!(error = %later, "what happened is not taken yet");
        sleep(pause).await;
    }

    /// The bot's roles, where a message names any.
    async fn roles(&mut self, message: &Message, place: &Place) -> Result<Vec<Snowflake>, Later> {
        let Some(guild) = place.guild.filter(|_| !message.mention_roles.is_empty()) else {
            return Ok(Vec::new());
        };
        let now = self.adapter.clock.mono();
        if let Some((asked, roles)) = self.roles.get(&guild)
            && now.duration_since(*asked) < ROLES_LAST
        {
            return Ok(roles.clone());
        }
        let roles = match self.adapter.api.member((guild, self.me)).await {
            Ok(member) => member.roles,
            // The bot is not there any more.
            Err(ChannelError::Permanent { .. }) => Vec::new(),
            Err(error) => return Err(Later::Platform(error)),
        };
        self.roles.insert(guild, (now, roles.clone()));
        Ok(roles)
    }

    /// Fetches a file, or says in the text why it is not there. What may pass is an error at first.
    async fn fetch(
        &self,
        waiting: Waiting,
        event: &mut InboundEvent,
        failed: u32,
    ) -> Result<(), Later> {
        let name = waiting.offered.name.clone().unwrap_or_default();
        let why = match self.content(&waiting).await {
            Ok(Fetched::All(content)) if event.attachments.len() < ATTACHMENTS_LIMIT => {
                event.attachments.push(waiting.offered.with(content));
                return Ok(());
            }
            Ok(Fetched::All(_)) => "there are too many of them".to_owned(),
            Ok(Fetched::Refused(why)) => why,
            Err(error) if failed + 1 < FETCH_TRIES => return Err(Later::Platform(error)),
            Err(error) => {
                warn!(%error, "a file is left out");
                "it could not be fetched".to_owned()
            }
        };
        let line = media::left_out(&name, &why);
        event.text = if event.text.is_empty() {
            line
        } else {
            format!("{}\n{line}", event.text)
        };
        Ok(())
    }

    async fn content(&self, waiting: &Waiting) -> Result<Fetched, ChannelError> {
        if waiting.offered.is_too_large() {
            return Ok(Fetched::Refused(media::too_large()));
        }
        match self.adapter.api.file(&waiting.url) {
            Some(request) => media::fetch(request).await,
            None => Ok(Fetched::Refused("it does not lie with Discord".to_owned())),
        }
    }
}

/// What was read, if it could be: what has ids that can't be ids is for nobody.
pub(crate) fn readable<T>(read: Result<Option<T>, IdError>) -> Option<T> {
    read.unwrap_or_else(|error| {
        warn!(%error, "what happened can't be read");
        None
    })
}
