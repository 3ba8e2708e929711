use std::sync::atomic::{AtomicU32, Ordering};

use anchorhold_core::{
    ids::{ChatId, Handle, PlatformMessageId, ThreadId},
    inbound::{Attachment, ChatKind, InboundAnswer, InboundEvent, What},
    outbound::OutboundOp,
};

use super::*;
use crate::{
    adapter::{BotIdentity, ChannelContext, PartKey, Sent},
    caps::{ChannelCaps, FilesOut, Questions, Reader, Support, TextLimit},
    error::{ChannelError, IntakeError, LimitScope, Source},
    fake::{
        FakeAdapter, FakePlatform, Scripted, all_caps, direct_answer, direct_event, part_key,
        question_id,
    },
    inbox::{Accepted, Answered, Inbox, Intake},
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
    TakesEditsForMessages,
    MixesScopesUp,
    SaysTexts,
}

/// A platform that can do everything.
fn everything() -> ChannelCaps {
    ChannelCaps {
        threads: Support::Yes,
        files: FilesOut::UpTo {
            text: TextLimit::Unlimited,
            count: 1,
            each_bytes: 100,
            total_bytes: 100,
        },
        ..all_caps()
    }
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
            for chat in [
                Chat::One,
                Chat::Two,
                Chat::Direct,
                Chat::Group,
                Chat::Thread,
            ] {
                harness.platform.leave(&harness.address(chat));
            }
        }
        harness
    }

    fn event(&self, chat: Chat, id: &str, text: &str) -> InboundEvent {
        let mut event = direct_event("fake", chat_id(chat).as_str(), id, text).unwrap();
        event.address = self.address(chat);
        if matches!(chat, Chat::Group | Chat::Thread) {
            event.chat_kind = ChatKind::Group;
            event.addressed = false;
        }
        event
    }

    fn say_about(&self, (chat, id): (Chat, &str), text: &str, what: What) -> Did {
        let mut event = self.event(chat, &format!("{id}-{text}"), text);
        event.what = what;
        self.platform.say(event);
        Did::It
    }

    /// What was taken at a chat, each once.
    fn taken(&self, chat: Chat) -> Vec<(PartKey, OutboundOp)> {
        let address = self.address(chat);
        let mut taken: Vec<(PartKey, OutboundOp)> = Vec::new();
        for send in self.platform.sends() {
            let done = matches!(send.outcome, "sent" | "ambiguous");
            let again = taken.iter().any(|(key, _)| *key == send.key);
            if done && !again && send.to == address {
                taken.push((send.key, send.op));
            }
        }
        taken
    }
}

