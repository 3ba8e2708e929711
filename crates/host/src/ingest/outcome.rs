//! Answers to questions, and what follows from them: a decision is taken, an agent's question gets
//! its answer.

use anchorhold_channel::Answered;
use anchorhold_core::{
    access::Standing,
    address::Address,
    command::{self, Command},
    entity::{Conversation, UnknownSenderPolicy},
    guard::act::{Act, ConversationChange},
    ids::{AgentGroupId, ConversationId, QuestionId, UserId},
    inbound::{InboundAnswer, InboundEvent, Sender},
};
use anchorhold_sessiondb::{Answer, Inbound, Seq};
use anchorhold_store::{
    Error as StoreError,
    approvals::{Approval, Pick},
    people::NewUser,
    questions::{QuestionRow, QuestionStatus},
};
use tracing::error;

use crate::{
    approvals::{Decider, Verdict},
    base::mint,
    commands::Hears,
    deliver::outgoing::Outgoing,
    ingest::{Failure, Ingest},
    notice,
    report::report,
};

impl Ingest {
    /// A click, as the platform proves who made it.
    pub(super) async fn take_answer(&self, answer: &InboundAnswer) -> Result<Answered, Failure> {
        let user = self.person(&answer.address, &answer.sender).await?;
        self.answered(answer, user).await
    }

    /// A decision that could not be taken. Where the act is not the one that was asked for, no
    /// later try would help.
    async fn undecidable(
        &self,
        question: QuestionId,
        failure: Failure,
    ) -> Result<Answered, Failure> {
        let changed = failure.downcast::<StoreError>()?;
        self.withdraw(question, *changed).await?;
        let why = "This request was changed after it was asked for, so it does not count.";
        Ok(Answered::Refused(why.to_owned()))
    }

    /// The answer of somebody who is on record.
    async fn answered(&self, answer: &InboundAnswer, user: UserId) -> Result<Answered, Failure> {
        let (question, option) = (answer.question, answer.option);
        let decider = Decider::Person(user);
        match self.approvals.decide(question, option, decider).await {
            Ok(Some(verdict)) => return self.follow(verdict).await,
            Ok(None) => {}
            Err(failure) => return self.undecidable(question, failure).await,
        }
        let Some(row) = self.base.store.question(question).await? else {
            return Ok(Answered::Refused("This question is gone.".to_owned()));
        };
        self.answer_agent(answer, user, &row).await
    }

    /// Does what a person's command asks for; what to answer.
    pub(super) async fn obey(
        &self,
        command: &Command,
        event: &InboundEvent,
        (sender, conversation): (UserId, ConversationId),
        audience: &[Hears],
    ) -> Result<String, Failure> {
        if let Command::Answer { question, option } = command {
            let answering = self.answer_in_words(event, sender, (question, *option));
            return Box::pin(answering).await;
        }
        let parties = (sender, conversation);
        let said = self.commands.run(command, event, parties, audience).await?;
        Ok(said)
    }

    /// An answer in words of somebody who may decide something, as it comes where no agent hears
    /// them: whoever is asked can answer in any chat. `None` if it is anything else.
    pub(super) async fn decision_in_words(
        &self,
        event: &InboundEvent,
    ) -> Result<Option<String>, Failure> {
        let Some(Command::Answer { question, option }) = command::parse(&event.text) else {
            return Ok(None);
        };
        let store = &self.base.store;
        let channel = &event.address.channel;
        let person = store.find_user(channel, &event.sender.handle).await?;
        let Some(person) = person.filter(|_| event.addressed) else {
            return Ok(None);
        };
        if store.standing(person.id).await?.roles.is_empty() {
            return Ok(None);
        }
        let answering = self.answer_in_words(event, person.id, (&question, option));
        Box::pin(answering).await.map(Some)
    }

    /// An answer that was written as text: `/answer <code> <number>`.
    async fn answer_in_words(
        &self,
        event: &InboundEvent,
        user: UserId,
        (question, option): (&str, usize),
    ) -> Result<String, Failure> {
        let found = match QuestionId::parse(question) {
            Ok(id) => vec![id],
            Err(_not_whole) => self.open_by_code(question).await?,
        };
        let question = match found.as_slice() {
            [] => {
                return Ok(
                    "There is no open question with that code; it may have been answered already."
                        .to_owned(),
                );
            }
            [one] => *one,
            _several => {
                return Ok("Several open questions have that code; use the whole id.".to_owned());
            }
        };
        if !self
            .approvals
            .may_be_decided_at(question, (user, &event.address))
            .await?
        {
            return Ok(
                "This is decided where its card is: in the chat it was sent to, or by the operator."
                    .to_owned(),
            );
        }
        let answer = InboundAnswer {
            address: event.address.clone(),
            question,
            option,
            sender: event.sender.clone(),
            at: event.sent_at,
        };
        Ok(match self.answered(&answer, user).await? {
            Answered::Taken(said) | Answered::Refused(said) => said,
        })
    }

    async fn open_by_code(&self, code: &str) -> Result<Vec<QuestionId>, Failure> {
        let mut found = self.base.store.approval_by_code(code).await?;
        found.extend(self.base.store.question_by_code(code).await?);
        Ok(found)
    }

    /// The operator's decision about a request; what to tell, or `None` if there is no such request.
    pub async fn decide_as_operator(
        &self,
        question: QuestionId,
        pick: &Pick,
    ) -> Result<Option<Answered>, Failure> {
        let decided = self
            .approvals
            .pick(question, pick, Decider::Operator)
            .await?;
        match decided {
            Some(verdict) => self.follow(verdict).await.map(Some),
            None => Ok(None),
        }
    }

