//! The adapter: what receiving and sending share.

use std::{
    collections::HashMap,
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
    ids::{ChannelName, ChatId, Handle, IdError, PlatformMessageId},
    outbound::{OPTIONS_LIMIT, OutboundOp},
};
use async_trait::async_trait;
use jiff::Timestamp;

use crate::{
    api::{Api, Params},
    config::{Settings, Waits, Way},
    ledger::Ledger,
    marks::Marks,
    names::Names,
    place::Place,
    recent::Recent,
    socket, webhook,
    wire::{ChannelInfo, Me},
};

/// The longest text of one message, in characters: as much as a block holds
/// (<https://docs.slack.dev/reference/block-kit/blocks/section-block>), which leaves room for the markup
/// in the 4,000 that Slack shows as one.
const TEXT: TextLimit = TextLimit::Chars(3_000);
/// The largest file: <https://slack.com/help/articles/201330736>.
const FILE_LIMIT_BYTES: u64 = 1_000_000_000;

/// So many messages are remembered.
const MESSAGES_LIMIT: usize = 2_000;

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
        text: TEXT,
        count: 10,
        each_bytes: FILE_LIMIT_BYTES,
        total_bytes: FILE_LIMIT_BYTES,
    },
    // A post is found again by the key in its metadata.
    dedupes_by_key: Support::Yes,
    reader: Reader::ScrollsBack,
};

/// What the app has to be allowed, and what it is for:
/// <https://docs.slack.dev/reference/scopes>.
pub(crate) const SCOPES: &[(&str, &str)] = &[
    ("app_mentions:read", "hear who mentions it"),
    ("assistant:write", "show that an answer is being made"),
    (
        "channels:history",
        "hear what is said in channels that it is in",
    ),
    ("channels:read", "know what channels are called"),
    ("chat:write", "say anything"),
    ("files:read", "get files"),
    ("files:write", "send files"),
    (
        "groups:history",
        "hear what is said in private channels that it is in",
    ),
    ("groups:read", "know what private channels are called"),
    ("im:history", "hear direct messages"),
    ("im:read", "know direct messages"),
    ("im:write", "write to people first"),
    ("mpim:history", "hear group direct messages"),
    ("reactions:read", "see reactions"),
    ("reactions:write", "react"),
    ("users:read", "know what people are called"),
];

/// One app in one workspace.
pub struct SlackAdapter {
    pub(crate) name: ChannelName,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) api: Api,
    pub(crate) waits: Waits,
    /// Since when this process can have sent anything.
    pub(crate) built: Timestamp,
    way: Way,
    state: Mutex<State>,
}

/// What is known by now. Never locked across an await.
#[derive(Debug)]
struct State {
    me: Option<Me>,
    names: Names,
    ledger: Ledger,
    limits: HashMap<&'static str, Limits<String>>,
    /// The threads of messages, by chat and time stamp.
    threads: Recent<(String, String), Option<String>>,
    marks: Marks,
    /// What the host has taken: a message and the mention in it are the same.
    taken: Recent<(String, PlatformMessageId), ()>,
    health: Option<HealthReporter>,
    /// Where it is called, while it is.
    listening: Option<SocketAddr>,
}

