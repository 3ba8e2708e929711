//! The one-time code by which a person becomes the owner: one open code a channel instance.
//!
//! The code itself is never here, only its hash with a salt.

use std::fmt;

use anchorhold_core::ids::ChannelName;
use jiff::Timestamp;

use crate::{
    Error, Store,
    rows::Fields,
    store::{Durability, begin},
};

/// One open code.
#[derive(Clone, PartialEq, Eq)]
pub struct Pairing {
    /// What is hashed before the code, in hexadecimal.
    pub salt: String,
    /// The hash of both; see `anchorhold_core::guard::code_hash`.
    pub code_hash: String,
    /// How many wrong codes are still taken.
    pub tries_left: u32,
    /// From when on it is worth nothing.
    pub expires_at: Timestamp,
}

impl fmt::Debug for Pairing {
    /// The code is short enough to be found from its hash.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pairing")
            .field("tries_left", &self.tries_left)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Opens a code for a channel instance, in the place of one that is open.
    pub async fn open_pairing(
        &self,
        channel: &ChannelName,
        pairing: &Pairing,
        now: Timestamp,
    ) -> Result<(), Error> {
        let failed = |source| Error::OpenPairing {
            channel: channel.clone(),
            source,
        };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        sqlx::query(
            "INSERT INTO pairings (channel, salt, code_hash, tries_left, created_at, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (channel) DO UPDATE SET salt = excluded.salt,
                 code_hash = excluded.code_hash, tries_left = excluded.tries_left,
                 created_at = excluded.created_at, expires_at = excluded.expires_at",
        )
        .bind(channel.as_str())
        .bind(&pairing.salt)
        .bind(&pairing.code_hash)
        .bind(pairing.tries_left)
        .bind(now.as_millisecond())
        .bind(pairing.expires_at.as_millisecond())
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
        Ok(())
    }

    /// The open code of a channel instance, expired or not.
    pub async fn pairing(&self, channel: &ChannelName) -> Result<Option<Pairing>, Error> {
        let failed = |source| Error::Pairing {
            channel: channel.clone(),
            source,
        };
        let mut conn = self.reader().await.map_err(failed)?;
        let row = sqlx::query("SELECT * FROM pairings WHERE channel = ?1")
            .bind(channel.as_str())
            .fetch_optional(&mut *conn)
            .await
            .map_err(failed)?;
        row.as_ref()
            .map(|row| {
                let fields = Fields::new("pairings", row);
                Ok(Pairing {
                    salt: fields.get("salt")?,
                    code_hash: fields.get("code_hash")?,
                    tries_left: fields.number("tries_left")?,
                    expires_at: fields.time("expires_at")?,
                })
            })
            .transpose()
            .map_err(failed)
    }

    /// Counts a wrong code. Returns how many more are taken; with the last one the code is gone.
    /// 0 if there is none.
    pub async fn miss_pairing(&self, channel: &ChannelName) -> Result<u32, Error> {
        let failed = |source| Error::MissPairing {
            channel: channel.clone(),
            source,
        };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let mut tx = begin(&mut conn).await.map_err(failed)?;
        let row = sqlx::query(
            "UPDATE pairings SET tries_left = MAX(tries_left - 1, 0) WHERE channel = ?1
             RETURNING tries_left",
        )
        .bind(channel.as_str())
        .fetch_optional(&mut *tx)
        .await
        .map_err(failed)?;
        let left = match &row {
            Some(row) => Fields::new("pairings", row)
                .number("tries_left")
                .map_err(failed)?,
            None => 0,
        };
        sqlx::query("DELETE FROM pairings WHERE channel = ?1 AND tries_left = 0")
            .bind(channel.as_str())
            .execute(&mut *tx)
            .await
            .map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        Ok(left)
    }

    /// Uses the open code up. `true` for one caller only, and only if it still has this hash and
    /// has not expired.
    pub async fn take_pairing(
        &self,
        channel: &ChannelName,
        code_hash: &str,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let failed = |source| Error::TakePairing {
            channel: channel.clone(),
            source,
        };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        let done = sqlx::query(
            "DELETE FROM pairings WHERE channel = ?1 AND code_hash = ?2 AND expires_at > ?3",
        )
        .bind(channel.as_str())
        .bind(code_hash)
        .bind(now.as_millisecond())
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
        Ok(done.rows_affected() > 0)
    }
}

#[cfg(test)]
mod tests;