    /// Does what follows from a decision.
    async fn follow(&self, verdict: Verdict) -> Result<Answered, Failure> {
        Ok(match verdict {
            Verdict::Approved(approval) => match Box::pin(self.carry_out(&approval)).await {
                Ok(said) => Answered::Taken(said),
                Err(failure) => {
                    error!(approval = %approval.id, error = %report(&*failure), "approved act not carried out yet");
                    Answered::Taken(
                        "Approved. It could not be carried out yet and is tried again.".to_owned(),
                    )
                }
            },
            Verdict::Rejected(approval) => {
                self.refused(&approval).await?;
                Answered::Taken("Refused.".to_owned())
            }
            Verdict::Unchanged(why) => Answered::Refused(why),
        })
    }

    /// A request was refused: that is remembered, and who asked is told.
    async fn refused(&self, approval: &Approval) -> Result<(), Failure> {
        let (store, now) = (&self.base.store, self.base.now());
        if let Act::WireConversation { conversation, .. } = &approval.act {
            let refuse = ConversationChange {
                declined: Some(true),
                ..ConversationChange::default()
            };
            store
                .change_conversation(*conversation, &refuse, now)
                .await?;
        }
        self.tell_who_waits(approval, notice::refused()).await?;
        self.tell_agent(approval, "It was refused.").await?;
        Ok(())
    }

    /// Tells the person whose message waits what became of their request.
    pub(super) async fn tell_who_waits(
        &self,
        approval: &Approval,
        text: String,
    ) -> Result<(), Failure> {
        // Nobody's message waits for what an agent has asked for.
        let asked_here = approval.conversation.filter(|_| approval.session.is_none());
        let Some(conversation) = asked_here else {
            return Ok(());
        };
        if let Some(row) = self.base.store.conversation_by_id(conversation).await? {
            let place = Address {
                channel: row.conversation.channel,
                chat: row.conversation.chat,
                thread: None,
            };
            self.say(&place, &Outgoing::notice(text)).await?;
        }
        Ok(())
    }

    /// Tells the agent that asked what became of its request.
    pub(super) async fn tell_agent(
        &self,
        approval: &Approval,
        outcome: &str,
    ) -> Result<(), Failure> {
        let Some(session) = approval.session else {
            return Ok(());
        };
        let row = self.base.store.session(session).await?;
        // One that is closed is not woken any more, not even for this.
        let Some(row) = row.filter(|row| row.closed_at.is_none()) else {
            return Ok(());
        };
        let group = row.session.key.agent_group;
        let asked = approval.act.name();
        let text = format!("Your request {} ({asked}): {outcome}", approval.id.code());
        let key = format!("{}approval {}", crate::sessions::HOST_WORD, approval.id);
        Ok(self.sessions.note(group, session, &text, &key).await?)
    }

    /// Gives an agent the answer to its question.
    async fn answer_agent(
        &self,
        answer: &InboundAnswer,
        user: UserId,
        row: &QuestionRow,
    ) -> Result<Answered, Failure> {
        let refused = |why: &str| Ok(Answered::Refused(why.to_owned()));
        let store = &self.base.store;
        let Some(chosen) = row.options.get(answer.option) else {
            return refused("There is no such answer.");
        };
        let session = store.session(row.session).await?;
        let Some(session) = session.filter(|session| session.closed_at.is_none()) else {
            return refused("The conversation that asked this is over.");
        };
        let Some(delivery) = store.delivery(row.delivery).await? else {
            return refused("This question is gone.");
        };
        let Some(question_seq) = delivery.seq.and_then(Seq::new) else {
            return refused("This question is gone.");
        };
        let group = session.session.key.agent_group;
        let place = &delivery.address;
        let conversation = store.conversation(&place.channel, &place.chat).await?;
        if !self.hears(user, group, conversation.as_ref()).await? {
            return refused("You may not answer this.");
        }
        let text = chosen.clone();
        match row.status {
            QuestionStatus::Open if row.expires_at > self.base.now() => {}
            QuestionStatus::Answered => return refused("This was answered already."),
            QuestionStatus::Open | QuestionStatus::Expired => {
                return refused("The time to answer this is over.");
            }
        }
        let payload = Inbound::Answer(Answer {
            question_seq,
            title: row.title.clone(),
            option: answer.option,
            text: text.clone(),
            channel: place.channel.as_str().to_owned(),
            sender: answer.sender.handle.as_str().to_owned(),
            sender_name: answer.sender.name.clone(),
            answered_at: answer.at,
        });
        let key = format!("{}answer {}", crate::sessions::HOST_WORD, answer.question);
        // First it is durable for the agent, then on record here: a host that dies in between says it
        // again, and the first answer is the one that counts.
        let fresh = self
            .sessions
            .answer((group, row.session), place, payload, &key)
            .await?;
        let now = self.base.now();
        store
            .answer_question(answer.question, answer.option, Some(user), now)
            .await?;
        if !fresh {
            return refused("This was answered already.");
        }
        Ok(Answered::Taken(format!("You answered: {text}")))
    }

    /// Would this agent hear the person there?
    async fn hears(
        &self,
        user: UserId,
        group: AgentGroupId,
        conversation: Option<&Conversation>,
    ) -> Result<bool, Failure> {
        let standing: Standing = self.base.store.standing(user).await?;
        let public = |conversation: &Conversation| {
            conversation.unknown_senders == UnknownSenderPolicy::Public
        };
        Ok(standing.is_known_to(group) || conversation.is_some_and(public))
    }

    async fn person(&self, address: &Address, sender: &Sender) -> Result<UserId, Failure> {
        let person = NewUser {
            id: mint!(self.base, UserId),
            channel: address.channel.clone(),
            handle: sender.handle.clone(),
            display_name: sender.name.clone(),
        };
        Ok(self
            .base
            .store
            .ensure_user(&person, self.base.now())
            .await?)
    }
}
