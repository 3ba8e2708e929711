//! The adapter: what receiving and sending share.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anchorhold_channel::{
    BotIdentity, ChannelAdapter, ChannelCaps, ChannelContext, ChannelError, FactoryContext,
    FilesOut, HealthReporter, Markup, PartKey, Questions, Reader, Sent, Support, Talk, TextLimit,
};
use anchorhold_channel_kit::http::{Http, harmless};
use anchorhold_core::{
    address::Address,
    clock::{Clock, Entropy},
    ids::{ChannelName, ChatId, Handle},
    outbound::OutboundOp,
};
use async_trait::async_trait;
use camino::Utf8PathBuf;
use matrix_sdk::{
    Client, RoomState,
    ruma::{RoomId, UserId, events::GlobalAccountDataEventType},
};
use serde_json::Value;
use tokio::{
    sync::{RwLock, RwLockReadGuard, watch},
    time,
};

use crate::{
    config::Settings,
    failure::{self, refused, transient},
    kept::Moves,
    reactions::Reactions,
    session::Door,
    stream,
    sync::{self, Batch},
    verify,
};

/// The longest text of one message. An event has 65,536 bytes, in which the words stand twice, with
/// and without markup, and which encryption makes a third longer:
/// <https://spec.matrix.org/latest/client-server-api/#size-limits>.
pub(crate) const TEXT: TextLimit = TextLimit::Bytes(12_000);
/// The largest file that servers take where nobody has set another limit.
const FILE_LIMIT_BYTES: u64 = 50 * 1024 * 1024;
/// How long a send waits for the first answer of the server, without which no room is known.
const FIRST_SYNC_LIMIT: Duration = Duration::from_secs(20);

const CAPS: ChannelCaps = ChannelCaps {
    text: TEXT,
    markup: Markup::Rendered,
    threads: Support::Yes,
    edits: Support::Yes,
    deletes: Support::Yes,
    reactions: Support::Yes,
    typing: Support::Yes,
    questions: Questions::Text,
    opens_directs: Support::Yes,
    files: FilesOut::UpTo {
        text: TEXT,
        count: 1,
        each_bytes: FILE_LIMIT_BYTES,
        total_bytes: FILE_LIMIT_BYTES,
    },
    dedupes_by_key: Support::Yes,
    reader: Reader::ScrollsBack,
};

/// One account.
pub struct MatrixAdapter {
    pub(crate) name: ChannelName,
    pub(crate) clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    pub(crate) http: Http,
    pub(crate) settings: Settings,
    folder: Utf8PathBuf,
    /// The SDK's client, once it is logged in. Sends hold it for as long as they take, so that there is
    /// never a second one with the same keys.
    client: RwLock<Option<Client>>,
    /// Are the rooms known?
    synced: watch::Sender<bool>,
    /// One direct chat is opened at a time.
    opening: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

/// What is known by now. Never locked across an await.
#[derive(Default)]
struct State {
    me: Option<String>,
    moves: Moves,
    reactions: Reactions,
    health: Option<HealthReporter>,
    /// What was received and not yet taken on as a whole.
    batch: Option<Arc<Batch>>,
    /// Has a request been made whose answer nobody has seen? Then the client may know of an answer that
    /// it would not give again.
    asking: bool,
    /// How far this client has come.
    since: Option<String>,
}

impl std::fmt::Debug for MatrixAdapter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MatrixAdapter")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl MatrixAdapter {
    /// The adapter of one account; nothing is asked of the network yet.
    pub(crate) fn new(cx: &FactoryContext, settings: Settings) -> Result<Self, ChannelError> {
        Ok(Self {
            name: cx.name.clone(),
            clock: Arc::clone(&cx.clock),
            entropy: Arc::clone(&cx.entropy),
            http: Http::new(settings.proxy.as_deref())?,
            folder: cx.data_dir.join("matrix").join(cx.name.as_str()),
            settings,
            client: RwLock::default(),
            synced: watch::Sender::new(false),
            opening: tokio::sync::Mutex::default(),
            state: Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn door(&self) -> Door<'_> {
        Door {
            http: &self.http,
            settings: &self.settings,
            folder: &self.folder,
            clock: self.clock.as_ref(),
            entropy: self.entropy.as_ref(),
        }
    }

    /// An address on the homeserver.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.settings.homeserver)
    }

    /// The client of this run. One that may have lost an answer is replaced, once no send uses it.
    pub(crate) async fn enter(&self) -> Result<Client, ChannelError> {
        let mut client = self.client.write().await;
        if self.state().asking {
            *client = None;
            self.synced.send_replace(false);
            let mut state = self.state();
            (state.since, state.batch, state.asking) = (None, None, false);
        }
        if let Some(client) = client.as_ref() {
            return Ok(client.clone());
        }
        let entered = Box::pin(self.door().enter()).await?;
        self.state().me = entered.user_id().map(ToString::to_string);
        Ok(client.insert(entered).clone())
    }

    /// The bot's own id, once it is logged in.
    pub(crate) fn me_known(&self) -> Option<String> {
        self.state().me.clone()
    }

    /// Are the rooms known?
    pub(crate) fn is_synced(&self) -> bool {
        *self.synced.borrow()
    }

    /// How far this client has come.
    pub(crate) fn since(&self) -> Option<String> {
        self.state().since.clone()
    }

    /// What was received and not yet taken on as a whole.
    pub(crate) fn batch(&self) -> Option<Arc<Batch>> {
        self.state().batch.clone()
    }

    /// Notes that an answer is waited for.
    pub(crate) fn asks(&self) {
        self.state().asking = true;
    }

    /// Is an answer waited for, or lost?
    pub(crate) fn is_asking(&self) -> bool {
        self.state().asking
    }

    /// Notes that there is none, and the client knows of none.
    pub(crate) fn not_answered(&self) {
        self.state().asking = false;
    }

    /// Keeps an answer until all of it is taken on.
    pub(crate) fn answered(&self, batch: Batch) -> Arc<Batch> {
        let batch = Arc::new(batch);
        let mut state = self.state();
        state.asking = false;
        state.batch = Some(Arc::clone(&batch));
        drop(state);
        self.synced.send_replace(true);
        batch
    }

    /// Notes that all of an answer is taken on.
    pub(crate) fn has_taken(&self, batch: &Batch) {
        let mut state = self.state();
        state.batch = None;
        state.since = Some(batch.response.next_batch.clone());
    }

    /// Runs `with` on what is known of rooms that have moved.
    pub(crate) fn moves<T>(&self, with: impl FnOnce(&mut Moves) -> T) -> T {
        with(&mut self.state().moves)
    }

    /// Runs `with` on the reactions of late.
    pub(crate) fn reactions<T>(&self, with: impl FnOnce(&mut Reactions) -> T) -> T {
        with(&mut self.state().reactions)
    }

    /// A client that knows its rooms, for as long as it is held.
    async fn known(
        &self,
        doing: &'static str,
    ) -> Result<RwLockReadGuard<'_, Client>, ChannelError> {
        let mut synced = self.synced.subscribe();
        let waiting = time::timeout(FIRST_SYNC_LIMIT, synced.wait_for(|synced| *synced));
        let is_late = waiting.await.is_err();
        if is_late {
            return Err(transient(doing, "the server has not answered yet"));
        }
        let client = self.client.read().await;
        RwLockReadGuard::try_map(client, Option::as_ref)
            .map_err(|_none| transient(doing, "the bot is not logged in yet"))
    }

