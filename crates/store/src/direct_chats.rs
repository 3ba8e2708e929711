//! Where a person can be reached first: the direct chat that their platform has told of.

use anchorhold_core::{
    entity::Conversation,
    ids::{ConversationId, UserId},
};
use jiff::Timestamp;
use sqlx::SqliteConnection;

use crate::{
    Error, Store,
    conversations::parse_conversation,
    store::{Durability, memo::Memos},
};

pub(crate) const DIRECT_CHAT: &str = "SELECT c.* FROM direct_chats d
     JOIN conversations c ON c.id = d.conversation_id WHERE d.user_id = ?1";

impl Store {
    /// The conversation where a person can be reached, if one was ever noted.
    pub async fn direct_chat(&self, user: UserId) -> Result<Option<Conversation>, Error> {
        let failed = |source| Error::DirectChat { user, source };
        let mut conn = self.reader().await.map_err(failed)?;
        find(&mut conn, user).await.map_err(failed)
    }

    /// Notes where a person can be reached, in the place of what was noted before. Nothing is
    /// written if it is noted already.
    pub async fn set_direct_chat(
        &self,
        user: UserId,
        conversation: ConversationId,
        now: Timestamp,
    ) -> Result<(), Error> {
        let failed = |source| Error::SetDirectChat {
            user,
            conversation,
            source,
        };
        // Nearly every call finds it unchanged, and finding needs no write.
        let Memos {
            changes,
            direct_chats,
            ..
        } = &*self.memos;
        let read = async {
            let known = find(&mut *self.reader().await?, user).await?;
            Ok(known.map(|known| known.id))
        };
        let known = direct_chats.recall(changes, user, || Box::pin(read)).await;
        if known.map_err(failed)? == Some(conversation) {
            return Ok(());
        }
        let mut conn = self.writer(Durability::Process).await.map_err(failed)?;
        sqlx::query(
            "INSERT INTO direct_chats (user_id, conversation_id, resolved_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (user_id) DO UPDATE SET conversation_id = excluded.conversation_id,
                 resolved_at = excluded.resolved_at",
        )
        .bind(user.to_string())
        .bind(conversation.to_string())
        .bind(now.as_millisecond())
        .execute(&mut *conn)
        .await
        .map_err(failed)?;
        Ok(())
    }
}

async fn find(conn: &mut SqliteConnection, user: UserId) -> sqlx::Result<Option<Conversation>> {
    let row = sqlx::query(DIRECT_CHAT)
        .bind(user.to_string())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(parse_conversation).transpose()
}

#[cfg(test)]
mod tests;
