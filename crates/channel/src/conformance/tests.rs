use std::sync::atomic::{AtomicU32, Ordering};

use anchorhold_core::{
    ids::{ChatId, Handle, PlatformMessageId},
    outbound::OutboundOp,
};

use super::*;
use crate::{
    adapter::{BotIdentity, ChannelContext, PartKey, Sent},
    caps::{ChannelCaps, Questions, Reader, Support},
    error::{ChannelError, Source},
    fake::{
        FakeAdapter, FakePlatform, all_caps, direct_answer, direct_event, part_key, question_id,
    },
};

/// In what way an adapter breaks the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    CountsAbsentAsSent,
    ForgetsKeys,
    IgnoresShutdown,
    MixesQuestionsUp,
    OpensAnotherChat,
    PanicsInRun,
}

struct FakeHarness {
    platform: Arc<FakePlatform>,
    flaw: Flaw,
}

impl FakeHarness {
    fn start(caps: ChannelCaps, flaw: Flaw) -> Self {
        let platform = FakePlatform::new(caps);
        let harness = Self { platform, flaw };
        if caps.reader == Reader::MayBeAbsent {
            harness.platform.leave(&harness.address(Chat::One));
            harness.platform.leave(&harness.address(Chat::Two));
            harness.platform.leave(&harness.address(Chat::Direct));
        }
        harness
    }
}

fn chat_id(chat: Chat) -> ChatId {
    let name = match chat {
        Chat::One => "one",
        Chat::Two => "two",
        Chat::Direct => "dm-person",
    };
    ChatId::parse(name).unwrap()
}

#[async_trait]
impl ConformanceHarness for FakeHarness {
    fn channel(&self) -> ChannelName {
        ChannelName::parse("fake").unwrap()
    }

    fn address(&self, chat: Chat) -> Address {
        Address {
            channel: self.channel(),
            chat: chat_id(chat),
            thread: None,
        }
    }

    async fn adapter(&self) -> Result<Arc<dyn ChannelAdapter>, Failure> {
        let inner = self.platform.adapter(self.channel());
        let flaw = self.flaw;
        Ok(Arc::new(Flawed { inner, flaw }))
    }

    async fn arrive(&self, chat: Chat) -> Result<(), Failure> {
        self.platform.come_back(&self.address(chat));
        Ok(())
    }

    async fn leave(&self, chat: Chat) -> Result<(), Failure> {
        self.platform.leave(&self.address(chat));
        Ok(())
    }

    async fn say(&self, chat: Chat, id: &str, text: &str) -> Result<(), Failure> {
        let chat = chat_id(chat);
        self.platform
            .say(direct_event("fake", chat.as_str(), id, text).unwrap());
        Ok(())
    }

    async fn told(&self, chat: Chat, id: &str) -> Result<Told, Failure> {
        let chat = chat_id(chat);
        let id = PlatformMessageId::parse(id).unwrap();
        Ok(if self.platform.refused(&chat, &id) {
            Told::NotAccepted
        } else if self.platform.acknowledged(&chat, &id) {
            Told::Accepted
        } else {
            Told::Nothing
        })
    }

    async fn seen(&self, chat: Chat) -> Result<Vec<String>, Failure> {
        let text = |op| match op {
            OutboundOp::Post { text, .. } => Some(text),
            OutboundOp::Edit { .. }
            | OutboundOp::Delete { .. }
            | OutboundOp::React { .. }
            | OutboundOp::Ask(_)
            | OutboundOp::Typing => None,
        };
        let seen = self.platform.seen(&self.address(chat));
        Ok(seen.into_iter().filter_map(text).collect())
    }

    async fn asked(&self, chat: Chat) -> Result<Vec<Vec<String>>, Failure> {
        let asked = self.platform.asked(&self.address(chat));
        Ok(asked.into_iter().map(|asked| asked.options).collect())
    }

    async fn click(&self, chat: Chat, question: usize, option: usize) -> Result<(), Failure> {
        let id = self.platform.asked(&self.address(chat))[question].id;
        let chat = chat_id(chat);
        self.platform
            .click(direct_answer("fake", chat.as_str(), id, option).unwrap());
        Ok(())
    }

    async fn hostile(&self, _input: &[u8]) -> Result<(), Failure> {
        // The fake platform hands over typed events: there are no bytes to decode.
        Ok(())
    }

    async fn drop_connection(&self) -> Result<(), Failure> {
        self.platform.lose_connection(ChannelError::Transient {
            doing: "receive",
            source: Source::from("scripted"),
        });
        Ok(())
    }
}

/// The fake adapter with a flaw.
struct Flawed {
    inner: Arc<FakeAdapter>,
    flaw: Flaw,
}

#[async_trait]
impl ChannelAdapter for Flawed {
    fn caps(&self) -> &ChannelCaps {
        self.inner.caps()
    }

