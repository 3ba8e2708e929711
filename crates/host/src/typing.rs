//! Shows people that an answer is being made, for as long as the turn that makes it runs.
//!
//! A courtesy: it waits for nothing that a message waits for, is on no record, and is not tried again.
//! Where it fails once it is left for that turn.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use anchorhold_channel::{Connection, PartKey};
use anchorhold_core::{
    address::Address,
    ids::{OutboundId, SessionId},
    outbound::OutboundOp,
};
use anchorhold_sessiondb::Claim;
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::{base::Base, registry::Registry, report::report};

/// A turn that is shorter is not worth a sign, which could come after its answer.
const AFTER: Duration = Duration::from_millis(700);
/// How often it is shown anew: platforms forget it after five seconds or more.
const EVERY: Duration = Duration::from_secs(4);
/// How often it is looked while turns run.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long one sign may take.
const LIMIT: Duration = Duration::from_secs(3);

/// Shows that turns run.
#[derive(Debug)]
pub struct Typing {
    base: Base,
    registry: Registry,
    turns: HashMap<SessionId, Turn>,
    signs: JoinSet<Sign>,
}

/// A turn that takes its time.
#[derive(Debug)]
struct Turn {
    claim: Claim,
    /// Where it is shown; `None` where it can't be, or can't any more.
    to: Option<Address>,
    shown: Option<Instant>,
    under_way: bool,
}

/// What became of one sign.
#[derive(Debug)]
struct Sign {
    session: SessionId,
    claim: Claim,
    shown: bool,
}

impl Typing {
    /// Shows turns on the channels of `registry`.
    pub fn new(base: Base, registry: Registry) -> Self {
        Self {
            base,
            registry,
            turns: HashMap::new(),
            signs: JoinSet::new(),
        }
    }

    /// Shows turns until shutdown.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let begun = self.base.live.turns_begin();
        let showing = async {
            loop {
                begun.notified().await;
                sleep(LOOK_EVERY).await;
                while self.look().await {
                    sleep(LOOK_EVERY).await;
                }
            }
        };
        shutdown.run_until_cancelled(showing).await;
    }

    /// Shows what is to be shown now; `true` while turns run.
    async fn look(&mut self) -> bool {
        while let Some(Ok(sign)) = self.signs.try_join_next() {
            self.settle(&sign);
        }
        let now = self.base.mono();
        let running = self.base.live.turns(now);
        self.turns.retain(|session, turn| {
            let mut running = running.iter();
            running.any(|(of, claim, _)| of == session && *claim == turn.claim)
        });
        for (session, claim, since) in &running {
            if *since >= AFTER {
                self.turn(*session, *claim).await;
                self.show(*session, now);
            }
        }
        !running.is_empty()
    }

    fn settle(&mut self, sign: &Sign) {
        let turn = self.turns.get_mut(&sign.session);
        if let Some(turn) = turn.filter(|turn| turn.claim == sign.claim) {
            turn.under_way = false;
            if !sign.shown {
                turn.to = None;
            }
        }
    }

    /// A turn is known from now on, with where it is to be shown.
    async fn turn(&mut self, session: SessionId, claim: Claim) {
        if self.turns.contains_key(&session) {
            return;
        }
        let to = match self.base.store.message(session, claim.seq.get()).await {
            Ok(message) => message.map(|message| message.address),
            Err(failure) => {
                warn!(%session, error = %report(&failure), "not known where a turn runs");
                None
            }
        };
        let turn = Turn {
            claim,
            to,
            shown: None,
            under_way: false,
        };
        self.turns.insert(session, turn);
    }

    fn show(&mut self, session: SessionId, now: Instant) {
        let Some(turn) = self.turns.get_mut(&session).filter(|turn| !turn.under_way) else {
            return;
        };
        let due = turn
            .shown
            .is_none_or(|shown| now.saturating_duration_since(shown) >= EVERY);
        let Some(to) = turn.to.clone().filter(|_| due) else {
            return;
        };
        let instance = self.registry.get(&to.channel);
        let able = instance.filter(|instance| instance.adapter.caps().typing.is_yes());
        let Some(instance) = able else {
            turn.to = None;
            return;
        };
        if instance.health.get().connection != Connection::Connected {
            return;
        }
        turn.shown = Some(now);
        turn.under_way = true;
        let claim = turn.claim;
        let (minted, random) = self.base.seed();
        let key = PartKey {
            outbound: OutboundId::mint(minted, random),
            part: 0,
        };
        self.signs.spawn(async move {
            let sending = instance.adapter.send(&to, &OutboundOp::Typing, key);
            let shown = match timeout(LIMIT, sending).await {
                Ok(Ok(_shown)) => true,
                Ok(Err(failure)) => {
                    debug!(%session, error = %report(&failure), "a turn is not shown");
                    false
                }
                Err(_elapsed) => false,
            };
            Sign {
                session,
                claim,
                shown,
            }
        });
    }
}
