//! What the tests share: a database in a folder of its own, and short ways to fill it.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use anchorhold_core::{
    address::Address,
    entity::{
        AgentGroup, EngageMode, GroupLimits, IgnoredPolicy, ManagedBy, RuntimeChoice, SenderScope,
        SessionKey, SessionMode, UnknownSenderPolicy, Wiring,
    },
    guard::act::Act,
    ids::{
        AgentGroupId, ChannelName, ChatId, ConversationId, FolderName, Handle, MessageId,
        OutboundId, PlatformMessageId, QuestionId, SessionId, ThreadId, UserId, WiringId,
    },
    inbound::ChatKind,
};
use jiff::Timestamp;
use tempfile::TempDir;

use crate::{
    Error, Store,
    approvals::{Choice, NewApproval, Pick},
    conversations::NewConversation,
    deliveries::{Delivery, NewDelivery},
    ingest::{Body, Entered, Entry, EventOutcome, EventRecord, Key, MessageRole, NewMessage},
    people::NewUser,
    pull::PulledDelivery,
    requests_out::{RequestOut, RequestOutcome},
    store::Durability,
};

pub(crate) const LIMITS: GroupLimits = GroupLimits {
    memory_bytes: 1 << 30,
    cpu_millis: 1000,
    pids: 100,
    file_bytes: 1 << 26,
    progress_ms: 60_000,
    turn_ms: 600_000,
    idle_ms: 300_000,
    prompt_messages: 10,
    tries: 5,
};

/// A database that goes away with the value.
pub(crate) struct Place {
    pub(crate) dir: TempDir,
    pub(crate) store: Store,
}

impl Place {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("central.db")).await.unwrap();
        Self { dir, store }
    }

    /// Closes the database and opens it again.
    pub(crate) async fn reopen(self) -> Self {
        self.store.close().await;
        let store = Store::open(&self.dir.path().join("central.db"))
            .await
            .unwrap();
        Self {
            dir: self.dir,
            store,
        }
    }

    /// A group of run time with the folder `g<n>`.
    pub(crate) async fn group(&self, n: u64) -> AgentGroupId {
        let group = group(n);
        self.store.add_group(&group, at(0)).await.unwrap();
        group.id
    }

    pub(crate) async fn conversation(&self, chat: &str) -> ConversationId {
        let fresh = NewConversation {
            id: ConversationId::mint(at(0), bytes(chat)),
            channel: channel(),
            chat: ChatId::parse(chat).unwrap(),
            kind: ChatKind::Group,
            name: None,
            unknown_senders: UnknownSenderPolicy::Strict,
        };
        self.store
            .ensure_conversation(&fresh, at(0))
            .await
            .unwrap()
            .id
    }

    pub(crate) async fn user(&self, handle: &str) -> UserId {
        self.store
            .ensure_user(&user("cli", handle), at(0))
            .await
            .unwrap()
    }

    /// A session of group `n`, which is made if need be, for `chat`.
    pub(crate) async fn session(&self, n: u64, chat: &str) -> SessionId {
        if self.store.group(group(n).id).await.unwrap().is_none() {
            self.group(n).await;
        }
        let key = SessionKey {
            agent_group: group(n).id,
            conversation: Some(self.conversation(chat).await),
            thread: None,
        };
        let fresh = SessionId::mint(at(0), bytes(&format!("{n} {chat}")));
        self.store.session_for(&key, fresh, at(0)).await.unwrap().id
    }

    /// Runs one statement as a person with an editor would.
    pub(crate) async fn sql(&self, sql: &str) -> sqlx::Result<u64> {
        let mut conn = self.store.writer(Durability::Process).await?;
        let done = sqlx::query(sqlx::AssertSqlSafe(sql))
            .execute(&mut *conn)
            .await?;
        Ok(done.rows_affected())
    }

    /// One number from the database.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let mut conn = self.store.reader().await.unwrap();
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .fetch_one(&mut *conn)
            .await
            .unwrap()
    }
}

/// So many milliseconds after some moment in 2026.
pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(1_780_000_000_000 + ms).unwrap()
}

/// Ten bytes that differ as the texts differ.
pub(crate) fn bytes(text: &str) -> [u8; 10] {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    let mut bytes = [0; 10];
    bytes[2..].copy_from_slice(&hash.to_be_bytes());
    bytes
}

pub(crate) fn channel() -> ChannelName {
    ChannelName::parse("cli").unwrap()
}

pub(crate) fn address(chat: &str, thread: Option<&str>) -> Address {
    Address {
        channel: channel(),
        chat: ChatId::parse(chat).unwrap(),
        thread: thread.map(|thread| ThreadId::parse(thread).unwrap()),
    }
}

pub(crate) fn group(n: u64) -> AgentGroup {
    AgentGroup {
        id: AgentGroupId::mint(at(0), bytes(&format!("group {n}"))),
        name: format!("Group {n}"),
        folder: FolderName::parse(&format!("g{n}")).unwrap(),
        provider: "offline".to_owned(),
        model: Some("small".to_owned()),
        runtime: RuntimeChoice::Auto,
        limits: LIMITS,
        managed_by: ManagedBy::Runtime,
    }
}

pub(crate) fn wiring(n: u64, chat: Option<&str>, group: AgentGroupId) -> Wiring {
    Wiring {
        id: WiringId::mint(at(0), bytes(&format!("wiring {n}"))),
        channel: channel(),
        chat: chat.map(|chat| ChatId::parse(chat).unwrap()),
        agent_group: group,
        engage: EngageMode::Pattern,
        pattern: Some(".".to_owned()),
        sender_scope: SenderScope::All,
        ignored: IgnoredPolicy::Drop,
        session_mode: SessionMode::Shared,
        managed_by: ManagedBy::Runtime,
    }
}

