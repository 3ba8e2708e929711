//! What is to be said, in lanes.
//!
//! A lane is one [`Address`]: a chat, or one thread of it. It is strictly ordered: its oldest
//! unfinished delivery holds the others back, whether it waits for its time, is parked, or has an
//! attempt that nobody has settled. Other lanes go on.

use anchorhold_core::{
    address::Address,
    entity::DeliveryStatus,
    ids::{ChannelName, ChatId, MessageId, OutboundId, PlatformMessageId, SessionId},
};
use jiff::Timestamp;
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use crate::{
    Error, Store,
    rows::{Fields, opt_id, opt_thread, text_enum},
    store::Durability,
};

// A plus beside the number of rows: a bare one has SQLite compile the statement anew each time that it
// is bound, since a plan may depend on it.
pub(crate) const DUE_LANES: &str = "SELECT d.channel, d.chat, d.thread FROM deliveries d
     WHERE d.status = 'pending' AND d.parked = 0 AND d.next_at <= ?1
       AND NOT EXISTS (SELECT 1 FROM deliveries o
           WHERE o.status = 'pending' AND o.channel = d.channel AND o.chat = d.chat
             AND o.thread IS d.thread AND o.position < d.position)
       AND NOT EXISTS (SELECT 1 FROM attempts a
           WHERE a.delivery_id = d.id AND a.ended_at IS NULL)
       AND NOT EXISTS (SELECT 1 FROM parked_channels p
           WHERE p.channel = d.channel AND p.parked_until > ?1)
     ORDER BY d.next_at, d.position LIMIT ?2 + 0";

pub(crate) const OLDEST: &str = "SELECT d.*,
         (SELECT m.platform_message_id FROM messages m WHERE m.id = d.in_reply_to) AS answers
     FROM deliveries d
     WHERE d.status = 'pending' AND d.channel = ?1 AND d.chat = ?2 AND d.thread IS ?3
     ORDER BY d.position LIMIT ?4 + 0";

pub(crate) const NEXT_DELIVERY: &str = "SELECT MIN(at) AS next_at FROM (
         SELECT MIN(next_at) AS at FROM deliveries
         WHERE status = 'pending' AND parked = 0 AND next_at > ?1
         UNION ALL
         SELECT MIN(parked_until) FROM parked_channels WHERE parked_until > ?1)";

pub(crate) const BY_SEQ: &str = "SELECT * FROM deliveries WHERE session_id = ?1 AND seq = ?2";

pub(crate) const UNPARK: &str = "UPDATE deliveries SET parked = 0, next_at = ?3
     WHERE status = 'pending' AND parked = 1 AND channel = ?1 AND chat = ?2";

pub(crate) const PUT_OFF_CHAT: &str = "UPDATE deliveries SET next_at = MAX(next_at, ?3)
     WHERE status = 'pending' AND channel = ?1 AND chat = ?2";

pub(crate) const FAILED: &str = "SELECT * FROM deliveries WHERE status IN ('dead', 'unknown')
     AND discarded_at IS NULL ORDER BY ended_at DESC LIMIT ?1";

text_enum! {
    /// Who is the author of a delivery.
    Origin {
        /// The agent: it was pulled from its session.
        Agent = "agent",
        /// The host: a notice to a person.
        Host = "host",
    }
}

/// Something that is to be said.
#[derive(Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// Its id, and the key of its sends.
    pub id: OutboundId,
    /// Where to: its lane.
    pub address: Address,
    /// The message that it answers.
    pub in_reply_to: Option<MessageId>,
    /// What kind of operation; see `OutboundOp::name`.
    pub kind: String,
    /// The operation as JSON; only its writer and its reader know what is in it.
    pub payload: String,
}

/// One delivery as it stands.
#[derive(Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its id, and the key of its sends.
    pub id: OutboundId,
    /// The session that said it, or that a notice is about.
    pub session: Option<SessionId>,
    /// Its sequence number in the session, if the agent said it.
    pub seq: Option<i64>,
    /// Where to: its lane.
    pub address: Address,
    /// Who said it.
    pub origin: Origin,
    /// The message that it answers.
    pub in_reply_to: Option<MessageId>,
    /// What kind of operation.
    pub kind: String,
    /// The operation as JSON.
    pub payload: String,
    /// Where it stands.
    pub status: DeliveryStatus,
    /// How many of its parts the platform has taken; also the number of the next part.
    pub parts_sent: u32,
    /// How often its next part was tried in vain.
    pub tries: u32,
    /// When it is tried next.
    pub next_at: Timestamp,
    /// Does it wait until somebody is there to take it?
    pub parked: bool,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// The platform's id of its first part.
    pub platform_message_id: Option<PlatformMessageId>,
    /// When it came here.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// A delivery in its lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// It.
    pub delivery: Delivery,
    /// The platform's id of the message that it answers, if that has one.
    pub answers: Option<PlatformMessageId>,
}

