//! The platform's adapter in one host's life: what reaches it after that life's end is not done.

use std::{fmt, sync::Arc, time::Duration};

use anchorhold_channel::{
    BotIdentity, ChannelAdapter, ChannelCaps, ChannelContext, ChannelError, FilesOut, IntakeError,
    LimitScope, Markup, PartKey, Questions, Reader, Sent, Support, TextLimit,
};
use anchorhold_core::{
    address::Address,
    clock::Clock,
    ids::{ChannelName, ChatId, Handle},
    outbound::OutboundOp,
};
use async_trait::async_trait;
use tokio::time::sleep;

use super::{Platform, event};
use crate::{
    plan::{DEDUPES, Said, StormKind},
    world::{Life, World},
};

/// The longest text of one message: short, so that answers are split.
const TEXT_CHARS: usize = 48;
/// How often the adapter looks without having been told.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long it leaves with the platform what the host can't take.
const OFFER_AGAIN: Duration = Duration::from_millis(200);

/// One instance's adapter.
pub struct Adapter {
    world: Arc<World>,
    platform: Arc<Platform>,
    life: Arc<Life>,
    channel: ChannelName,
    caps: ChannelCaps,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adapter")
            .field("channel", &self.channel)
            .finish_non_exhaustive()
    }
}

impl Adapter {
    /// The adapter of `channel` in the life of one host.
    pub fn new(
        (world, platform): (Arc<World>, Arc<Platform>),
        life: Arc<Life>,
        channel: ChannelName,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let caps = caps(channel.as_str() == DEDUPES);
        Self {
            world,
            platform,
            life,
            channel,
            caps,
            clock,
        }
    }

    async fn receive(&self, cx: &ChannelContext) -> Result<(), ChannelError> {
        loop {
            self.life.alive().await;
            match self.platform.offer(&self.channel) {
                Some(said) => self.hand_over(cx, said).await,
                None => {
                    tokio::select! {
                        biased;
                        () = self.platform.changed.notified() => {}
                        () = sleep(LOOK_EVERY) => {}
                    }
                }
            }
        }
    }

    async fn hand_over(&self, cx: &ChannelContext, said: Said) {
        let number = said.number;
        let Some(event) = event(&said, self.clock.now()) else {
            self.world
                .violation(format_args!("m{number} can't be said"));
            return sleep(OFFER_AGAIN).await;
        };
        if self.step(format!("m{number} offered")).await && self.world.sabotage.acks_at_once() {
            self.platform.acknowledge(number);
        }
        let taken = cx.inbox.deliver(event).await;
        match taken {
            Ok(accepted) => {
                self.step(format!("m{number} acknowledged: {accepted:?}"))
                    .await;
                if !self.world.sabotage.acks_at_once() {
                    self.platform.acknowledge(number);
                }
                cx.health.inbound();
            }
            Err(IntakeError::Unavailable(_) | IntakeError::Stopping) => {
                self.life.alive().await;
                self.world.note(format_args!("m{number} not taken now"));
                sleep(OFFER_AGAIN).await;
            }
            Err(IntakeError::Refused { why }) => {
                self.life.alive().await;
                self.world
                    .violation(format_args!("m{number} was refused: {why}"));
                self.platform.acknowledge(number);
            }
        }
    }

    /// A numbered step; never returns if it is the last one, else true.
    async fn step(&self, what: String) -> bool {
        if self.world.step(&self.life, format_args!("{what}")).is_err() {
            std::future::pending::<()>().await;
        }
        true
    }

    /// What the weather makes of a send, before the platform sees it.
    async fn weather(&self) -> Result<Weather, ChannelError> {
        if self.world.storms(StormKind::RateLimited) {
            // Some platforms do not say for how long.
            let retry_after = Duration::from_millis(self.world.below(3) * 700);
            let scope = if self.world.below(2) == 0 {
                LimitScope::Chat
            } else {
                LimitScope::Instance
            };
            return Err(ChannelError::RateLimited { retry_after, scope });
        }
        if self.world.storms(StormKind::Transient) {
            return Err(ChannelError::Transient {
                doing: "sending",
                source: "status 503".into(),
            });
        }
        if self.world.storms(StormKind::Slow) {
            // At the longest longer than the host waits.
            let wait = Duration::from_millis(self.world.below(90_000));
            if self.world.below(2) == 0 {
                sleep(wait).await;
            } else {
                return Ok(Weather::TakenThenSlow(wait));
            }
        }
        if self.world.storms(StormKind::LostUnheard) {
            return Err(ambiguous());
        }
        if self.world.storms(StormKind::TakenUnheard) {
            return Ok(Weather::TakenUnheard);
        }
        Ok(Weather::Fine)
    }
}

enum Weather {
    Fine,
    TakenUnheard,
    TakenThenSlow(Duration),
}

fn ambiguous() -> ChannelError {
    ChannelError::Ambiguous {
        doing: "sending",
        source: "the connection broke".into(),
    }
}

fn caps(dedupes: bool) -> ChannelCaps {
    ChannelCaps {
        text: TextLimit::Chars(TEXT_CHARS),
        markup: Markup::Plain,
        threads: Support::No,
        edits: Support::No,
        deletes: Support::No,
        reactions: Support::No,
        typing: Support::No,
        questions: Questions::Text,
        opens_directs: Support::No,
        files: FilesOut::None,
        dedupes_by_key: if dedupes { Support::Yes } else { Support::No },
        reader: Reader::ScrollsBack,
    }
}

#[async_trait]
impl ChannelAdapter for Adapter {
    fn caps(&self) -> &ChannelCaps {
        &self.caps
    }

    async fn probe(&self) -> Result<BotIdentity, ChannelError> {
        let handle = Handle::parse("bot").map_err(|error| ChannelError::Permanent {
            reason: error.to_string(),
        })?;
        Ok(BotIdentity {
            handle,
            name: None,
            sees: Vec::new(),
        })
    }

    async fn run(&self, cx: ChannelContext) -> Result<(), ChannelError> {
        cx.health.connected();
        tokio::select! {
            biased;
            () = cx.shutdown.cancelled() => Ok(()),
            ended = self.receive(&cx) => ended,
        }
    }

    async fn send(
        &self,
        to: &Address,
        op: &OutboundOp,
        key: PartKey,
    ) -> Result<Sent, ChannelError> {
        self.step(format!("send {key} to {}", to.chat)).await;
        let weather = match self.weather().await {
            Ok(weather) => weather,
            Err(failure) => {
                self.life.alive().await;
                self.world.note(format_args!("  {key}: {failure}"));
                return Err(failure);
            }
        };
        self.life.alive().await;
        let OutboundOp::Post { text, .. } = op else {
            let reason = format!("the platform has no {}", op.name());
            return Err(ChannelError::Permanent { reason });
        };
        self.platform.show(to, text.clone(), key);
        self.step(format!("taken {key}")).await;
        match weather {
            Weather::Fine => {}
            Weather::TakenUnheard => {
                self.world
                    .note(format_args!("  {key}: taken, not answered"));
                return Err(ambiguous());
            }
            Weather::TakenThenSlow(wait) => sleep(wait).await,
        }
        self.life.alive().await;
        Ok(Sent {
            message_id: key.message_id().ok(),
        })
    }

    async fn open_direct(&self, _person: &Handle) -> Result<ChatId, ChannelError> {
        let reason = "the platform opens no direct chats".to_owned();
        Err(ChannelError::Permanent { reason })
    }
}