pub(crate) fn user(channel: &str, handle: &str) -> NewUser {
    NewUser {
        id: UserId::mint(at(0), bytes(&format!("{channel} {handle}"))),
        channel: ChannelName::parse(channel).unwrap(),
        handle: Handle::parse(handle).unwrap(),
        display_name: None,
    }
}

/// A message that is due at once.
pub(crate) fn message(session: SessionId, seq: i64) -> NewMessage {
    NewMessage {
        id: MessageId::mint(at(seq), bytes(&format!("{session} {seq}"))),
        session,
        reserved: Some(seq),
        said: 0,
        conversation: None,
        address: address("chat", None),
        key: Key::Platform(platform_id(seq)),
        sender: None,
        role: MessageRole::Due(at(seq)),
        created_at: at(seq),
        body: body(&format!("text {seq}")),
    }
}

pub(crate) fn body(text: &str) -> Body {
    Body {
        kind: "chat".to_owned(),
        version: 1,
        payload: format!("\"{text}\""),
        fresh_only: None,
    }
}

impl Store {
    /// Enters an event whose messages have the numbers that they ask for.
    pub(crate) async fn record_event(&self, event: &EventRecord) -> Result<Entered, Error> {
        for message in &event.messages {
            self.set_number(message).await;
        }
        let mut entered = self.enter(&[Entry::Event(event.clone())]).await?;
        Ok(entered.remove(0))
    }

    /// Enters messages with the numbers that they ask for; how many were new.
    pub(crate) async fn put_messages(&self, messages: &[NewMessage]) -> Result<usize, Error> {
        let mut fresh = 0;
        for message in messages {
            self.set_number(message).await;
            let entry = Entry::Messages(vec![message.clone()]);
            for entered in self.enter(&[entry]).await? {
                let Entered::Now(tracked) = entered else {
                    panic!("{entered:?}")
                };
                fresh += tracked.iter().filter(|one| one.fresh).count();
            }
        }
        Ok(fresh)
    }

    async fn set_number(&self, message: &NewMessage) {
        let mut conn = self.writer(Durability::Process).await.unwrap();
        sqlx::query("UPDATE sessions SET in_seq = COALESCE(?2, in_seq) WHERE id = ?1")
            .bind(message.session.to_string())
            .bind(message.reserved)
            .execute(&mut *conn)
            .await
            .unwrap();
    }
}

pub(crate) fn platform_id(n: i64) -> PlatformMessageId {
    PlatformMessageId::parse(&format!("m{n}")).unwrap()
}

pub(crate) fn event(n: i64, messages: Vec<NewMessage>) -> EventRecord {
    EventRecord {
        address: address("chat", None),
        message_id: platform_id(n),
        sender: Handle::parse("ann").unwrap(),
        received_at: at(n),
        outcome: EventOutcome::Stored,
        messages,
        declined: None,
        receipt: Box::default(),
    }
}

pub(crate) fn delivery(name: &str, to: Address) -> NewDelivery {
    NewDelivery {
        id: OutboundId::mint(at(0), bytes(name)),
        address: to,
        in_reply_to: None,
        kind: "post".to_owned(),
        payload: format!("{{\"text\":\"{name}\"}}"),
    }
}

/// The delivery that a lane has to send next.
pub(crate) async fn oldest(store: &Store, lane: &Address) -> Option<Delivery> {
    let queued = store.oldest_deliveries(lane, 1).await.unwrap().pop();
    queued.map(|queued| queued.delivery)
}

pub(crate) fn pulled(seq: i64, to: Address) -> PulledDelivery {
    PulledDelivery {
        seq,
        delivery: delivery(&format!("pulled {seq}"), to),
    }
}

pub(crate) fn approval_id(n: u64) -> QuestionId {
    QuestionId::mint(at(0), bytes(&format!("approval {n}")))
}

/// An approval that expires at 100.
pub(crate) fn asked(n: u64, act: &Act) -> NewApproval<'_> {
    let choice = |label: &str, pick| Choice {
        label: label.to_owned(),
        pick,
    };
    NewApproval {
        id: approval_id(n),
        act,
        title: "May it?".to_owned(),
        options: vec![choice("Yes", Pick::Approve), choice("No", Pick::Reject)],
        conversation: None,
        group: None,
        session: None,
        requested_by: None,
        requesting_group: None,
        expires_at: at(100),
    }
}

pub(crate) fn add_member(n: u64) -> Act {
    Act::AddMember {
        user: UserId::mint(at(0), bytes("ann")),
        group: group(n).id,
    }
}

/// Polls a future so many times and no more, as when its caller goes away.
pub(crate) struct Budget<F> {
    pub(crate) future: Pin<Box<F>>,
    pub(crate) polls: u32,
}

impl<F: Future> Future for Budget<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls == 0 {
            return Poll::Ready(None);
        }
        self.polls -= 1;
        self.future.as_mut().poll(cx).map(Some)
    }
}

/// A request that was refused.
pub(crate) fn request_out(session: SessionId) -> RequestOut {
    RequestOut {
        session,
        at: at(1),
        took: Duration::from_millis(1),
        method: "CONNECT".to_owned(),
        host: "example.org:443".to_owned(),
        path: String::new(),
        turn: None,
        model: None,
        outcome: RequestOutcome::Refused("egress-list"),
        sent_bytes: 0,
        received_bytes: 0,
        tokens: None,
        cost_micros: None,
    }
}