impl std::fmt::Debug for NewDelivery {
    /// Message text never reaches a log: only its length is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewDelivery")
            .field("id", &self.id)
            .field("address", &self.address)
            .field("kind", &self.kind)
            .field("payload_bytes", &self.payload.len())
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Delivery {
    /// Message text never reaches a log: only its length is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery")
            .field("id", &self.id)
            .field("session", &self.session)
            .field("seq", &self.seq)
            .field("address", &self.address)
            .field("kind", &self.kind)
            .field("payload_bytes", &self.payload.len())
            .field("status", &self.status)
            .field("parts_sent", &self.parts_sent)
            .field("tries", &self.tries)
            .field("parked", &self.parked)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Puts a notice of the host on its way; `about` is the session it concerns. It survives the loss
    /// of power: what people have seen is on record.
    /// `false`, and nothing changed, if this id is on its way already.
    pub async fn new_delivery(
        &self,
        about: Option<SessionId>,
        notice: &NewDelivery,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let failed = |source| Error::NewDelivery {
            delivery: notice.id,
            source,
        };
        let mut custody = self.custody(Durability::Power).await.map_err(failed)?;
        let mut tx = custody.begin().await.map_err(failed)?;
        let inserted = insert_notice(&mut tx, about, notice, now)
            .await
            .map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        Ok(inserted > 0)
    }

    /// One delivery.
    pub async fn delivery(&self, delivery: OutboundId) -> Result<Option<Delivery>, Error> {
        let failed = |source| Error::Delivery { delivery, source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query("SELECT * FROM deliveries WHERE id = ?1")
            .bind(delivery.to_string())
            .fetch_optional(&mut *conn)
            .await
            .and_then(|row| row.as_ref().map(parse_delivery).transpose())
            .map_err(failed)
    }

    /// The delivery of one outbound row of a session.
    pub async fn delivery_by_seq(
        &self,
        session: SessionId,
        seq: i64,
    ) -> Result<Option<Delivery>, Error> {
        let failed = |source| Error::DeliveryBySeq {
            session,
            seq,
            source,
        };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query(BY_SEQ)
            .bind(session.to_string())
            .bind(seq)
            .fetch_optional(&mut *conn)
            .await
            .and_then(|row| row.as_ref().map(parse_delivery).transpose())
            .map_err(failed)
    }

    /// Lanes whose oldest delivery is to be tried at `now`, the longest waiting first, at most
    /// `limit`. A lane with an attempt that is not settled is not among them.
    pub async fn due_lanes(&self, now: Timestamp, limit: u32) -> Result<Vec<Address>, Error> {
        let failed = |source| Error::DueLanes { source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query(DUE_LANES)
            .bind(now.as_millisecond())
            .bind(limit)
            .fetch_all(&mut *conn)
            .await
            .and_then(|rows| {
                rows.iter()
                    .map(|row| Fields::new("deliveries", row).address())
                    .collect()
            })
            .map_err(failed)
    }

    /// The oldest unfinished deliveries of a lane in their order, whether they are due or not, at
    /// most `limit`.
    pub async fn oldest_deliveries(
        &self,
        lane: &Address,
        limit: u32,
    ) -> Result<Vec<Queued>, Error> {
        let failed = |source| Error::OldestDeliveries {
            lane: lane.clone(),
            source,
        };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query(OLDEST)
            .bind(lane.channel.as_str())
            .bind(lane.chat.as_str())
            .bind(opt_thread(lane.thread.as_ref()))
            .bind(limit)
            .fetch_all(&mut *conn)
            .await
            .and_then(|rows| rows.iter().map(parse_queued).collect())
            .map_err(failed)
    }

    /// When to look for due lanes again, of the times after `now`. It may be too early, as when
    /// an instance is parked for longer than one of its deliveries; it is never too late.
    pub async fn next_delivery_at(&self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        let failed = |source| Error::NextDeliveryAt { source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query(NEXT_DELIVERY)
            .bind(now.as_millisecond())
            .fetch_one(&mut *conn)
            .await
            .and_then(|row| Fields::new("deliveries", &row).opt_time("next_at"))
            .map_err(failed)
    }

    /// Somebody is there again: what is parked in any lane of this chat is due at once.
    /// Returns how many deliveries that were.
    pub async fn unpark(
        &self,
        channel: &ChannelName,
        chat: &ChatId,
        now: Timestamp,
    ) -> Result<u64, Error> {
        let failed = |source| Error::Unpark {
            channel: channel.clone(),
            chat: chat.clone(),
            source,
        };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let done = sqlx::query(UNPARK)
            .bind(channel.as_str())
            .bind(chat.as_str())
            .bind(now.as_millisecond())
            .execute(&mut *conn)
            .await
            .map_err(failed)?;
        Ok(done.rows_affected())
    }

    /// Holds every lane of a channel instance back until `until`, those that are still to come
    /// included. Of two times the later one holds.
    pub async fn park_channel_until(
        &self,
        channel: &ChannelName,
        until: Timestamp,
    ) -> Result<(), Error> {
        let failed = |source| Error::ParkChannel {
            channel: channel.clone(),
            source,
        };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        sqlx::query(
            "INSERT INTO parked_channels (channel, parked_until) VALUES (?1, ?2)
             ON CONFLICT (channel)
             DO UPDATE SET parked_until = MAX(parked_until, excluded.parked_until)",
        )
        .bind(channel.as_str())
        .bind(until.as_millisecond())
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
        Ok(())
    }

    /// Holds every lane of one chat that has something to say back until `until`. Of two times the
    /// later one holds.
    pub async fn put_off_chat(
        &self,
        channel: &ChannelName,
        chat: &ChatId,
        until: Timestamp,
    ) -> Result<(), Error> {
        let failed = |source| Error::PutOffChat {
            channel: channel.clone(),
            chat: chat.clone(),
            source,
        };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        sqlx::query(PUT_OFF_CHAT)
            .bind(channel.as_str())
            .bind(chat.as_str())
            .bind(until.as_millisecond())
            .execute(&mut *conn)
            .await
            .map_err(failed)?;
        Ok(())
    }

    /// Ends what [`Self::park_channel_until`] began, as when its credentials were renewed.
    pub async fn unpark_channel(&self, channel: &ChannelName) -> Result<(), Error> {
        let failed = |source| Error::UnparkChannel {
            channel: channel.clone(),
            source,
        };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        sqlx::query("DELETE FROM parked_channels WHERE channel = ?1")
            .bind(channel.as_str())
            .execute(&mut *conn)
            .await
            .map_err(failed)?;
        Ok(())
    }

    /// Deliveries that ended dead or unknown and were not discarded, the latest first, at most `limit`.
    pub async fn failed_deliveries(&self, limit: u32) -> Result<Vec<Delivery>, Error> {
        let failed = |source| Error::FailedDeliveries { source };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query(FAILED)
            .bind(limit)
            .fetch_all(&mut *conn)
            .await
            .and_then(|rows| rows.iter().map(parse_delivery).collect())
            .map_err(failed)
    }
}
/// Inserts a notice of the host, unless its id is here already.
pub(crate) async fn insert_notice(
    conn: &mut SqliteConnection,
    about: Option<SessionId>,
    notice: &NewDelivery,
    now: Timestamp,
) -> sqlx::Result<u64> {
    let sql = "INSERT INTO deliveries (id, channel, chat, thread, in_reply_to, kind, payload,
             next_at, created_at, session_id, origin, status)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9, 'host', 'pending')
         ON CONFLICT (id) DO NOTHING";
    let done = bind_delivery(sql, notice, now)
        .bind(opt_id(about))
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}

fn bind_delivery<'q>(
    sql: &'static str,
    delivery: &'q NewDelivery,
    now: Timestamp,
) -> sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments> {
    sqlx::query(sql)
        .bind(delivery.id.to_string())
        .bind(delivery.address.channel.as_str())
        .bind(delivery.address.chat.as_str())
        .bind(opt_thread(delivery.address.thread.as_ref()))
        .bind(opt_id(delivery.in_reply_to))
        .bind(&delivery.kind)
        .bind(&delivery.payload)
        .bind(now.as_millisecond())
}

fn parse_queued(row: &SqliteRow) -> sqlx::Result<Queued> {
    let fields = Fields::new("deliveries", row);
    Ok(Queued {
        delivery: parse_delivery(row)?,
        answers: fields.opt_parsed("answers", PlatformMessageId::parse)?,
    })
}

pub(crate) fn parse_delivery(row: &SqliteRow) -> sqlx::Result<Delivery> {
    let fields = Fields::new("deliveries", row);
    Ok(Delivery {
        id: fields.parsed("id", OutboundId::parse)?,
        session: fields.opt_parsed("session_id", SessionId::parse)?,
        seq: fields.get("seq")?,
        address: fields.address()?,
        origin: fields.value("origin", Origin::parse)?,
        in_reply_to: fields.opt_parsed("in_reply_to", MessageId::parse)?,
        kind: fields.get("kind")?,
        payload: fields.get("payload")?,
        status: fields.value("status", DeliveryStatus::parse)?,
        parts_sent: fields.number("parts_sent")?,
        tries: fields.number("tries")?,
        next_at: fields.time("next_at")?,
        parked: fields.get("parked")?,
        last_error: fields.get("last_error")?,
        platform_message_id: fields.opt_parsed("platform_message_id", PlatformMessageId::parse)?,
        created_at: fields.time("created_at")?,
        ended_at: fields.opt_time("ended_at")?,
    })
}

#[cfg(test)]
mod tests;
