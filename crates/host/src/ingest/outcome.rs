//! Answers to questions, and what follows from them: an approved act is carried out and what waited
//! for it is routed anew; an agent's question gets its answer.

use std::sync::Arc;

use anchorhold_channel::Answered;
use anchorhold_core::{
    access::Standing,
    address::Address,
    command::Command,
    entity::{Conversation, UnknownSenderPolicy},
    guard::{
        self, Actor, Ruling,
        act::{Act, ConversationChange, NewGroup},
    },
    ids::{AgentGroupId, ConversationId, FolderName, QuestionId, UserId},
    inbound::{InboundAnswer, InboundEvent, Sender},
    route, slug,
};
use anchorhold_sessiondb::{Answer, Inbound, Seq};
use anchorhold_store::{
    approvals::{Approval, Pick},
    people::NewUser,
    questions::{QuestionRow, QuestionStatus},
};
use tracing::{error, info, warn};

use crate::{
    acts::ActError,
    approvals::{Decider, Verdict},
    base::mint,
    commands::Hears,
    ingest::{Failure, Ingest, held},
    notice,
    report::report,
};

/// How much is done in one go.
const LIMIT: u32 = 100;

impl Ingest {
    /// A click, as the platform proves who made it.
    pub(super) async fn take_answer(&self, answer: &InboundAnswer) -> Result<Answered, Failure> {
        let user = self.person(&answer.address, &answer.sender).await?;
        self.answered(answer, user).await
    }

