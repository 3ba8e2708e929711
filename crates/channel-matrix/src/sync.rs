//! The stream of what happens: <https://spec.matrix.org/latest/client-server-api/#syncing>.
//!
//! The server tells again what comes after a place in it. So the place moves only past what the host has
//! accepted. The SDK keeps a place of its own, and gives nothing of an answer twice that leads to the
//! same place: so an answer is kept until all of it is taken on, and where one may have got lost there
//! is another client.

use std::{sync::Arc, time::Duration};

use anchorhold_channel::{ChannelContext, ChannelError, IntakeError};
use anchorhold_channel_kit::http::harmless;
use anchorhold_core::{
    address::Address,
    ids::{ChatId, PlatformMessageId},
};
use matrix_sdk::{
    Client, Error, Room,
    config::{SyncSettings, SyncToken},
    deserialized_responses::{TimelineEvent, TimelineEventKind},
    room::MessagesOptions,
    ruma::{EventId, RoomId},
    sync::{JoinedRoomUpdate, SyncResponse},
};
use serde_json::Value;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::{
    adapter::MatrixAdapter,
    failure,
    invites::{self, Invitation},
    kept::{Kept, Locked},
    receive::{Later, value},
    stream::{TIMELINE_LIMIT, entrance, filter},
};

/// So many such answers of one room are asked for at most.
const PAGES_LIMIT: usize = 100;
/// How often an invitation is tried before it is left alone until the next start.
const INVITATION_TRIES: u32 = 5;

/// One answer of the server.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The place that it was asked from.
    before: Option<String>,
    pub(crate) response: SyncResponse,
}

struct Syncing<'a> {
    adapter: &'a MatrixAdapter,
    cx: &'a ChannelContext,
    client: Client,
    me: String,
    kept: Kept,
    written: Kept,
    /// Was there an answer in this run?
    answered: bool,
    failed: u32,
}

/// Receives until something ends it for good.
pub(crate) async fn run(adapter: &MatrixAdapter, cx: &ChannelContext) -> Result<(), ChannelError> {
    let client = adapter.enter().await.map_err(harmless)?;
    let me = adapter.me_known().unwrap_or_default();
    let mut kept = Kept::read(cx).await;
    let written = kept.clone();
    if let Some(since) = adapter.since() {
        kept.since = Some(since);
    }
    adapter.moves(|moves| moves.clone_from(&kept.moves));
    let mut syncing = Syncing {
        adapter,
        cx,
        client,
        me,
        kept,
        written,
        answered: false,
        failed: 0,
    };
    let mut is_recovered = false;
    loop {
        syncing.once().await?;
        syncing.write().await;
        if !is_recovered {
            is_recovered = true;
            Box::pin(syncing.recover()).await;
        }
    }
}

