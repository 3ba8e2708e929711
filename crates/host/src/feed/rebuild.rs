//! A session's file is made anew from the journal.

use anchorhold_admin::request::{FailCode, Reply};
use anchorhold_core::ids::SessionId;
use anchorhold_sessiondb::{JournalRow, Rebuild, bell};
use tracing::info;

use crate::{
    blocking::blocking,
    feed::{Feed, FeedError, PAGE, row, settings},
};

impl Feed {
    /// Makes a session's file of what is in the journal, and puts it in the place of the one that is
    /// there. Who dies in between finds the old one and begins again.
    pub(super) async fn rebuild(&self, session: SessionId) -> Result<(), FeedError> {
        if self.state().older.contains(&session) {
            self.take_older(session).await?;
            self.0.base.store.make_durable().await?;
        }
        let base = &self.0.base;
        let Some(known) = base.store.session(session).await? else {
            // It was deleted meanwhile: there is nothing to write any more.
            self.state().lost.remove(&session);
            return Ok(());
        };
        let group = base.store.group(known.session.key.agent_group).await?;
        let settings = group.map(|group| settings(&base.models, &known, &group));
        let (files, owner) = (base.files(session), base.sandbox_owner);
        let mut making = blocking(move || Rebuild::begin(files, owner)).await??;
        let (mut after, mut rows) = (0, 0);
        loop {
            let page = base.store.journal(session, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            let page: Vec<JournalRow> = page.into_iter().filter_map(row).collect();
            rows += page.len();
            making = blocking(move || making.add(&page).map(|()| making)).await??;
        }
        let replied = (known.replied > 0).then(|| (known.replied, lost_reply()));
        let (files, now) = (base.files(session), base.now());
        blocking(move || {
            let replied = replied.as_ref().map(|(id, reply)| (*id, reply.as_str()));
            making.finish(settings.as_ref(), replied, now)?;
            // silent: a sandbox that does not listen looks by itself.
            bell::ring(files.out_dir());
            Ok::<(), anchorhold_sessiondb::Error>(())
        })
        .await??;
        base.store.rebuilt(session).await?;
        self.state().lost.remove(&session);
        info!(%session, rows, "session's file made");
        Ok(())
    }
}

/// What whoever still waits for an answer is told that went with the file.
fn lost_reply() -> String {
    let reply = Reply::Failed {
        code: FailCode::Unavailable,
        what: "the answer was lost; look whether it was done".to_owned(),
    };
    // silent: a reply that holds only text always serializes
    serde_json::to_string(&reply).unwrap_or_default()
}
