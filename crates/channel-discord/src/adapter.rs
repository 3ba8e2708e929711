//! The adapter: what receiving and sending share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anchorhold_channel::{
    BotIdentity, ChannelAdapter, ChannelCaps, ChannelContext, ChannelError, FactoryContext,
    FilesOut, HealthReporter, Markup, PartKey, Questions, Reader, Sent, Support, TextLimit,
};
use anchorhold_core::{
    address::Address,
    clock::Clock,
    ids::{ChannelName, ChatId, Handle, IdError},
    outbound::{OPTIONS_LIMIT, OutboundOp},
};
use async_trait::async_trait;

use crate::{
    api::Api,
    config::{Settings, Waits},
    decode::handle,
    gateway, sent,
    wire::{Application, Snowflake, Starts, User},
};

/// The longest text of one message: <https://discord.com/developers/docs/resources/message>. Whether it
/// counts characters or units of UTF-16 is nowhere said, so it is the smaller of the two.
pub(crate) const TEXT: TextLimit = TextLimit::Utf16(2_000);
/// The largest file that every server takes:
/// <https://discord.com/developers/docs/reference#uploading-files>.
const FILE_LIMIT_BYTES: u64 = 10 * 1024 * 1024;
/// The most files of one message.
const FILES_LIMIT: usize = 10;
/// The names of so many servers are told.
const NAMES_LIMIT: usize = 5;
/// Discord shows for ten seconds that somebody types:
/// <https://discord.com/developers/docs/resources/channel#trigger-typing-indicator>.
const TYPING_LASTS: Duration = Duration::from_secs(8);
/// So many channels are remembered where it was shown.
const TYPING_LIMIT: usize = 1_000;
/// With fewer sessions left to begin, an operator is told.
const FEW_STARTS: u32 = 100;

const CAPS: ChannelCaps = ChannelCaps {
    text: TEXT,
    markup: Markup::Markdown,
    threads: Support::Yes,
    edits: Support::Yes,
    deletes: Support::Yes,
    reactions: Support::Yes,
    typing: Support::Yes,
    questions: Questions::Native {
        max_options: OPTIONS_LIMIT,
    },
    opens_directs: Support::Yes,
    files: FilesOut::UpTo {
        text: TEXT,
        count: FILES_LIMIT,
        each_bytes: FILE_LIMIT_BYTES,
        total_bytes: 2 * FILE_LIMIT_BYTES,
    },
    dedupes_by_key: Support::Yes,
    reader: Reader::ScrollsBack,
};

/// One bot.
pub struct DiscordAdapter {
    pub(crate) name: ChannelName,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) api: Api,
    pub(crate) waits: Waits,
    pub(crate) message_content: bool,
    state: Mutex<State>,
}

/// What is known by now. Never locked across an await.
#[derive(Debug, Default)]
struct State {
    me: Option<User>,
    sent: sent::Sent,
    /// Where it was shown last that the bot types, and when.
    typing: HashMap<Snowflake, Instant>,
    health: Option<HealthReporter>,
}