impl std::fmt::Debug for SlackAdapter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SlackAdapter")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl SlackAdapter {
    /// The adapter of one app; nothing is asked of the network yet.
    pub(crate) fn new(cx: &FactoryContext, settings: Settings) -> Result<Self, ChannelError> {
        Ok(Self {
            name: cx.name.clone(),
            clock: Arc::clone(&cx.clock),
            api: Api::new(&settings)?,
            waits: settings.waits,
            built: cx.clock.now(),
            way: settings.way,
            state: Mutex::new(State {
                me: None,
                names: Names::default(),
                ledger: Ledger::default(),
                limits: HashMap::new(),
                threads: Recent::new(MESSAGES_LIMIT),
                marks: Marks::default(),
                taken: Recent::new(MESSAGES_LIMIT),
                health: None,
                listening: None,
            }),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who the app is, asked once.
    pub(crate) async fn me(&self) -> Result<Me, ChannelError> {
        let known = self.state().me.clone();
        if let Some(me) = known {
            return Ok(me);
        }
        let (me, _scopes) = self.api.who().await?;
        self.state().me = Some(me.clone());
        Ok(me)
    }

    /// Where this run is called.
    pub(crate) fn listens(&self, at: Option<SocketAddr>) {
        self.state().listening = at;
    }

    /// Where it is called now, if it is.
    pub fn listening(&self) -> Option<SocketAddr> {
        self.state().listening
    }

    /// Runs `with` on the names that are known.
    pub(crate) fn names<T>(&self, with: impl FnOnce(&mut Names) -> T) -> T {
        with(&mut self.state().names)
    }

    /// Runs `with` on what was sent.
    pub(crate) fn ledger<T>(&self, with: impl FnOnce(&mut Ledger) -> T) -> T {
        with(&mut self.state().ledger)
    }

    /// Runs `with` on how far each conversation was heard.
    pub(crate) fn marks<T>(&self, with: impl FnOnce(&mut Marks) -> T) -> T {
        with(&mut self.state().marks)
    }

    /// Runs `with` on the limits that a method has met.
    pub(crate) fn limits<T>(
        &self,
        method: &'static str,
        with: impl FnOnce(&mut Limits<String>) -> T,
    ) -> T {
        with(self.state().limits.entry(method).or_default())
    }

    /// Notes in which thread a message is.
    pub(crate) fn note_thread(&self, chat: &str, ts: &str, thread: Option<String>) {
        let message = (chat.to_owned(), ts.to_owned());
        self.state().threads.note(message, thread);
    }

    /// The place of a message, if that is known.
    pub(crate) fn known_place(&self, chat: &str, ts: &str) -> Option<Place> {
        let message = (chat.to_owned(), ts.to_owned());
        let thread = self.state().threads.get(&message).cloned()?;
        let (chat, _ts) = message;
        Some(Place { chat, thread })
    }

    /// Notes a message that the host has taken.
    pub(crate) fn note_taken(&self, chat: &str, id: PlatformMessageId) {
        self.state().taken.note((chat.to_owned(), id), ());
    }

    /// Has the host taken it?
    pub(crate) fn has_taken(&self, chat: &str, id: &PlatformMessageId) -> bool {
        let message = (chat.to_owned(), id.clone());
        self.state().taken.get(&message).is_some()
    }
}

#[async_trait]
impl ChannelAdapter for SlackAdapter {
    fn caps(&self) -> &ChannelCaps {
        &CAPS
    }

    async fn probe(&self) -> Result<BotIdentity, ChannelError> {
        let (me, scopes) = self.api.who().await?;
        if let Way::Socket { app_token } = &self.way {
            // An address that nobody goes to is forgotten.
            drop(self.api.open_connection(app_token).await?);
        }
        Ok(BotIdentity {
            handle: Handle::parse(&me.user_id).map_err(|error| permanent(&error))?,
            name: Some(format!("@{}", me.user)),
            sees: sees(&me, scopes.as_deref()),
        })
    }

    async fn run(&self, cx: ChannelContext) -> Result<(), ChannelError> {
        self.state().health = Some(cx.health.clone());
        self.read_marks(&cx).await;
        let ended = tokio::select! {
            ended = async {
                match &self.way {
                    Way::Socket { app_token } => Box::pin(socket::run(self, &cx, app_token)).await,
                    Way::Webhook(hook) => Box::pin(webhook::run(self, &cx, hook)).await,
                }
            } => ended,
            () = cx.shutdown.cancelled() => Ok(()),
        };
        self.write_marks(&cx).await;
        ended
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

    /// Opens the direct messages with a person, or finds them opened:
    /// <https://docs.slack.dev/reference/methods/conversations.open>.
    async fn open_direct(&self, person: &Handle) -> Result<ChatId, ChannelError> {
        let params = Params::new().with("users", person.as_str());
        let opened: ChannelInfo = self.api.asked("conversations.open", &params).await?;
        ChatId::parse(&opened.channel.id).map_err(|error| permanent(&error))
    }
}

/// What the app may see and do, for the operator: each scope that is missing, by name.
fn sees(me: &Me, scopes: Option<&[String]>) -> Vec<String> {
    let mut sees = vec![
        format!("It is in the workspace {}.", me.team),
        "In channels it sees what is said once somebody has invited it there: /invite and its name."
            .to_owned(),
    ];
    let Some(scopes) = scopes else {
        sees.push("Slack does not say which scopes it has.".to_owned());
        return sees;
    };
    let missing = SCOPES
        .iter()
        .filter(|(scope, _)| !scopes.iter().any(|has| has == scope));
    sees.extend(missing.map(|(scope, what)| {
        format!("It lacks the scope {scope}, so it can't {what}: add it and install the app anew.")
    }));
    sees
}

fn permanent(error: &IdError) -> ChannelError {
    let reason = error.to_string();
    ChannelError::Permanent { reason }
}
