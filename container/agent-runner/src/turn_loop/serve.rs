//! What the loop does for the tools of the turn that runs: see [`Desk`](crate::desk::Desk).

use anchorhold_sessiondb::{self as sessiondb, Emit, Outbound, Seq, bell};

use crate::{
    desk::{DeskError, Order},
    report,
    turn_loop::{TurnLoop, turn::Taken},
};

impl TurnLoop {
    /// Writes what tools say and ask, and tells them what came of it. An error that passes leaves
    /// what is not done for the next call.
    pub(super) fn serve(&mut self, taken: &mut Taken) -> Result<(), sessiondb::Error> {
        while let Some(order) = taken.desk.next() {
            match order {
                Order::Say { emit, said } => match self.say(&emit, taken) {
                    Ok(done) => drop(said.send(Ok(done))),
                    Err(failure) if failure.is_later() => {
                        taken.desk.put_back(Order::Say { emit, said });
                        return Err(failure);
                    }
                    Err(failure) => {
                        tracing::warn!(error = %report(&failure), "a tool's word not written");
                        let why = report(&failure);
                        drop(said.send(Err(DeskError::Unwritten { why })));
                    }
                },
                Order::Ask { request, reply } => {
                    let now = self.parts.clock.now();
                    match self.parts.side.ask(&request, now) {
                        Ok(id) => taken.desk.note_asked(id, reply),
                        Err(failure) if failure.is_later() => {
                            taken.desk.put_back(Order::Ask { request, reply });
                            return Err(failure);
                        }
                        // Whoever waits for the reply is told by its absence.
                        Err(failure) => {
                            tracing::warn!(error = %report(&failure), "host not asked");
                        }
                    }
                }
            }
        }
        self.tell(taken)
    }

    /// Says one thing, in answer to the newest message that woke the turn.
    fn say(&mut self, emit: &Emit, taken: &Taken) -> Result<(Seq, String), sessiondb::Error> {
        let newest = taken.rows.iter().rfind(|row| row.triggers);
        let place = newest.map(|row| row.place.clone()).unwrap_or_default();
        let emit = Emit {
            in_reply_to: newest.map(|row| row.seq),
            ..emit.clone()
        };
        if matches!(emit.op, Outbound::Ask { .. } | Outbound::Post { .. })
            && emit.files.is_empty()
            && let Some(seq) = self.asked_before(&emit, taken)?
        {
            taken.desk.note_said(seq, emit.to.is_none());
            return Ok((seq, place));
        }
        let seq = self.parts.side.say(&emit, self.parts.clock.now())?;
        taken.desk.note_said(seq, emit.to.is_none());
        taken.desk.keep(&emit);
        // silent: a host that does not listen looks by itself
        bell::ring(&self.parts.in_dir);
        Ok((seq, place))
    }

    /// The row by which an earlier try of this turn has said just this: nobody is told or asked the
    /// same twice because the agent died in between.
    fn asked_before(&self, emit: &Emit, taken: &Taken) -> Result<Option<Seq>, sessiondb::Error> {
        let again = taken
            .rows
            .iter()
            .any(|row| row.tries > 0 || row.failures > 0);
        if !again && !taken.desk.begun_again() {
            return Ok(None);
        }
        let before = self.parts.side.said_before(emit)?;
        Ok(before.filter(|seq| !taken.desk.has_said(*seq)))
    }

    fn tell(&mut self, taken: &mut Taken) -> Result<(), sessiondb::Error> {
        let (outcomes, questions, replies) = taken.desk.waited_for();
        for seq in outcomes {
            if let Some(outcome) = self.parts.side.outcome(seq)? {
                taken.desk.tell_outcome(seq, outcome);
            }
        }
        for (seq, place) in questions {
            if let Some(row) = self.parts.side.answer(seq, &place)? {
                if !taken.seqs.contains(&row.seq) {
                    self.parts.side.claim(&[row.seq])?;
                    taken.seqs.push(row.seq);
                    taken.answers.push(row.clone());
                }
                taken.desk.tell_answer(seq, row);
            }
        }
        for id in replies {
            if let Some(reply) = self.parts.side.reply(id)? {
                taken.desk.tell_reply(id, reply);
            }
        }
        Ok(())
    }
}
