//! Agents that write to agents: a channel like the others, whose platform is this host.
//!
//! What one agent asks another goes to a session of the other's that belongs to the asking session
//! alone. What that session says goes back to the conversation in which it was asked. So words
//! between agents are in the custody that all words are in: on record, in order, tried again, and
//! told of where they fail.
//!
//! Whether they may is judged where they are taken over, in [`crate::pull`].

mod trip;

use std::sync::Arc;

use anchorhold_channel::{
    BotIdentity, ChannelAdapter, ChannelCaps, ChannelContext, ChannelError, FilesOut, Markup,
    PartKey, Questions, Reader, Sent, Support, TextLimit, health,
};
use anchorhold_core::{
    address::Address,
    entity::{SessionKey, UnknownSenderPolicy},
    ids::{AgentGroupId, ChatId, Handle, MessageId, PlatformMessageId, SessionId, ThreadId},
    inbound::Attachment,
    outbound::{FILE_LIMIT_BYTES, FILES_LIMIT, OutboundFile, OutboundOp, Voice},
};
use anchorhold_sessiondb::{Body, Chat, Inbound, InboxFile, Note, Seq};
use anchorhold_store::ingest::{self, Entered, Entry, Key, MessageRole, NewMessage};
use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

pub use trip::{CHANNEL, Trip, Way};

use crate::{
    base::{Base, mint},
    blocking::blocking,
    journal::Journal,
    registry::{Instance, Registry},
    sessions::HOST_WORD,
    wake::Wake,
};

const CAPS: ChannelCaps = ChannelCaps {
    text: TextLimit::Unlimited,
    markup: Markup::Markdown,
    threads: Support::Yes,
    edits: Support::No,
    deletes: Support::No,
    reactions: Support::No,
    typing: Support::No,
    questions: Questions::Text,
    opens_directs: Support::No,
    files: FilesOut::UpTo {
        text: TextLimit::Unlimited,
        count: FILES_LIMIT,
        each_bytes: FILE_LIMIT_BYTES,
        total_bytes: FILE_LIMIT_BYTES,
    },
    // The id of the delivery names the message that it becomes.
    dedupes_by_key: Support::Yes,
    reader: Reader::ScrollsBack,
};

/// How often a message with files is given another number because others were faster.
const NUMBERS_LIMIT: u32 = 16;

/// The channel between agents.
#[derive(Clone, Debug)]
pub struct Agents {
    base: Base,
    journal: Journal,
    wake: Wake,
}

/// Where something is said, and to whom.
struct Place {
    group: AgentGroupId,
    session: SessionId,
    address: Address,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Agents {
    /// The channel of `base`'s agents.
    pub fn new(base: Base, journal: Journal, wake: Wake) -> Self {
        Self {
            base,
            journal,
            wake,
        }
    }

    /// Connects it; it is there as long as what is given is kept.
    pub fn connect(self, registry: &Registry) -> Arc<Instance> {
        let instance = Arc::new(self.instance());
        registry.connect_agents(&instance);
        instance
    }

    fn instance(self) -> Instance {
        let (reporter, health) = health::pair(self.base.clock());
        Instance {
            adapter: Arc::new(self),
            health,
            reporter,
            unknown_senders: UnknownSenderPolicy::Strict,
            kind: CHANNEL.to_owned(),
            table: toml::Table::new(),
            shutdown: CancellationToken::new(),
        }
    }

    /// Says something; an inner error says why it can't be said for good.
    async fn say(
        &self,
        to: &Address,
        (text, files, voice): (&str, &[OutboundFile], Voice),
        key: PartKey,
    ) -> Result<Result<(), String>, Failure> {
        let Some(trip) = Trip::read(to) else {
            return Ok(Err("this is no place of an agent".to_owned()));
        };
        // The agent that asked is told of its own failures in another way.
        if voice == Voice::Host && trip.way == Way::Ask {
            return Ok(Ok(()));
        }
        let Some(speaker) = self.speaker(&trip).await? else {
            return Ok(Err("the agent that says it is gone".to_owned()));
        };
        let place = match self.place(&trip).await? {
            Ok(place) => place,
            Err(why) => return Ok(Err(why.to_owned())),
        };
        for _ in 0..NUMBERS_LIMIT {
            let placed = self.put_files(place.session, files).await?;
            let said = match voice {
                Voice::Host => Inbound::Note(Note {
                    text: format!("{}: {text}", speaker.1),
                }),
                Voice::Agent => self.chat(&speaker, text, &placed.1),
            };
            let message = self.message(&place, placed.0, &said, key).await?;
            match self.journal.enter(Entry::Messages(vec![message])).await? {
                Entered::Late => {}
                Entered::Now(_) | Entered::Duplicate => {
                    let (session, mono) = (place.session, self.base.mono());
                    self.base.live.note_work(session, true, mono);
                    self.wake.ask(place.group, session);
                    return Ok(Ok(()));
                }
            }
        }
        Err("others are always faster".into())
    }

    /// The folder and the name of the agent that speaks.
    async fn speaker(&self, trip: &Trip) -> Result<Option<(String, String)>, Failure> {
        let store = &self.base.store;
        let group = match trip.way {
            Way::Ask => match store.session(trip.asking).await? {
                Some(row) => row.session.key.agent_group,
                None => return Ok(None),
            },
            Way::Answer => trip.asked,
        };
        let group = store.group(group).await?;
        Ok(group.map(|group| (group.folder.as_str().to_owned(), group.name)))
    }

    /// Where it is said; an inner error says why nowhere.
    async fn place(&self, trip: &Trip) -> Result<Result<Place, &'static str>, Failure> {
        let store = &self.base.store;
        match trip.way {
            Way::Ask => {
                if store.group(trip.asked).await?.is_none() {
                    return Ok(Err("the agent is gone"));
                }
                let key = SessionKey {
                    agent_group: trip.asked,
                    conversation: None,
                    thread: Some(ThreadId::parse(&format!("agent:{}", trip.asking))?),
                };
                let (fresh, now) = (mint!(self.base, SessionId), self.base.now());
                let session = store.session_for(&key, fresh, now).await?;
                let back = Trip {
                    way: Way::Answer,
                    ..*trip
                };
                Ok(Ok(Place {
                    group: trip.asked,
                    session: session.id,
                    address: back.address()?,
                }))
            }
            Way::Answer => {
                let row = store.session(trip.asking).await?;
                let Some(row) = row.filter(|row| row.closed_at.is_none()) else {
                    return Ok(Err("the conversation that asked is over"));
                };
                let asked = store.message(trip.asking, trip.about.get()).await?;
                let Some(asked) = asked else {
                    return Ok(Err("the message that asked is gone"));
                };
                Ok(Ok(Place {
                    group: row.session.key.agent_group,
                    session: trip.asking,
                    address: asked.address,
                }))
            }
        }
    }

