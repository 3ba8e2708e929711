//! What the journal holds, in the form that a session's file has.

use anchorhold_sessiondb::{Body, JournalRow, Seq};
use anchorhold_store::journal::Journaled;

/// A row of the journal as the file has it; `None` for a number that no file takes.
pub(super) fn row(journaled: Journaled) -> Option<JournalRow> {
    Some(JournalRow {
        seq: Seq::new(journaled.seq)?,
        address: journaled.address,
        platform_id: journaled.name,
        triggers: journaled.triggers,
        tries: journaled.tries,
        due_at: journaled.due_at,
        created_at: journaled.created_at,
        fresh_only: journaled.body.fresh_only,
        body: Body {
            kind: journaled.body.kind,
            version: journaled.body.version,
            payload: journaled.body.payload,
        },
    })
}