fn chat_id(chat: Chat) -> ChatId {
    let name = match chat {
        Chat::One => "one",
        Chat::Two => "two",
        Chat::Direct => "dm-person",
        Chat::Group | Chat::Thread => "group",
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
            thread: (chat == Chat::Thread).then(|| ThreadId::parse("thread").unwrap()),
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
        self.platform.say(self.event(chat, id, text));
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
        let mut seen: Vec<(PlatformMessageId, String)> = Vec::new();
        for (key, op) in self.taken(chat) {
            match op {
                OutboundOp::Post { text, .. } => seen.push((key.message_id().unwrap(), text)),
                OutboundOp::Edit { target, text } => {
                    for (_, old) in seen.iter_mut().filter(|(id, _)| *id == target) {
                        old.clone_from(&text);
                    }
                }
                OutboundOp::Delete { target } => seen.retain(|(id, _)| *id != target),
                OutboundOp::React { .. } | OutboundOp::Ask(_) | OutboundOp::Typing => {}
            }
        }
        Ok(seen.into_iter().map(|(_, text)| text).collect())
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

    async fn mention(&self, chat: Chat, id: &str, text: &str) -> Result<Did, Failure> {
        let mut event = self.event(chat, id, text);
        event.addressed = true;
        self.platform.say(event);
        Ok(Did::It)
    }

    async fn revise(&self, chat: Chat, id: &str, text: &str) -> Result<Did, Failure> {
        let of = PlatformMessageId::parse(id).unwrap();
        Ok(self.say_about((chat, id), text, What::Edit { of }))
    }

    async fn react(&self, chat: Chat, id: &str, emoji: &str) -> Result<Did, Failure> {
        let to = PlatformMessageId::parse(id).unwrap();
        Ok(self.say_about((chat, id), emoji, What::Reaction { to }))
    }

    async fn share(
        &self,
        chat: Chat,
        id: &str,
        text: &str,
        files: &[OutboundFile],
    ) -> Result<Did, Failure> {
        let mut event = self.event(chat, id, text);
        let attachment = |file: &OutboundFile| Attachment {
            name: file.name.clone(),
            media_type: None,
            content: file.content.clone(),
        };
        event.attachments = files.iter().map(attachment).collect();
        self.platform.say(event);
        Ok(Did::It)
    }

    async fn files(&self, chat: Chat) -> Result<Vec<OutboundFile>, Failure> {
        let files = |(_, op)| match op {
            OutboundOp::Post { files, .. } => files,
            OutboundOp::Edit { .. }
            | OutboundOp::Delete { .. }
            | OutboundOp::React { .. }
            | OutboundOp::Ask(_)
            | OutboundOp::Typing => Vec::new(),
        };
        Ok(self.taken(chat).into_iter().flat_map(files).collect())
    }

    async fn reactions(&self, chat: Chat) -> Result<Vec<String>, Failure> {
        let emoji = |(_, op)| match op {
            OutboundOp::React { emoji, .. } => Some(emoji),
            OutboundOp::Post { .. }
            | OutboundOp::Edit { .. }
            | OutboundOp::Delete { .. }
            | OutboundOp::Ask(_)
            | OutboundOp::Typing => None,
        };
        Ok(self.taken(chat).into_iter().filter_map(emoji).collect())
    }

    async fn trouble(&self, side: Side, trouble: Trouble) -> Result<Did, Failure> {
        let scripted = match trouble {
            Trouble::Limit(scope, retry_after) => {
                Scripted::Fail(ChannelError::RateLimited { retry_after, scope })
            }
            Trouble::ServerError => Scripted::Fail(ChannelError::Transient {
                doing: "posting",
                source: Source::from("scripted"),
            }),
            Trouble::Refuse => Scripted::Fail(ChannelError::Permanent {
                reason: "scripted".into(),
            }),
            Trouble::Unauthorized => Scripted::Fail(ChannelError::Unauthorized {
                reason: "scripted".into(),
            }),
            Trouble::LoseAnswer | Trouble::GarbleAnswer => Scripted::TakeAndLoseAnswer,
        };
        match (side, scripted) {
            (Side::Sending, scripted) => self.platform.script(scripted),
            (Side::Receiving, Scripted::Fail(error)) => self.platform.lose_connection(error),
            (Side::Receiving, Scripted::Take | Scripted::TakeAndLoseAnswer) => {
                return Ok(Did::NotHere);
            }
        }
        Ok(Did::It)
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
            Flaw::TakesEditsForMessages => {
                let channel = ChannelName::parse("fake").unwrap();
                let inbox = Inbox::new(channel, Arc::new(Flattens(cx.inbox.clone())));
                self.inner.run(ChannelContext { inbox, ..cx }).await
            }
            Flaw::None
            | Flaw::CountsAbsentAsSent
            | Flaw::ForgetsKeys
            | Flaw::MixesQuestionsUp
            | Flaw::MixesScopesUp
            | Flaw::OpensAnotherChat
            | Flaw::SaysTexts => self.inner.run(cx).await,
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
        match (self.inner.send(to, &op, given).await, self.flaw, op) {
            (Err(ChannelError::Absent), Flaw::CountsAbsentAsSent, _) => {
                Ok(Sent { message_id: None })
            }
            (Err(ChannelError::RateLimited { retry_after, .. }), Flaw::MixesScopesUp, _) => {
                let scope = LimitScope::Instance;
                Err(ChannelError::RateLimited { retry_after, scope })
            }
            (
                Err(ChannelError::Permanent { .. }),
                Flaw::SaysTexts,
                OutboundOp::Post { text, .. },
            ) => Err(ChannelError::Permanent { reason: text }),
            (result, _, _) => result,
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
            | Flaw::MixesScopesUp
            | Flaw::PanicsInRun
            | Flaw::SaysTexts
            | Flaw::TakesEditsForMessages => self.inner.open_direct(person).await,
        }
    }
}

/// Hands every event on as a message of its own.
struct Flattens(Inbox);

#[async_trait]
impl Intake for Flattens {
    async fn deliver(&self, mut event: InboundEvent) -> Result<Accepted, IntakeError> {
        event.what = What::Message;
        self.0.deliver(event).await
    }

    async fn answer(&self, answer: InboundAnswer) -> Result<Answered, IntakeError> {
        self.0.answer(answer).await
    }

    async fn present(&self, address: &Address) {
        self.0.present(address).await;
    }
}

fn fresh() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1_000);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[tokio::test]
async fn the_fake_adapter_conforms() {
    let report = run(async || Ok(FakeHarness::start(everything(), Flaw::None))).await;
    assert_eq!(report.failures(), Vec::<String>::new(), "{report}");
    assert_eq!(
        report.skipped(),
        ["what_is_not_there_is_refused_for_good: the platform can do everything"]
    );
}

#[tokio::test]
async fn what_does_not_apply_is_skipped() {
    let mut caps = all_caps();
    caps.reader = Reader::ScrollsBack;
    caps.dedupes_by_key = Support::No;
    caps.questions = Questions::Text;
    caps.opens_directs = Support::No;
    caps.edits = Support::No;
    caps.typing = Support::No;
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
            "a_thread_is_a_place_of_its_own: the platform has no threads",
            "files_are_seen_with_their_text: the platform takes no files",
            "a_message_can_be_changed: messages stay as they are",
            "typing_is_taken: nobody sees who types",
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
}

#[tokio::test(start_paused = true)]
async fn a_flaw_in_what_the_platform_tells_is_found() {
    let there = Reader::ScrollsBack;
    fails(
        Flaw::TakesEditsForMessages,
        there,
        "an_edit_is_known_as_one",
        "an edit does not name its message",
    )
    .await;
    fails(
        Flaw::MixesScopesUp,
        there,
        "a_limit_says_whom_it_is_about",
        "7s for Chat became 7s for Instance",
    )
    .await;
    fails(
        Flaw::SaysTexts,
        there,
        "no_error_says_a_secret",
        "an error says a secret after Refuse",
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
