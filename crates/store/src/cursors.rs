//! Where each channel stands in what it reads from its platform.

use anchorhold_core::ids::ChannelName;
use sqlx::SqliteConnection;

use crate::{Error, Store, store::Durability};

impl Store {
    /// The cursor `name` of `channel`, if it was ever set.
    pub async fn cursor(&self, channel: &ChannelName, name: &str) -> Result<Option<String>, Error> {
        let failed = |source| Error::Cursor {
            channel: channel.clone(),
            name: name.to_owned(),
            source,
        };
        let mut conn = self.reader().await.map_err(failed)?;
        sqlx::query_scalar("SELECT value FROM cursors WHERE channel = ?1 AND name = ?2")
            .bind(channel.as_str())
            .bind(name)
            .fetch_optional(&mut *conn)
            .await
            .map_err(failed)
    }

    /// Sets the cursor `name` of `channel`.
    pub async fn set_cursor(
        &self,
        channel: &ChannelName,
        name: &str,
        value: &str,
    ) -> Result<(), Error> {
        let failed = |source| Error::SetCursor {
            channel: channel.clone(),
            name: name.to_owned(),
            source,
        };
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        sqlx::query(
            "INSERT INTO cursors (channel, name, value) VALUES (?1, ?2, ?3)
             ON CONFLICT (channel, name) DO UPDATE SET value = excluded.value",
        )
        .bind(channel.as_str())
        .bind(name)
        .bind(value)
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
        Ok(())
    }
}

/// The cursor `from` goes by the name `to` from now on, unless there is one of that name.
pub(crate) async fn rename(
    conn: &mut SqliteConnection,
    channel: &ChannelName,
    (from, to): (&str, &str),
) -> sqlx::Result<()> {
    sqlx::query("UPDATE OR IGNORE cursors SET name = ?3 WHERE channel = ?1 AND name = ?2")
        .bind(channel.as_str())
        .bind(from)
        .bind(to)
        .execute(conn)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests;
