//! From a platform's message to the number that a session knows it by.

use anchorhold_core::{
    address::Address,
    ids::{PlatformMessageId, SessionId},
};

use crate::{Error, Store, rows::Fields};

/// What a person said.
pub(crate) const HEARD: &str = "SELECT seq FROM messages
     WHERE session_id = ?1 AND channel = ?2 AND chat = ?3 AND platform_message_id = ?4";

/// What the agent said: each part of it counts as the whole.
pub(crate) const DELIVERED: &str = "SELECT d.seq FROM deliveries d
     WHERE d.session_id = ?1 AND d.channel = ?2 AND d.chat = ?3 AND d.seq IS NOT NULL
       AND (d.platform_message_id = ?4 OR EXISTS (SELECT 1 FROM attempts a
           WHERE a.delivery_id = d.id AND a.platform_message_id = ?4))
     ORDER BY d.position DESC LIMIT 1";

impl Store {
    /// The number that `session` knows the platform's message by, heard or said; `None` if it is not
    /// the session's, or is forgotten.
    pub async fn cited(
        &self,
        session: SessionId,
        at: &Address,
        message: &PlatformMessageId,
    ) -> Result<Option<i64>, Error> {
        let failed = |source| Error::Cited { session, source };
        let mut conn = self.reader().await.map_err(failed)?;
        for (table, sql) in [("messages", HEARD), ("deliveries", DELIVERED)] {
            let row = sqlx::query(sql)
                .bind(session.to_string())
                .bind(at.channel.as_str())
                .bind(at.chat.as_str())
                .bind(message.as_str())
                .fetch_optional(&mut *conn)
                .await
                .map_err(failed)?;
            if let Some(row) = row {
                return Fields::new(table, &row).get("seq").map_err(failed);
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
