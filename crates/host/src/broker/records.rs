//! Writes the records of requests into the central database, those together that came together.

use std::time::Duration;

use anchorhold_broker::{Outcome, Record};
use anchorhold_store::requests_out::{RequestOut, RequestOutcome, Tokens};
use tokio::{sync::mpsc, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::{base::Base, report::report};

/// How many are written in one transaction.
const TOGETHER: usize = 256;
/// After the database failed. Meanwhile the queue fills, and then no request is begun: what can't be
/// put on record is not done.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Takes the records over.
pub(super) struct Records {
    base: Base,
    queue_rx: mpsc::Receiver<Record>,
}

impl Records {
    pub(super) fn new(base: Base, queue_rx: mpsc::Receiver<Record>) -> Self {
        Self { base, queue_rx }
    }

    /// Writes what comes until `stop` fires, and then what is there.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        loop {
            let mut records = Vec::new();
            let took = self.queue_rx.recv_many(&mut records, TOGETHER);
            match stop.run_until_cancelled(took).await {
                Some(0) => return,
                Some(_) => self.write(&records, &stop).await,
                None => break,
            }
        }
        self.queue_rx.close();
        let mut rest = Vec::new();
        while self.queue_rx.recv_many(&mut rest, TOGETHER).await > 0 {
            self.write(&rest, &stop).await;
            rest.clear();
        }
    }

    async fn write(&self, records: &[Record], stop: &CancellationToken) {
        let requests: Vec<RequestOut> = records.iter().map(request).collect();
        while let Err(failure) = self.base.store.add_requests_out(&requests).await {
            let count = requests.len();
            error!(count, error = %report(&failure), "requests to the outside not on record");
            if stop.is_cancelled() {
                return;
            }
            stop.run_until_cancelled(sleep(AFTER_FAILURE)).await;
        }
    }
}

fn request(record: &Record) -> RequestOut {
    RequestOut {
        session: record.session,
        at: record.at,
        took: record.took,
        method: record.method.clone(),
        host: record.host.clone(),
        path: record.path.clone(),
        turn: record.turn,
        model: record.model.clone(),
        outcome: match record.outcome {
            Outcome::Answered(status) => RequestOutcome::Answered(status),
            Outcome::Refused(rule) => RequestOutcome::Refused(rule.name()),
            Outcome::Abandoned => RequestOutcome::Abandoned,
            Outcome::Unreachable => RequestOutcome::Unreachable,
        },
        sent_bytes: record.sent_bytes,
        received_bytes: record.received_bytes,
        tokens: record.usage.map(|usage| Tokens {
            input: usage.input,
            output: usage.output,
            cache_read: usage.cache_read,
            cache_write: usage.cache_write,
            reasoning: usage.reasoning,
        }),
        cost_micros: record.cost_micros,
    }
}