    async fn direct(&self, client: &Client, person: &UserId) -> Result<ChatId, ChannelError> {
        const DOING: &str = "opening a direct chat";
        let _one = self.opening.lock().await;
        let known = directs(client, person).await;
        let known = known.map_err(|error| harmless(failure::of(DOING, error)))?;
        let room = if let Some(room) = known.first() {
            self.moves(|moves| moves.first(room).to_owned())
        } else {
            let request = stream::direct_room(person, self.settings.encrypts);
            let room = Box::pin(client.create_room(request)).await;
            let room = room.map_err(|error| failure::of(DOING, error))?;
            room.room_id().to_string()
        };
        ChatId::parse(&room).map_err(|error| refused(&error.to_string()))
    }
}

/// The rooms that the account has with a person alone, and is in: as the server has them, since what
/// was opened a moment ago has not come with the stream yet.
async fn directs(client: &Client, person: &UserId) -> Result<Vec<String>, matrix_sdk::Error> {
    let account = client.account();
    let fetching = account.fetch_account_data(GlobalAccountDataEventType::Direct);
    let content = Box::pin(fetching).await?;
    let content = content.and_then(|content| {
        // silent: what can't be read names no rooms
        serde_json::from_str::<Value>(content.json().get()).ok()
    });
    let content = content.unwrap_or_default();
    let rooms = &content[person.as_str()];
    let is_there = |room: &str| {
        let room = RoomId::parse(room)
            .ok()
            .and_then(|room| client.get_room(&room));
        room.is_some_and(|room| room.state() == RoomState::Joined)
    };
    let rooms = rooms
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    let mut rooms: Vec<String> = rooms
        .filter(|room| is_there(room))
        .map(str::to_owned)
        .collect();
    rooms.sort_unstable();
    Ok(rooms)
}

#[async_trait]
impl ChannelAdapter for MatrixAdapter {
    fn caps(&self) -> &ChannelCaps {
        &CAPS
    }

    async fn probe(&self) -> Result<BotIdentity, ChannelError> {
        let who = Box::pin(self.door().knock()).await?;
        let handle = Handle::parse(&who.user_id);
        let mut sees = vec![self.settings.inviters.words()];
        sees.push(match self.settings.recovery_key {
            Some(_) => "It has a recovery key for the account's encryption.".to_owned(),
            None => {
                "It has no recovery key: if somebody has set the account's encryption up elsewhere, \
                 people see its device as not verified."
                    .to_owned()
            }
        });
        Ok(BotIdentity {
            handle: handle.map_err(|error| refused(&error.to_string()))?,
            name: None,
            sees,
        })
    }

    async fn run(&self, cx: ChannelContext) -> Result<(), ChannelError> {
        self.state().health = Some(cx.health.clone());
        tokio::select! {
            ended = Box::pin(sync::run(self, &cx)) => ended,
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
            return Err(refused("the address is not on this channel"));
        }
        let client = self.known("sending").await?;
        let sent = Box::pin(self.carry_out(&client, to, (op, key))).await?;
        let health = self.state().health.clone();
        if let Some(health) = health {
            health.outbound();
        }
        Ok(sent)
    }

    /// The room that `m.direct` names for the person, or a new one to which they are invited.
    async fn open_direct(&self, person: &Handle) -> Result<ChatId, ChannelError> {
        let person = UserId::parse(person.as_str());
        let person = person.map_err(|_no_id| refused("only people have direct chats"))?;
        let client = self.known("opening a direct chat").await?;
        Box::pin(self.direct(&client, &person)).await
    }

    /// By emoji, begun by the person in their client.
    async fn verify(&self, operator: &dyn Talk) -> Result<(), ChannelError> {
        let client = self.enter().await?;
        Box::pin(verify::verify(&client, operator)).await
    }
}
