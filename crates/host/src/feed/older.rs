//! Sessions from before there was a journal: what waits in their files is taken over, once.

use anchorhold_core::ids::SessionId;
use anchorhold_sessiondb::FileRow;
use anchorhold_store::{ingest::Body, journal::Older};
use tracing::info;

use crate::{
    blocking::blocking,
    feed::{Feed, FeedError, PAGE},
    sessions::HOST_WORD,
};

impl Feed {
    /// Takes over what is on record of a session and only in its file. Doing it again is safe.
    ///
    /// What is in the file and not on record was never acknowledged: whoever said it says it again.
    pub(super) async fn take_older(&self, session: SessionId) -> Result<(), FeedError> {
        let base = &self.0.base;
        let mut after = 0;
        let replied = loop {
            let files = base.files(session);
            let page = blocking(move || files.rows_after(after, PAGE)).await?;
            let page = match page {
                // It never had a message.
                Err(anchorhold_sessiondb::Error::Absent { .. }) => break 0,
                page => page?,
            };
            let Some(last) = page.last() else {
                let files = base.files(session);
                break blocking(move || files.last_reply()).await??;
            };
            after = last.row.seq.get();
            let rows: Vec<Older> = page.into_iter().map(older).collect();
            base.store.take_older(session, &rows).await?;
        };
        base.store.older_taken(session, replied).await?;
        let mut state = self.state();
        state.older.remove(&session);
        state.lost.insert(session);
        info!(%session, "older session's file taken over");
        Ok(())
    }
}

fn older(kept: FileRow) -> Older {
    let FileRow { row, open } = kept;
    let is_word = row.platform_id.as_str().starts_with(HOST_WORD);
    Older {
        seq: row.seq.get(),
        word: is_word.then_some(row.platform_id),
        body: open.then_some(Body {
            kind: row.body.kind,
            version: row.body.version,
            payload: row.body.payload,
            fresh_only: row.fresh_only,
        }),
    }
}