    /// The answer of somebody who is on record.
    async fn answered(&self, answer: &InboundAnswer, user: UserId) -> Result<Answered, Failure> {
        let (question, option) = (answer.question, answer.option);
        let decider = Decider::Person(user);
        if let Some(verdict) = self.approvals.decide(question, option, decider).await? {
            return self.follow(verdict).await;
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
            [] => return Ok("There is no open question with that code.".to_owned()),
            [one] => *one,
            _several => {
                return Ok("Several open questions have that code; use the whole id.".to_owned());
            }
        };
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
            Verdict::Approved(approval) => match self.carry_out(&approval).await {
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

    /// Carries out what was approved, and routes anew what waited for it. Safe to repeat.
    pub(super) async fn carry_out(&self, approval: &Approval) -> Result<String, Failure> {
        let (store, id) = (&self.base.store, approval.id);
        let done = match self.recheck(approval).await? {
            Ok(()) => self.carry_out_pick(approval).await,
            Err(why) => Err(ActError::Invalid(why)),
        };
        let said = match done {
            Ok(what) => what,
            Err(failure @ (ActError::Store(_) | ActError::Session(_))) => {
                return Err(failure.into());
            }
            // Trying again would not help: it ends here, and who asked is told.
            Err(failure) => {
                warn!(approval = %id, error = %report(&failure), "approved act can't be carried out");
                format!("It can't be carried out: {failure}.")
            }
        };
        self.tell_agent(approval, &said).await?;
        loop {
            for waiting in store.held_events(id, LIMIT).await? {
                match serde_json::from_str::<held::Held>(&waiting.event) {
                    Ok(held) => self.replay(held.event()).await?,
                    Err(_unreadable) => {
                        warn!(approval = %id, "a message that waited can't be read");
                    }
                }
                store.drop_held_event(id, &waiting).await?;
            }
            // A message can come to wait until the very end.
            if store.carried_out(id, self.base.now()).await?
                || store.held_events(id, 1).await?.is_empty()
            {
                break;
            }
        }
        info!(approval = %id, "approval carried out");
        Ok(said)
    }

    /// Things may have changed since it was asked for: whoever decided must still be entitled to.
    async fn recheck(&self, approval: &Approval) -> Result<Result<(), String>, Failure> {
        let actor = match approval.decided_by {
            None => Actor::Operator,
            Some(user) => Actor::Person {
                user,
                standing: self.base.store.standing(user).await?,
            },
        };
        Ok(match guard::decide(&actor, &approval.act) {
            Ruling::Allow => Ok(()),
            Ruling::Hold | Ruling::Deny(_) => {
                Err("who approved it may not decide this any more".to_owned())
            }
        })
    }

    async fn carry_out_pick(&self, approval: &Approval) -> Result<String, ActError> {
        let Act::WireConversation {
            conversation,
            asked_by,
            ..
        } = &approval.act
        else {
            let done = self
                .acts
                .perform(&approval.act, approval.decided_by)
                .await?;
            return Ok(done.what);
        };
        let row = self.base.store.conversation_by_id(*conversation).await?;
        let row = row.ok_or(ActError::NotFound("conversation"))?;
        let group = match &approval.pick {
            Some(Pick::Connect(group)) => *group,
            Some(Pick::NewAgent) => {
                let name = row.name.clone();
                let name = name.unwrap_or_else(|| row.conversation.chat.as_str().to_owned());
                self.new_agent(approval.id, &name).await?
            }
            // It was connected in another way before anybody chose.
            Some(Pick::Approve) => return Ok("Connected meanwhile.".to_owned()),
            Some(Pick::Reject) | None => {
                return Err(ActError::Invalid("no agent was chosen".to_owned()));
            }
        };
        self.acts.connect(&row.conversation, group).await?;
        let (by, now) = (approval.decided_by, self.base.now());
        let store = &self.base.store;
        store.add_member(*asked_by, group, by, now).await?;
        Ok("Connected. What waited there is answered now.".to_owned())
    }

    /// The agent that is made for an unheard conversation; the same however often this is called.
    async fn new_agent(&self, approval: QuestionId, name: &str) -> Result<AgentGroupId, ActError> {
        let invalid = |_never| ActError::Invalid("no folder fits that name".to_owned());
        let id = AgentGroupId::parse(&approval.to_string()).map_err(invalid)?;
        let groups = self.base.store.groups().await?;
        let taken = |folder: &str| groups.iter().any(|group| group.folder.as_str() == folder);
        let folder = slug::distinct(&slug::slug(name), taken);
        let new = NewGroup {
            folder: FolderName::parse(&folder).map_err(invalid)?,
            name: None,
            provider: None,
            model: None,
            runtime: None,
            admin_scope: None,
        };
        self.acts.fresh_agent(id, &new).await?;
        Ok(id)
    }

    /// Routes a message that waited. Whoever heard it before does not hear it again.
    async fn replay(&self, event: InboundEvent) -> Result<(), Failure> {
        let (channel, chat) = (event.address.channel.clone(), event.address.chat.clone());
        let (store, message_id) = (&self.base.store, event.message_id.clone());
        let wirings = store.wirings_for(&channel, &chat).await?;
        let applicable = route::applicable(&wirings, &chat);
        let (conversation, sender, standing) = self.parties(&event).await?;
        let parties = (&conversation, &standing);
        let mut judged = self.judge(&event, parties, &applicable).await?;
        let mut fresh = Vec::with_capacity(judged.len());
        for one in judged.drain(..) {
            let group = one.wiring.agent_group;
            if !store.heard_by(group, &channel, &chat, &message_id).await? {
                fresh.push(one);
            }
        }
        let routed = self.settle(&event, conversation, sender, fresh).await?;
        let event = Arc::new(event);
        let (messages, overheard) = self.append_all(&event, &routed).await?;
        if messages.is_empty() {
            return Ok(());
        }
        store.adopt_messages(&messages).await?;
        self.forget(overheard).await?;
        store.replayed(&channel, &chat, &message_id).await?;
        for hearing in routed.hearings.iter().filter(|hearing| hearing.triggers) {
            self.wake.ask(hearing.group, hearing.session).await;
        }
        Ok(())
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
        let Some(conversation) = approval.conversation else {
            return Ok(());
        };
        if let Some(row) = self.base.store.conversation_by_id(conversation).await? {
            let place = Address {
                channel: row.conversation.channel,
                chat: row.conversation.chat,
                thread: None,
            };
            self.say(&place, text).await?;
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
        let Some(row) = self.base.store.session(session).await? else {
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
        let Some(session) = store.session(row.session).await? else {
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
        // First the agent has it, then it is on record: a host that dies in between says it again, and
        // the first answer is the one that counts.
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
