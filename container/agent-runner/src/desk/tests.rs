//! A loop that takes everything, for tests of what stands before the desk.

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::*;

/// Serves a desk: what is said gets the numbers 5, 7, 9 and so on, answers message 4, and is sent.
#[derive(Debug)]
pub(crate) struct Clerk {
    pub(crate) desk: Arc<Desk>,
    said: Arc<Mutex<Vec<Emit>>>,
    serving: JoinHandle<()>,
}

impl Drop for Clerk {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Clerk {
    #[expect(clippy::disallowed_methods, reason = "the test ends it")]
    pub(crate) fn new(outcome: Outcome) -> Self {
        let desk = Arc::new(Desk::default());
        let said: Arc<Mutex<Vec<Emit>>> = Arc::default();
        let (at, log) = (Arc::clone(&desk), Arc::clone(&said));
        let serving = tokio::spawn(async move {
            loop {
                at.asked().await;
                while let Some(order) = at.next() {
                    take(order, &log);
                }
                for seq in at.waited_for().0 {
                    at.tell_outcome(seq, outcome.clone());
                }
            }
        });
        Self {
            desk,
            said,
            serving,
        }
    }

    /// What was said since the last call.
    pub(crate) fn said(&self) -> Vec<Emit> {
        mem::take(&mut self.said.lock().unwrap())
    }
}

fn take(order: Order, log: &Mutex<Vec<Emit>>) {
    match order {
        Order::Say { mut emit, said } => {
            let mut log = log.lock().unwrap();
            let seq = i64::try_from(5 + 2 * log.len()).unwrap();
            emit.in_reply_to = Seq::new(4);
            log.push(*emit);
            drop(said.send(Ok((Seq::new(seq).unwrap(), "cli/c1".to_owned()))));
        }
        Order::Ask { reply, .. } => drop(reply),
    }
}

#[tokio::test]
async fn what_is_over_is_told_to_whoever_waits() {
    let desk = Desk::default();
    let emit = Emit {
        in_reply_to: None,
        op: anchorhold_sessiondb::Outbound::Delete {
            target: Seq::new(3).unwrap(),
        },
        files: Vec::new(),
        to: None,
    };
    let closing = async {
        desk.asked().await;
        desk.close();
    };
    let (said, ()) = tokio::join!(desk.say(emit.clone()), closing);
    assert_eq!(said, Err(DeskError::Over));
    assert_eq!(desk.say(emit).await, Err(DeskError::Over));
    let wished = desk.wish(&Wish::Status {}).await;
    assert_eq!(wished, Err(DeskError::Over));
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_known_at_once_or_waited_out() {
    let clerk = Clerk::new(Outcome::Waits("later".to_owned()));
    let seq = Seq::new(5).unwrap();
    let long = Duration::from_secs(9);
    let waits = Some(Outcome::Waits("later".to_owned()));
    assert_eq!(clerk.desk.outcome(seq, long, Enough::Any).await, waits);
    assert_eq!(clerk.desk.outcome(seq, long, Enough::End).await, waits);
    let answered = clerk.desk.answer(seq, "cli/c1".to_owned(), long).await;
    assert_eq!(answered, Answered::NotYet);
    assert_eq!(clerk.desk.waited_for(), (vec![], vec![], vec![]));
}

#[tokio::test]
async fn what_is_never_asked_fails_at_once() {
    let clerk = Clerk::new(Outcome::Dead("no such chat".to_owned()));
    let seq = Seq::new(5).unwrap();
    let answered = clerk
        .desk
        .answer(seq, "cli/c1".to_owned(), Duration::from_hours(1))
        .await;
    let never = Outcome::Dead("no such chat".to_owned());
    assert_eq!(answered, Answered::Never(never));
}