    async fn probe(&self) -> Result<BotIdentity, ChannelError> {
        self.inner.probe().await
    }

    async fn run(&self, cx: ChannelContext) -> Result<(), ChannelError> {
        match self.flaw {
            Flaw::IgnoresShutdown => {
                cx.health.connected();
                std::future::pending().await
            }
            Flaw::PanicsInRun => {
                cx.health.connected();
                cx.shutdown.cancelled().await;
                panic!("a scripted panic")
            }
            Flaw::None
            | Flaw::CountsAbsentAsSent
            | Flaw::ForgetsKeys
            | Flaw::MixesQuestionsUp
            | Flaw::OpensAnotherChat => self.inner.run(cx).await,
        }
    }

    async fn send(
        &self,
        to: &Address,
        op: &OutboundOp,
        given: PartKey,
    ) -> Result<Sent, ChannelError> {
        let mut op = op.clone();
        let mut given = given;
        match (self.flaw, &mut op) {
            (Flaw::ForgetsKeys, _) => given = part_key(fresh()),
            (Flaw::MixesQuestionsUp, OutboundOp::Ask(question)) => {
                question.id = question_id(fresh());
            }
            _ => {}
        }
        match self.inner.send(to, &op, given).await {
            Err(ChannelError::Absent) if self.flaw == Flaw::CountsAbsentAsSent => {
                Ok(Sent { message_id: None })
            }
            result => result,
        }
    }

    async fn open_direct(&self, person: &Handle) -> Result<ChatId, ChannelError> {
        match self.flaw {
            Flaw::OpensAnotherChat => Ok(ChatId::parse(&fresh().to_string()).unwrap()),
            Flaw::None
            | Flaw::CountsAbsentAsSent
            | Flaw::ForgetsKeys
            | Flaw::IgnoresShutdown
            | Flaw::MixesQuestionsUp
            | Flaw::PanicsInRun => self.inner.open_direct(person).await,
        }
    }
}

fn fresh() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1_000);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[tokio::test]
async fn the_fake_adapter_conforms() {
    let report = run(async || Ok(FakeHarness::start(all_caps(), Flaw::None))).await;
    assert_eq!(report.failures(), Vec::<String>::new(), "{report}");
    assert_eq!(report.skipped(), Vec::<String>::new());
}

#[tokio::test]
async fn what_does_not_apply_is_skipped() {
    let mut caps = all_caps();
    caps.reader = Reader::ScrollsBack;
    caps.dedupes_by_key = Support::No;
    caps.questions = Questions::Text;
    caps.opens_directs = Support::No;
    let report = run(async || Ok(FakeHarness::start(caps, Flaw::None))).await;
    assert_eq!(report.failures(), Vec::<String>::new(), "{report}");
    assert_eq!(
        report.skipped(),
        [
            "same_key_is_seen_once: the platform does not dedupe by key",
            "nobody_there_is_never_sent: people scroll back, nobody is absent",
            "a_click_answers_its_question_once: the platform asks questions as text",
            "a_failed_click_does_not_end_run: the platform asks questions as text",
            "a_question_outlives_a_restart: the platform asks questions as text",
        ]
    );
}

async fn fails(flaw: Flaw, reader: Reader, name: &str, why: &str) {
    let case = CASES.iter().find(|case| case.name == name).unwrap();
    let mut caps = all_caps();
    caps.reader = reader;
    let harness = FakeHarness::start(caps, flaw);
    let expect = Outcome::Failed(Failure::new(why));
    assert_eq!(case.run(&harness).await, expect, "{flaw:?}");
}

#[tokio::test(start_paused = true)]
async fn a_flaw_is_found() {
    let absent = Reader::MayBeAbsent;
    let there = Reader::ScrollsBack;
    fails(
        Flaw::CountsAbsentAsSent,
        absent,
        "nobody_there_is_never_sent",
        "a message without a reader counts as sent",
    )
    .await;
    fails(
        Flaw::ForgetsKeys,
        absent,
        "same_key_is_seen_once",
        "a resend has another message id",
    )
    .await;
    fails(
        Flaw::IgnoresShutdown,
        absent,
        "text_in_arrives_once",
        "a reader came, `present` was not called",
    )
    .await;
    fails(
        Flaw::IgnoresShutdown,
        there,
        "text_out_is_seen",
        "`run` did not end after its token fired",
    )
    .await;
    fails(
        Flaw::MixesQuestionsUp,
        there,
        "a_click_answers_its_question_once",
        "a click answered another question",
    )
    .await;
    fails(
        Flaw::OpensAnotherChat,
        there,
        "a_direct_chat_is_opened_in_silence",
        "the direct chat is another one the second time",
    )
    .await;
    fails(
        Flaw::PanicsInRun,
        there,
        "text_out_is_seen",
        "`run` panicked",
    )
    .await;
}