impl std::fmt::Debug for DiscordAdapter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DiscordAdapter")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl DiscordAdapter {
    /// The adapter of one bot; nothing is asked of the network yet.
    pub(crate) fn new(cx: &FactoryContext, settings: &Settings) -> Result<Self, ChannelError> {
        Ok(Self {
            name: cx.name.clone(),
            clock: Arc::clone(&cx.clock),
            api: Api::new(settings)?,
            waits: settings.waits,
            message_content: settings.message_content,
            state: Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who the bot is, asked once.
    pub(crate) async fn me(&self) -> Result<User, ChannelError> {
        let known = self.state().me.clone();
        match known {
            Some(me) => Ok(me),
            None => self.ask_who().await,
        }
    }

    async fn ask_who(&self) -> Result<User, ChannelError> {
        let me = self.api.me().await?;
        self.state().me = Some(me.clone());
        Ok(me)
    }

    /// Runs `with` on what was sent last.
    pub(crate) fn sent<T>(&self, with: impl FnOnce(&mut sent::Sent) -> T) -> T {
        with(&mut self.state().sent)
    }

    /// Is it still shown in this channel that the bot types? From now on it is.
    pub(crate) fn is_typing(&self, channel: Snowflake) -> bool {
        let now = self.clock.mono();
        let typing = &mut self.state().typing;
        let lasts = |since: &Instant| now.duration_since(*since) < TYPING_LASTS;
        if typing.get(&channel).is_some_and(lasts) {
            return true;
        }
        if typing.len() >= TYPING_LIMIT {
            typing.clear();
        }
        typing.insert(channel, now);
        false
    }

    /// A message of the bot ends what is shown of its typing.
    pub(crate) fn has_typed(&self, channel: Snowflake) {
        self.state().typing.remove(&channel);
    }

    /// What the bot may see and do, for the operator.
    fn sees(&self, application: &Application, starts: Starts, guilds: &[String]) -> Vec<String> {
        let mut sees = vec![match (self.message_content, application.may_read()) {
            (true, true) => {
                "It reads everything that is said where it can see the channel.".to_owned()
            }
            (true, false) => NO_CONTENT.to_owned(),
            (false, _) => "It reads only direct messages, mentions of it and answers to it: \
                           `message_content` is off in the configuration."
                .to_owned(),
        }];
        let names: Vec<&str> = guilds
            .iter()
            .take(NAMES_LIMIT)
            .map(String::as_str)
            .collect();
        let more = if guilds.len() > names.len() {
            " and others"
        } else {
            ""
        };
        sees.push(match guilds.len() {
            0 => "It is in no server: invite it, or it can only be written to directly by people \
                  whom it shares a server with."
                .to_owned(),
            1 => format!("It is in one server: {}.", names.join(", ")),
            count => format!("It is in {count} servers: {}{more}.", names.join(", ")),
        });
        if starts.remaining < FEW_STARTS {
            sees.push(format!(
                "It may connect anew {} times more today, of {}: something restarts it too often.",
                starts.remaining, starts.total
            ));
        }
        sees
    }
}

/// What is wrong where messages come without their texts, and what to do.
pub(crate) const NO_CONTENT: &str = "The Message Content intent is off, so it could not read what is said in servers. Switch it on at \
     https://discord.com/developers/applications, under Bot, Privileged Gateway Intents, or set \
     `message_content = false` to hear only direct messages, mentions and answers.";

#[async_trait]
impl ChannelAdapter for DiscordAdapter {
    fn caps(&self) -> &ChannelCaps {
        &CAPS
    }

    async fn probe(&self) -> Result<BotIdentity, ChannelError> {
        let me = self.ask_who().await?;
        let application = self.api.application().await?;
        let starts = self.api.gateway().await?.session_start_limit;
        let guilds = self.api.guilds().await?;
        Ok(BotIdentity {
            handle: handle(me.id).map_err(|error| permanent(&error))?,
            name: me.name(),
            sees: self.sees(&application, starts, &guilds),
        })
    }

    async fn run(&self, cx: ChannelContext) -> Result<(), ChannelError> {
        self.state().health = Some(cx.health.clone());
        tokio::select! {
            ended = Box::pin(gateway::run(self, &cx)) => ended,
            () = cx.shutdown.cancelled() => Ok(()),
        }
    }

    async fn send(
        &self,
        to: &Address,
        op: &OutboundOp,
        key: PartKey,
    ) -> Result<Sent, ChannelError> {
        if to.channel != self.name {
            let reason = "the address is not on this channel".to_owned();
            return Err(ChannelError::Permanent { reason });
        }
        let sent = Box::pin(self.carry_out(to, op, key)).await?;
        let health = self.state().health.clone();
        if let Some(health) = health {
            health.outbound();
        }
        Ok(sent)
    }

    /// Discord opens the chat with whomever shares a server with the bot. Whether the person takes
    /// messages there shows only when something is sent.
    async fn open_direct(&self, person: &Handle) -> Result<ChatId, ChannelError> {
        let Some(person) = Snowflake::parse(person.as_str()) else {
            let reason = "only people have direct chats".to_owned();
            return Err(ChannelError::Permanent { reason });
        };
        let chat = self.api.direct(person).await?;
        ChatId::parse(&chat.id.to_string()).map_err(|error| permanent(&error))
    }
}

fn permanent(error: &IdError) -> ChannelError {
    let reason = error.to_string();
    ChannelError::Permanent { reason }
}
