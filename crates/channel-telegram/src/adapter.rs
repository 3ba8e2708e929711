//! The adapter: what receiving and sending share.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anchorhold_channel::{
    BotIdentity, ChannelAdapter, ChannelCaps, ChannelContext, ChannelError, FactoryContext,
    FilesOut, HealthReporter, Markup, PartKey, Questions, Reader, Sent, Support, TextLimit,
};
use anchorhold_channel_kit::limits::Limits;
use anchorhold_core::{
    address::Address,
    clock::Clock,
    ids::{ChannelName, ChatId, Handle, IdError},
    outbound::{OPTIONS_LIMIT, OutboundOp},
};
use async_trait::async_trait;

use crate::{
    api::Api,
    config::{Settings, Waits, Webhook},
    moves::Moves,
    poll, webhook,
    wire::User,
};

/// The longest text of one message, in UTF-16 units after its entities were read:
/// <https://core.telegram.org/bots/api#sendmessage>.
pub(crate) const TEXT: TextLimit = TextLimit::Utf16(4096);
/// The same of the text under a file: <https://core.telegram.org/bots/api#sendphoto>.
pub(crate) const CAPTION: TextLimit = TextLimit::Utf16(1024);
/// The largest file a bot can send: <https://core.telegram.org/bots/api#sending-files>.
const FILE_LIMIT_BYTES: u64 = 50 * 1024 * 1024;

/// So many sent messages are remembered.
const SENT_LIMIT: usize = 1_000;

const CAPS: ChannelCaps = ChannelCaps {
    text: TEXT,
    markup: Markup::Rendered,
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
        text: CAPTION,
        count: 1,
        each_bytes: FILE_LIMIT_BYTES,
        total_bytes: FILE_LIMIT_BYTES,
    },
    // There is no key that a second send could be known by.
    dedupes_by_key: Support::No,
    reader: Reader::ScrollsBack,
};

/// One bot.
pub struct TelegramAdapter {
    pub(crate) name: ChannelName,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) api: Api,
    pub(crate) waits: Waits,
    pub(crate) webhook: Option<Webhook>,
    state: Mutex<State>,
}

/// What is known by now. Never locked across an await. Telegram says of a limit only how long it lasts:
/// <https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this>.
#[derive(Debug, Default)]
struct State {
    me: Option<User>,
    moves: Moves,
    limits: Limits<i64>,
    /// What this process has sent last: the chat and the number there.
    sent: VecDeque<(i64, i64)>,
    health: Option<HealthReporter>,
    /// Where it is called, while it is.
    listening: Option<SocketAddr>,
}

impl std::fmt::Debug for TelegramAdapter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TelegramAdapter")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl TelegramAdapter {
    /// The adapter of one bot; nothing is asked of the network yet.
    pub(crate) fn new(cx: &FactoryContext, settings: Settings) -> Result<Self, ChannelError> {
        Ok(Self {
            name: cx.name.clone(),
            clock: Arc::clone(&cx.clock),
            api: Api::new(&settings)?,
            waits: settings.waits,
            webhook: settings.webhook,
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

    /// Where this run is called.
    pub(crate) fn listens(&self, at: Option<SocketAddr>) {
        self.state().listening = at;
    }

    /// Where it is called now, if it is.
    pub fn listening(&self) -> Option<SocketAddr> {
        self.state().listening
    }

    /// Runs `with` on what is known of chats that have moved.
    pub(crate) fn moves<T>(&self, with: impl FnOnce(&mut Moves) -> T) -> T {
        with(&mut self.state().moves)
    }

    /// Notes a message that was sent.
    pub(crate) fn has_sent(&self, chat: i64, number: i64) {
        let sent = &mut self.state().sent;
        sent.push_back((chat, number));
        if sent.len() > SENT_LIMIT {
            sent.pop_front();
        }
    }

    /// Is this a message that was sent not long ago? Telegram does not say whose a message is that
    /// somebody reacts to.
    pub(crate) fn is_mine(&self, chat: i64, number: i64) -> bool {
        self.state().sent.contains(&(chat, number))
    }

    /// Runs `with` on the limits that were met.
    pub(crate) fn limits<T>(&self, with: impl FnOnce(&mut Limits<i64>) -> T) -> T {
        with(&mut self.state().limits)
    }
}

#[async_trait]
impl ChannelAdapter for TelegramAdapter {
    fn caps(&self) -> &ChannelCaps {
        &CAPS
    }

    async fn probe(&self) -> Result<BotIdentity, ChannelError> {
        let me = self.ask_who().await?;
        Ok(BotIdentity {
            handle: handle(me.id).map_err(|error| permanent(&error))?,
            name: me.username.clone().map(|name| format!("@{name}")),
            sees: sees(&me),
        })
    }

    async fn run(&self, cx: ChannelContext) -> Result<(), ChannelError> {
        self.state().health = Some(cx.health.clone());
        tokio::select! {
            ended = async {
                match &self.webhook {
                    None => Box::pin(poll::run(self, &cx)).await,
                    Some(hook) => Box::pin(webhook::run(self, &cx, hook)).await,
                }
            } => ended,
            () = cx.shutdown.cancelled() => Ok(()),
        }
    }

    async fn send(
        &self,
        to: &Address,
        op: &OutboundOp,
        _key: PartKey,
    ) -> Result<Sent, ChannelError> {
        if to.channel != self.name {
            let reason = "the address is not on this channel".to_owned();
            return Err(ChannelError::Permanent { reason });
        }
        let sent = Box::pin(self.carry_out(to, op)).await?;
        let health = self.state().health.clone();
        if let Some(health) = health {
            health.outbound();
        }
        Ok(sent)
    }

    /// A person's direct chat has the person's id. Telegram lets a bot write there once the person has
    /// started it; whether they did shows only when something is sent.
    async fn open_direct(&self, person: &Handle) -> Result<ChatId, ChannelError> {
        let number = person.as_str().parse::<i64>().ok().filter(|id| *id > 0);
        if number.is_none() {
            let reason = "only people have direct chats".to_owned();
            return Err(ChannelError::Permanent { reason });
        }
        ChatId::parse(person.as_str()).map_err(|error| permanent(&error))
    }
}

impl TelegramAdapter {
    async fn ask_who(&self) -> Result<User, ChannelError> {
        let me = self.api.get_me().await?;
        self.state().me = Some(me.clone());
        Ok(me)
    }
}

/// The id of a person, a bot or a chat that speaks for itself.
pub(crate) fn handle(id: i64) -> Result<Handle, IdError> {
    Handle::parse(&id.to_string())
}

/// What the bot may see and do, for the operator.
fn sees(me: &User) -> Vec<String> {
    let mut sees = vec![
        if me.can_read_all_group_messages {
            "In groups it sees everything that is said.".to_owned()
        } else {
            "In groups it sees only commands, mentions of it and replies to it. To let it see \
             everything, send /setprivacy to @BotFather, choose Disable, and add the bot to its \
             groups anew."
                .to_owned()
        },
        "Reactions in groups reach it only where it is an administrator.".to_owned(),
    ];
    if !me.can_join_groups {
        sees.push("It can't be added to groups: send /setjoingroups to @BotFather.".to_owned());
    }
    sees
}

fn permanent(error: &IdError) -> ChannelError {
    let reason = error.to_string();
    ChannelError::Permanent { reason }
}
