//! What has come and is not durable yet: one lane for each conversation, so that nothing overtakes there
//! and no large file holds up another conversation.
//!
//! Slack offers again what is not acknowledged within three seconds. The same thing again joins the one
//! that is under way, and both are acknowledged when that is durable.

use std::{
    collections::{HashMap, VecDeque},
    future::pending,
    pin::Pin,
};

use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tracing::debug;

use crate::{
    marks::Mark,
    wire::{Callback, Click, Envelope, Event},
};

/// So many things are held at once; more stay with Slack, which offers them again.
const HELD_LIMIT: usize = 1_000;
/// So many wait for one thing.
const WAITING_LIMIT: usize = 16;

/// Something that has come.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    /// An event about messages.
    Event(Box<Event>),
    /// A click on a button.
    Click(Box<Click>),
    /// What came after a mark, while nobody listened.
    Missed(Box<Mark>),
}

/// Something that has come, with what tells it from everything else.
#[derive(Debug)]
pub(crate) struct Come {
    id: String,
    lane: String,
    work: Work,
}

impl Come {
    pub(crate) fn new(id: String, lane: String, work: Work) -> Self {
        Self { id, lane, work }
    }

    /// What is in an envelope; `None` where nothing in it is for us.
    pub(crate) fn of_envelope(envelope: &Envelope) -> Option<Self> {
        let payload = envelope.payload.clone();
        match envelope.kind.as_str() {
            "events_api" => Self::of_event(serde_json::from_value(payload).ok()?),
            "interactive" => Self::of_click(serde_json::from_value(payload).ok()?),
            _ => None,
        }
    }

    /// An event, as the Events API has it.
    pub(crate) fn of_event(callback: Callback) -> Option<Self> {
        let (id, kind) = (callback.event_id?, callback.event["type"].to_string());
        let event: Box<Event> = match serde_json::from_value(callback.event) {
            Ok(event) => event,
            // Others have other fields, which nobody needs.
            Err(_not_one_of_ours) => {
                debug!(detail = kind, "an event is not about messages");
                return None;
            }
        };
        let item = event.item.as_ref().and_then(|item| item.channel.clone());
        let lane = event.channel.clone().or(item)?;
        let work = Work::Event(event);
        Some(Self { id, lane, work })
    }

    /// A click.
    pub(crate) fn of_click(click: Click) -> Option<Self> {
        if click.kind != "block_actions" {
            return None;
        }
        let id = click.trigger_id.clone()?;
        let lane = click.container.channel_id.clone()?;
        let work = Work::Click(Box::new(click));
        Some(Self { id, lane, work })
    }
}

/// Takes one thing until it is durable.
pub(crate) type Taking<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// What is held in one lane, and who is told when it is durable.
struct Held<W> {
    id: String,
    /// `None` for the first, which is under way.
    work: Option<Work>,
    waiting: Vec<W>,
}

/// All lanes. `W` is who waits for something to be durable.
pub(crate) struct Lanes<'a, W> {
    take: Box<dyn Fn(Work) -> Taking<'a> + Send + Sync + 'a>,
    by_name: HashMap<String, VecDeque<Held<W>>>,
    held: usize,
    running: FuturesUnordered<Pin<Box<dyn Future<Output = String> + Send + 'a>>>,
}

impl<'a, W> Lanes<'a, W> {
    /// Lanes in which `take` is done with everything.
    pub(crate) fn new(take: impl Fn(Work) -> Taking<'a> + Send + Sync + 'a) -> Self {
        Self {
            take: Box::new(take),
            by_name: HashMap::new(),
            held: 0,
            running: FuturesUnordered::new(),
        }
    }

    /// Takes something on; gives back who waits for it where there is no room. Nobody waits for what
    /// was missed.
    pub(crate) fn push(&mut self, come: Come, waiting: Option<W>) -> Result<(), Option<W>> {
        let Come { id, lane, work } = come;
        let held = self.by_name.entry(lane.clone()).or_default();
        if let Some(same) = held.iter_mut().find(|held| held.id == id) {
            if same.waiting.len() >= WAITING_LIMIT {
                return Err(waiting);
            }
            same.waiting.extend(waiting);
            return Ok(());
        }
        if self.held >= HELD_LIMIT {
            return Err(waiting);
        }
        self.held += 1;
        held.push_back(Held {
            id,
            work: Some(work),
            waiting: waiting.into_iter().collect(),
        });
        if held.len() == 1 {
            self.start(lane);
        }
        Ok(())
    }

    /// Waits until something is durable; gives who waits for it. Can be dropped at any time.
    pub(crate) async fn done(&mut self) -> Vec<W> {
        let Some(lane) = self.running.next().await else {
            // Nothing is under way.
            return pending().await;
        };
        let first = self.by_name.get_mut(&lane).and_then(VecDeque::pop_front);
        self.held = self.held.saturating_sub(1);
        self.start(lane);
        first.map(|held| held.waiting).unwrap_or_default()
    }

    /// Starts the first of a lane.
    fn start(&mut self, lane: String) {
        let first = self.by_name.get_mut(&lane).and_then(VecDeque::front_mut);
        let Some(work) = first.and_then(|held| held.work.take()) else {
            self.by_name.remove(&lane);
            return;
        };
        let taking = (self.take)(work);
        self.running.push(Box::pin(async move {
            taking.await;
            lane
        }));
    }
}

#[cfg(test)]
mod tests;