impl Syncing<'_> {
    /// One answer, and all that came with it.
    async fn once(&mut self) -> Result<(), ChannelError> {
        let batch = match self.adapter.batch() {
            Some(batch) => batch,
            None => match self.ask().await {
                Ok(batch) => batch,
                Err(error) => return self.pause_after(error).await,
            },
        };
        self.answered = true;
        self.failed = 0;
        self.cx.health.connected();
        self.cx.health.inbound();
        self.take_all(&batch).await?;
        self.kept.since = Some(batch.response.next_batch.clone());
        self.kept.moves = self.adapter.moves(|moves| moves.clone());
        self.adapter.has_taken(&batch);
        Ok(())
    }

    async fn ask(&mut self) -> Result<Arc<Batch>, ChannelError> {
        const DOING: &str = "receiving";
        // After a failure an answer is wanted soon: it shows that the connection is back.
        let at_once = !self.answered || self.failed > 0;
        let wait = if at_once {
            Duration::ZERO
        } else {
            self.adapter.settings.waits.poll
        };
        let before = self.kept.since.clone();
        let token = match &before {
            Some(token) => SyncToken::Specific(token.clone()),
            None => SyncToken::NoToken,
        };
        let settings = SyncSettings::new()
            .timeout(wait)
            .token(token)
            .filter(filter()?)
            // What is known of rooms is in memory alone.
            .full_state(!self.adapter.is_synced());
        let asked_at = self.adapter.clock.mono();
        self.adapter.asks();
        let answer = Box::pin(self.client.sync_once(settings)).await;
        let response = match answer {
            Ok(response) => response,
            Err(error) => {
                if matches!(error, Error::Http(_)) {
                    self.adapter.not_answered();
                }
                return Err(harmless(failure::of(DOING, error)));
            }
        };
        let is_same = before.as_deref() == Some(response.next_batch.as_str());
        let took = self
            .adapter
            .clock
            .mono()
            .saturating_duration_since(asked_at);
        if is_same && !at_once && took < Duration::from_secs(1) {
            // A server that does not wait is not asked without pause.
            sleep(self.adapter.settings.waits.pace.first).await;
        }
        Ok(self.adapter.answered(Batch { before, response }))
    }

    async fn take_all(&mut self, batch: &Batch) -> Result<(), ChannelError> {
        for (room, update) in &batch.response.rooms.invited {
            let state: Vec<Value> = update
                .invite_state
                .events
                .iter()
                .filter_map(|event| serde_json::from_str(event.json().get()).ok())
                .collect();
            self.invited(room, &state).await;
        }
        for (room, update) in &batch.response.rooms.joined {
            if let Some(room) = self.client.get_room(room) {
                self.take_room(&room, update, batch.before.as_deref())
                    .await?;
            }
        }
        let is_due = self
            .kept
            .locked
            .iter()
            .any(|locked| self.is_overdue(locked));
        if is_due || !batch.response.to_device.is_empty() {
            self.unlock().await?;
        }
        Ok(())
    }

    async fn invited(&self, room: &RoomId, state: &[Value]) {
        for failed in 1..=INVITATION_TRIES {
            let invitation = Invitation::find(state, &self.me);
            let inviters = &self.adapter.settings.inviters;
            let joined = invites::consider(&self.client, inviters, room, invitation);
            match Box::pin(joined).await {
                Ok(()) => return,
                Err(error) => warn!(%error, %room, failed, "an invitation can't be accepted"),
            }
            let pace = self.adapter.settings.waits.pace;
            sleep(pace.pause(failed).unwrap_or(pace.longest)).await;
        }
    }

    async fn take_room(
        &mut self,
        room: &Room,
        update: &JoinedRoomUpdate,
        before: Option<&str>,
    ) -> Result<(), ChannelError> {
        let events: Vec<(Value, &TimelineEvent)> = update
            .timeline
            .events
            .iter()
            .filter_map(|event| Some((value(event)?, event)))
            .collect();
        let values: Vec<Value> = events.iter().map(|(value, _)| value.clone()).collect();
        let entrance = entrance(&values, &self.me);
        if entrance.is_some() {
            self.note_move(room);
        }
        let Some(before) = before else {
            // What was said before the bot was on for the first time was not said to it.
            return Ok(());
        };
        if entrance.is_none() && update.timeline.limited {
            let missed = self.missed(room, update.timeline.prev_batch.clone(), before);
            let missed = missed.await?;
            let missed = missed
                .iter()
                .filter_map(|event| Some((value(event)?, event)));
            self.take_events(room, missed).await?;
        }
        let from = entrance.unwrap_or_default();
        Box::pin(self.take_events(room, events.into_iter().skip(from))).await?;
        self.follow(room, &values).await;
        Ok(())
    }

    async fn take_events<'e>(
        &mut self,
        room: &Room,
        events: impl Iterator<Item = (Value, &'e TimelineEvent)>,
    ) -> Result<(), ChannelError> {
        for (value, event) in events {
            match &event.kind {
                TimelineEventKind::UnableToDecrypt { .. } => self.lock(room, &value).await,
                TimelineEventKind::Decrypted(_) | TimelineEventKind::PlainText { .. } => {
                    self.take(room, &value).await?;
                }
            }
        }
        Ok(())
    }

    async fn take(&self, room: &Room, event: &Value) -> Result<(), ChannelError> {
        let pace = self.adapter.settings.waits.pace;
        for failed in 0_u32.. {
            let place = (room, self.me.as_str());
            let taken = Box::pin(self.adapter.take(self.cx, place, event, failed)).await;
            match taken {
                Ok(()) => break,
                // The token of this run is about to fire.
                Err(Later::Host(IntakeError::Stopping)) => std::future::pending::<()>().await,
                Err(Later::Platform(error @ ChannelError::Unauthorized { .. })) => {
                    return Err(error);
                }
                Err(later) => {
                    warn!(error = %later, "an event is not taken yet");
                    sleep(pace.pause(failed.saturating_add(1)).unwrap_or(pace.longest)).await;
                }
            }
        }
        Ok(())
    }

    /// What was said between a place and the events that came with an answer, oldest first.
    async fn missed(
        &mut self,
        room: &Room,
        mut from: Option<String>,
        to: &str,
    ) -> Result<Vec<TimelineEvent>, ChannelError> {
        let mut missed = Vec::new();
        let pace = self.adapter.settings.waits.pace;
        let mut failed = 0;
        for _page in 0..PAGES_LIMIT {
            let Some(at) = from.clone() else { break };
            let mut options = MessagesOptions::backward().from(at.as_str());
            options.to = Some(to.to_owned());
            options.limit = TIMELINE_LIMIT.into();
            match Box::pin(room.messages(options)).await {
                Ok(page) => {
                    from = page.end.filter(|end| *end != at && end != to);
                    missed.extend(page.chunk);
                }
                Err(error) => {
                    let error = harmless(failure::of("asking what was missed", error));
                    failed += 1;
                    let Some(pause) = pace.pause(failed) else {
                        return Err(error);
                    };
                    warn!(%error, failed, "what was missed can't be had yet");
                    sleep(pause).await;
                }
            }
        }
        if from.is_some() {
            warn!(room = %room.room_id(), "more was missed than is asked for, the oldest is left out");
        }
        missed.reverse();
        Ok(missed)
    }

    /// A room that was replaced goes on in the one that replaced it.
    fn note_move(&self, room: &Room) {
        let Some(predecessor) = room.predecessor_room() else {
            return;
        };
        let before = self.client.get_room(&predecessor.room_id);
        let successor = before.and_then(|before| before.successor_room());
        if successor.is_some_and(|successor| successor.room_id == *room.room_id()) {
            let (before, now) = (predecessor.room_id.as_str(), room.room_id().as_str());
            self.adapter.moves(|moves| moves.note(before, now));
            info!(
                before,
                now, "a room was replaced and goes on in another one"
            );
        }
    }

    /// Follows people to a room that replaces theirs.
    async fn follow(&self, room: &Room, events: &[Value]) {
        let replaced = events
            .iter()
            .any(|event| event["type"] == "m.room.tombstone");
        let Some(successor) = room.successor_room().filter(|_| replaced) else {
            return;
        };
        let joined = Box::pin(self.client.join_room_by_id(&successor.room_id)).await;
        if let Err(error) = joined {
            let error = failure::of("following to another room", error);
            warn!(%error, room = %room.room_id(), "a room was replaced by one that can't be entered");
        }
    }

    /// Keeps in mind a message that can't be decrypted yet.
    async fn lock(&mut self, room: &Room, event: &Value) {
        let (Some(id), Some(sender)) = (event["event_id"].as_str(), event["sender"].as_str())
        else {
            return;
        };
        if sender == self.me {
            return;
        }
        warn!(room = %room.room_id(), event = id, "a message can't be decrypted yet");
        let too_much = self.kept.lock(Locked {
            room: room.room_id().to_string(),
            event: id.to_owned(),
            since: self.adapter.clock.now(),
        });
        if let Some(locked) = too_much {
            self.give_up(&locked).await;
        }
    }

    fn is_overdue(&self, locked: &Locked) -> bool {
        let waited = self.adapter.clock.now().duration_since(locked.since);
        let limit = self.adapter.settings.waits.key;
        Duration::try_from(waited).is_ok_and(|waited| waited > limit)
    }

    /// Tries again what could not be decrypted; whose key does not come is told.
    async fn unlock(&mut self) -> Result<(), ChannelError> {
        for locked in self.kept.locked.clone() {
            let is_done = match self.find(&locked).await {
                Some((room, event)) => {
                    self.take(&room, &event).await?;
                    true
                }
                None if self.is_overdue(&locked) => {
                    self.give_up(&locked).await;
                    true
                }
                None => false,
            };
            if is_done {
                self.kept.locked.retain(|known| *known != locked);
            }
        }
        Ok(())
    }

    /// A message that can be decrypted by now.
    async fn find(&self, locked: &Locked) -> Option<(Room, Value)> {
        // silent: what is not found is looked for again, and told in the end
        let room = self.client.get_room(&RoomId::parse(&locked.room).ok()?)?;
        let event = EventId::parse(&locked.event).ok()?;
        let event = Box::pin(room.event(&event, None)).await.ok()?;
        match &event.kind {
            TimelineEventKind::UnableToDecrypt { .. } => None,
            TimelineEventKind::Decrypted(_) | TimelineEventKind::PlainText { .. } => {
                Some((room, value(&event)?))
            }
        }
    }

    async fn give_up(&self, locked: &Locked) {
        let told = async {
            let room = RoomId::parse(&locked.room).ok()?;
            let room = self.client.get_room(&room)?;
            let chat = self
                .adapter
                .moves(|moves| moves.first(&locked.room).to_owned());
            let address = Address {
                channel: self.adapter.name.clone(),
                chat: ChatId::parse(&chat).ok()?,
                thread: None,
            };
            let about = PlatformMessageId::parse(&locked.event).ok()?;
            let text = "This message could not be read: its key did not come. Please say it again.";
            let told = self.adapter.tell(&room, &address, text, Some(&about)).await;
            told.ok()
        };
        if Box::pin(told).await.is_none() {
            warn!(
                room = locked.room,
                "nobody could be told that a message can't be read"
            );
        }
    }

    /// Opens the account's secrets, so that people see the bot's device as its owner's.
    async fn recover(&self) {
        let Some(key) = &self.adapter.settings.recovery_key else {
            return;
        };
        let encryption = self.client.encryption();
        let status = encryption.cross_signing_status().await;
        if status.is_some_and(|status| status.is_complete()) {
            return;
        }
        match Box::pin(encryption.recovery().recover(key.expose())).await {
            Ok(()) => info!("the account's secrets are open"),
            // Its words are left out: what was read is secret.
            Err(_error) => warn!("the recovery key does not open the account's secrets"),
        }
    }

    /// Waits before the next try; too many failures in a row are a lost connection.
    async fn pause_after(&mut self, error: ChannelError) -> Result<(), ChannelError> {
        if !matches!(error, ChannelError::Transient { .. }) || self.has_lost_an_answer() {
            return Err(error);
        }
        self.failed += 1;
        let Some(pause) = self.adapter.settings.waits.pace.pause(self.failed) else {
            return Err(error);
        };
        warn!(%error, failed = self.failed, "the server did not answer");
        self.cx.health.reconnecting(&error.to_string());
        sleep(pause).await;
        Ok(())
    }

    /// Then only another client is told all of it again.
    fn has_lost_an_answer(&self) -> bool {
        self.adapter.is_asking()
    }

    /// Writes down how far it came, where that has changed.
    async fn write(&mut self) {
        if self.kept != self.written && self.kept.write(self.cx).await {
            self.written = self.kept.clone();
        }
    }
}
