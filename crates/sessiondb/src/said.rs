//! What the agent says while its turn runs, and what it is answered before the turn ends.

use jiff::Timestamp;
use rusqlite::{TransactionBehavior, params};

use crate::{
    Emit, Error, Inbound, InboundRow, RunnerSide, Seq,
    envelope::Envelope,
    layout::{INBOUND, OUTBOX},
    offer::{ROW, read_row},
    requests,
    runner::Said,
};

impl RunnerSide {
    /// Says something at once; gives its number. The host tells what became of it, see
    /// [`RunnerSide::outcome`].
    ///
    /// A turn that dies after this is run again, and may say the same again.
    pub fn say(&mut self, emit: &Emit, now: Timestamp) -> Result<Seq, Error> {
        let path = self.layout.outbound();
        let failed = Error::sql(&path, "say something");
        let floor = self.number_floor()?;
        let outbox = self.layout.out_dir.join(OUTBOX);
        let transaction = self
            .outbound
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(&failed)?;
        let said = Said {
            emit,
            awaited: true,
            at: now,
        };
        let seq = said
            .insert(&transaction, &outbox, floor)?
            .map_err(&failed)?;
        transaction.commit().map_err(&failed)?;
        Ok(seq)
    }

    /// The number of the newest row that says just this, without files, in answer to the same
    /// message.
    pub fn said_before(&self, emit: &Emit) -> Result<Option<Seq>, Error> {
        let encoded = Envelope::of(emit, true).encode()?;
        let found: Option<i64> = self
            .outbound
            .query_row(
                "SELECT max(seq) FROM messages WHERE in_reply_to IS ?1 AND kind = ?2
                 AND version = ?3 AND payload = ?4",
                params![
                    emit.in_reply_to.map(Seq::get),
                    encoded.kind,
                    encoded.version,
                    encoded.payload
                ],
                |row| row.get(0),
            )
            .map_err(Error::sql(&self.layout.outbound(), "read"))?;
        Ok(found.and_then(Seq::new))
    }

    /// What answers the agent's question `question`, which was asked at `place`: the answer that
    /// somebody chose, or the first message that wakes the agent there. Only what has not ended.
    pub fn answer(&self, question: Seq, place: &str) -> Result<Option<InboundRow>, Error> {
        let path = self.layout.in_dir.join(INBOUND);
        let failed = Error::sql(&path, "read");
        let inbound = self.inbound()?;
        let mut statement = inbound
            .prepare(&format!(
                "{ROW} WHERE status = 'open' AND triggers = 1 AND seq > ?1 ORDER BY seq"
            ))
            .map_err(&failed)?;
        let mut rows = statement.query([question.get()]).map_err(&failed)?;
        while let Some(row) = rows.next().map_err(&failed)? {
            let Some(seq) = row.get(0).map(Seq::new).map_err(&failed)? else {
                continue;
            };
            let (ended, failures) = self.has_ended(seq)?;
            if ended {
                continue;
            }
            let Ok(found) = read_row(row, seq, failures).map_err(&failed)? else {
                continue;
            };
            let chosen = matches!(&found.payload,
                Inbound::Answer(answer) if answer.question_seq == question);
            let written = matches!(&found.payload,
                Inbound::Chat(chat) if chat.about.is_none() && found.place == place);
            if chosen || written {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Asks the host for something; see [`crate::Requests::ask`].
    pub fn ask(&mut self, request: &str, now: Timestamp) -> Result<i64, Error> {
        requests::ask(&self.layout, &mut self.outbound, request, now)
    }

    /// The host's reply to request `id`, as [`crate::Requests::reply`].
    pub fn reply(&self, id: i64) -> Result<Option<String>, Error> {
        requests::reply(&self.layout, id)
    }
}