    fn chat(&self, (folder, name): &(String, String), text: &str, files: &[InboxFile]) -> Inbound {
        Inbound::Chat(Chat {
            channel: CHANNEL.to_owned(),
            sender: folder.clone(),
            sender_name: Some(name.clone()),
            about: None,
            text: text.to_owned(),
            sent_at: self.base.now(),
            reply_to: None,
            files: files.to_vec(),
        })
    }

    /// Puts files into their place in the session, if there are some, under a number of its own.
    async fn put_files(
        &self,
        session: SessionId,
        files: &[OutboundFile],
    ) -> Result<(Option<i64>, Vec<InboxFile>), Failure> {
        if files.is_empty() {
            return Ok((None, Vec::new()));
        }
        let said = self.journal.said(session).await;
        let number = self.base.store.reserve(session, said).await?;
        let _in_hand = self.base.hold(session, number);
        let seq = Seq::new(number).ok_or("the session has no numbers left")?;
        let attachments = files.iter().map(attachment).collect::<Vec<_>>();
        let (side, owner) = (self.base.files(session), self.base.sandbox_owner);
        let stored = blocking(move || side.store_files(seq, &attachments, owner)).await??;
        Ok((Some(number), stored))
    }

    async fn message(
        &self,
        place: &Place,
        reserved: Option<i64>,
        said: &Inbound,
        key: PartKey,
    ) -> Result<NewMessage, Failure> {
        let now = self.base.now();
        let body = Body::of(said)?;
        let word = format!("{HOST_WORD}agent {} {}", key.outbound, key.part);
        Ok(NewMessage {
            id: mint!(self.base, MessageId),
            session: place.session,
            reserved,
            said: match reserved {
                Some(_) => 0,
                None => self.journal.said(place.session).await,
            },
            conversation: None,
            address: place.address.clone(),
            key: Key::Word(PlatformMessageId::parse(&word)?),
            sender: None,
            role: MessageRole::Due(now),
            created_at: now,
            body: ingest::Body {
                kind: body.kind,
                version: body.version,
                payload: body.payload,
                fresh_only: None,
            },
        })
    }
}

#[async_trait]
impl ChannelAdapter for Agents {
    fn caps(&self) -> &ChannelCaps {
        &CAPS
    }

    async fn probe(&self) -> Result<BotIdentity, ChannelError> {
        let bad = |source| ChannelError::Transient {
            doing: "naming the channel",
            source: Box::new(source),
        };
        Ok(BotIdentity {
            handle: Handle::parse(CHANNEL).map_err(bad)?,
            name: None,
            sees: Vec::new(),
        })
    }

    async fn run(&self, cx: ChannelContext) -> Result<(), ChannelError> {
        // Nothing comes in over it: who says something here says it to `send`.
        cx.shutdown.cancelled().await;
        Ok(())
    }

    async fn send(
        &self,
        to: &Address,
        op: &OutboundOp,
        key: PartKey,
    ) -> Result<Sent, ChannelError> {
        let OutboundOp::Post {
            text, files, voice, ..
        } = op
        else {
            let reason = "to an agent nothing goes but messages".to_owned();
            return Err(ChannelError::Permanent { reason });
        };
        match Box::pin(self.say(to, (text, files, *voice), key)).await {
            Ok(Ok(())) => Ok(Sent { message_id: None }),
            Ok(Err(reason)) => Err(ChannelError::Permanent { reason }),
            Err(source) => Err(ChannelError::Transient {
                doing: "telling an agent",
                source,
            }),
        }
    }

    async fn open_direct(&self, _person: &Handle) -> Result<ChatId, ChannelError> {
        let reason = "no person is on this channel".to_owned();
        Err(ChannelError::Permanent { reason })
    }
}

fn attachment(file: &OutboundFile) -> Attachment {
    Attachment {
        name: file.name.clone(),
        media_type: None,
        content: file.content.clone(),
    }
}
