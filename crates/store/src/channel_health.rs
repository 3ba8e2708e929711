//! How channel instances fare, across restarts of the host.
//!
//! Everything here was observed by an adapter or by what delivers; it is written down now and then, off
//! the path of messages, so after a crash it may be some seconds old. It is never newer than the truth.

use anchorhold_core::{
    ids::{ChannelName, Handle},
    outage::Outage,
};
use jiff::Timestamp;
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use crate::{
    Error, Store,
    cursors::rename,
    deliveries::{NewDelivery, insert_notice},
    rows::Fields,
    store::{Durability, begin},
};

/// What is on record of one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelHealth {
    /// The instance.
    pub channel: ChannelName,
    /// The account that it last proved to be.
    pub identity: Option<Handle>,
    /// The last proof that the way in works.
    pub inbound_at: Option<Timestamp>,
    /// The last time that the platform took something.
    pub outbound_at: Option<Timestamp>,
    /// How often the connection came back.
    pub reconnects: u64,
    /// How often the host started the adapter anew.
    pub restarts: u64,
    /// What went wrong last, and when.
    pub last_error: Option<(Timestamp, String)>,
    /// The outage that it is in, if any.
    pub outage: Option<Outage>,
}

impl ChannelHealth {
    /// Nothing is known of the instance yet.
    pub fn unknown(channel: ChannelName) -> Self {
        Self {
            channel,
            identity: None,
            inbound_at: None,
            outbound_at: None,
            reconnects: 0,
            restarts: 0,
            last_error: None,
            outage: None,
        }
    }
}

/// What a proof of who the bot is means for the instance's cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identified {
    /// It is who it was.
    Same,
    /// Nobody has proved that before; the cursor that is there counts as this account's.
    First,
    /// It is another account, whose own cursor counts from now on. The one of the account before is
    /// kept, and counts again should that account come back.
    Changed {
        /// Who it was.
        before: Handle,
    },
}

/// The name of the cursor of an account's stream.
pub fn stream_of(identity: &Handle) -> String {
    format!("stream of {identity}")
}

/// The cursor of an instance from before accounts were told apart.
const STREAM: &str = "stream";

impl Store {
    /// What is on record of an instance.
    pub async fn channel_health(
        &self,
        channel: &ChannelName,
    ) -> Result<Option<ChannelHealth>, Error> {
        let failed = |source| Error::ChannelHealth {
            channel: channel.clone(),
            source,
        };
        let mut conn = self.reader().await.map_err(failed)?;
        let row = sqlx::query("SELECT * FROM channel_health WHERE channel = ?1")
            .bind(channel.as_str())
            .fetch_optional(&mut *conn)
            .await
            .map_err(failed)?;
        row.as_ref().map(parse).transpose().map_err(failed)
    }

    /// Writes down how an instance fares, and puts `notices` about it on their way, in one
    /// transaction. Its identity stays as it is.
    pub async fn save_channel_health(
        &self,
        health: &ChannelHealth,
        notices: &[NewDelivery],
        now: Timestamp,
    ) -> Result<(), Error> {
        let failed = |source| Error::ChannelHealth {
            channel: health.channel.clone(),
            source,
        };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        save(&mut conn, health, notices, now).await.map_err(failed)
    }

    /// The instance has proved to be this account: from now on the account's own cursor counts.
    pub async fn identify(
        &self,
        channel: &ChannelName,
        identity: &Handle,
    ) -> Result<Identified, Error> {
        let failed = |source| Error::ChannelHealth {
            channel: channel.clone(),
            source,
        };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        identify(&mut conn, channel, identity).await.map_err(failed)
    }
}

async fn save(
    conn: &mut SqliteConnection,
    health: &ChannelHealth,
    notices: &[NewDelivery],
    now: Timestamp,
) -> sqlx::Result<()> {
    let ms = |at: Option<Timestamp>| at.map(Timestamp::as_millisecond);
    let error = health.last_error.as_ref();
    let mut tx = begin(conn).await?;
    sqlx::query(
        "INSERT INTO channel_health (channel, inbound_at, outbound_at, reconnects, restarts,
             last_error, last_error_at, down_since, told_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (channel) DO UPDATE SET inbound_at = excluded.inbound_at,
             outbound_at = excluded.outbound_at, reconnects = excluded.reconnects,
             restarts = excluded.restarts, last_error = excluded.last_error,
             last_error_at = excluded.last_error_at, down_since = excluded.down_since,
             told_at = excluded.told_at",
    )
    .bind(health.channel.as_str())
    .bind(ms(health.inbound_at))
    .bind(ms(health.outbound_at))
    .bind(i64::try_from(health.reconnects).unwrap_or(i64::MAX))
    .bind(i64::try_from(health.restarts).unwrap_or(i64::MAX))
    .bind(error.map(|(_, why)| why.as_str()))
    .bind(error.map(|(at, _)| at.as_millisecond()))
    .bind(ms(health.outage.map(|outage| outage.since)))
    .bind(ms(health.outage.and_then(|outage| outage.told_at)))
    .execute(&mut *tx)
    .await?;
    for notice in notices {
        insert_notice(&mut tx, None, notice, now).await?;
    }
    tx.commit().await
}

async fn identify(
    conn: &mut SqliteConnection,
    channel: &ChannelName,
    identity: &Handle,
) -> sqlx::Result<Identified> {
    let mut tx = begin(conn).await?;
    let row = sqlx::query("SELECT identity FROM channel_health WHERE channel = ?1")
        .bind(channel.as_str())
        .fetch_optional(&mut *tx)
        .await?;
    let before = match &row {
        Some(row) => Fields::new("channel_health", row).opt_parsed("identity", Handle::parse)?,
        None => None,
    };
    let identified = match before {
        Some(before) if before == *identity => return Ok(Identified::Same),
        Some(before) => Identified::Changed { before },
        None => {
            rename(&mut tx, channel, (STREAM, &stream_of(identity))).await?;
            Identified::First
        }
    };
    sqlx::query(
        "INSERT INTO channel_health (channel, identity) VALUES (?1, ?2)
         ON CONFLICT (channel) DO UPDATE SET identity = excluded.identity",
    )
    .bind(channel.as_str())
    .bind(identity.as_str())
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(identified)
}

fn parse(row: &SqliteRow) -> sqlx::Result<ChannelHealth> {
    let fields = Fields::new("channel_health", row);
    let error: Option<String> = fields.get("last_error")?;
    let last_error = match (error, fields.opt_time("last_error_at")?) {
        (Some(why), Some(at)) => Some((at, why)),
        _ => None,
    };
    let told_at = fields.opt_time("told_at")?;
    let down = fields.opt_time("down_since")?;
    Ok(ChannelHealth {
        channel: fields.parsed("channel", ChannelName::parse)?,
        identity: fields.opt_parsed("identity", Handle::parse)?,
        inbound_at: fields.opt_time("inbound_at")?,
        outbound_at: fields.opt_time("outbound_at")?,
        reconnects: fields.number("reconnects")?,
        restarts: fields.number("restarts")?,
        last_error,
        outage: down.map(|since| Outage { since, told_at }),
    })
}

#[cfg(test)]
mod tests;
