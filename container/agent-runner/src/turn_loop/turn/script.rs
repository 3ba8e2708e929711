//! Before the turn of a task: its script is asked whether there is one.

use anchorhold_sessiondb::{Finish, Handled, Inbound, Seq, Settings};
use tokio_util::sync::CancellationToken;

use crate::{
    gate::{self, Gate},
    provider::TurnOutcome,
    turn_loop::{
        TurnLoop, failed, stopped,
        turn::{Taken, Watched},
    },
};

impl Taken {
    /// The script that has to be asked first.
    fn script(&self) -> Option<(Seq, String)> {
        self.rows.iter().find_map(|row| match &row.payload {
            Inbound::Task(task) => Some((row.seq, task.script.clone()?)),
            Inbound::Chat(_) | Inbound::Note(_) | Inbound::Answer(_) | Inbound::Control(_) => None,
        })
    }

    /// Puts what the script had to say to its task.
    fn found(&mut self, found: Option<&String>) {
        for row in &mut self.rows {
            if let Inbound::Task(task) = &mut row.payload {
                task.found = found.cloned();
            }
        }
    }
}

impl TurnLoop {
    /// Asks the script of a task, if the turn is one that has a script; the end of a turn that is none.
    pub(super) async fn gate(
        &mut self,
        taken: &mut Taken,
        settings: &Settings,
        stop: &CancellationToken,
    ) -> Option<Finish> {
        let (seq, script) = taken.script()?;
        let io = self.io(taken, settings);
        let mut said = None;
        let asking = async {
            said = Some(gate::ask(&io, &script).await);
            Ok(TurnOutcome::default())
        };
        if let Watched::Stopped(stops) = self.watch(asking, taken, stop).await {
            tracing::info!("script of a task stopped by a person");
            return Some(stopped(&[seq], &stops));
        }
        match said {
            Some(Gate::Wakes(found)) => {
                taken.found(found.as_ref());
                None
            }
            Some(Gate::Sleeps) | None => {
                tracing::info!("task has nothing to do");
                Some(Finish {
                    handled: vec![(seq, Handled::Done)],
                    ..Finish::default()
                })
            }
            Some(Gate::Failed(why)) => {
                tracing::warn!("script of a task failed");
                Some(failed(&[seq], &why))
            }
        }
    }
}
