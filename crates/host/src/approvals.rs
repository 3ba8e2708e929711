//! Asking people for approvals, and taking their decision: bound to one act, to who may decide, and
//! to a time.
//!
//! What was approved is carried out by [`crate::ingest`], which can replay what waited for it.

mod describe;

use std::time::Duration;

use anchorhold_core::{
    access,
    address::Address,
    entity::ApprovalStatus,
    guard::{self, Actor, Ruling, act::Act},
    ids::{AgentGroupId, ChannelName, ConversationId, OutboundId, QuestionId, SessionId, UserId},
    outbound::Voice,
};
use anchorhold_store::{
    approvals::{Approval, Choice, Decided, NewApproval, Opened, Pick},
    audit::{AuditEntry, AuditRuling},
};
use tracing::{error, info, warn};

use crate::{
    base::{Base, mint},
    deliver::{Deliver, outgoing::Outgoing},
    reach::Reach,
    report::report,
};

pub(crate) use crate::approvals::describe::plain;

/// How long a decision is waited for.
pub const APPROVAL_LIFE: Duration = Duration::from_hours(24);
/// How many requests that come from strangers' messages are open at a time: whoever finds the bot
/// can make one, and they all end at the same few people.
const OPEN_LIMIT: usize = 100;
/// How many people are tried at most until one can be reached.
const APPROVERS_LIMIT: usize = 16;

/// Asks and hears decisions. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Approvals {
    base: Base,
    deliver: Deliver,
    reach: Reach,
}

/// Something to be approved.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What exactly.
    pub act: Act,
    /// The answers on the card; the ordinary two if none are given.
    pub options: Vec<Choice>,
    /// Where it came up, so that somebody there is asked first.
    pub near: Option<ChannelName>,
    /// The conversation that it came up in.
    pub conversation: Option<ConversationId>,
    /// The session whose agent asks.
    pub session: Option<SessionId>,
    /// The person who asks, by writing.
    pub requested_by: Option<UserId>,
    /// The agent that asks.
    pub requesting_group: Option<AgentGroupId>,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// It is open now.
    New(QuestionId),
    /// The same was asked before and is still open.
    Open(QuestionId),
}

impl Asked {
    /// The request's id.
    pub fn id(self) -> QuestionId {
        match self {
            Self::New(id) | Self::Open(id) => id,
        }
    }
}

/// Who decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decider {
    /// Whoever holds the control socket.
    Operator,
    /// A person who clicked or answered.
    Person(UserId),
}

/// What a decision led to.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It was approved just now: it is to be carried out.
    Approved(Box<Approval>),
    /// It was refused just now.
    Rejected(Box<Approval>),
    /// Nothing changed, for this reason, which the person is told.
    Unchanged(String),
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Approvals {
    /// Asks through `deliver` whom `reach` finds.
    pub fn new(base: Base, deliver: Deliver, reach: Reach) -> Self {
        Self {
            base,
            deliver,
            reach,
        }
    }

    /// Is there room for one more request that a message brings up, or is it open already?
    pub async fn has_room(&self, act: &Act) -> Result<bool, Failure> {
        let limit = u32::try_from(OPEN_LIMIT).unwrap_or(u32::MAX);
        let open = self.base.store.pending_approvals(limit).await?.len();
        Ok(open < OPEN_LIMIT || self.base.store.is_asked_for(act).await?)
    }

    /// Opens a request and sends its card to the nearest approver who can be reached. One that is
    /// open already is not asked twice; but if its card never came to anybody, it is sent again.
    pub async fn ask(&self, wanted: Wanted) -> Result<Asked, Failure> {
        let now = self.base.now();
        let id = mint!(self.base, QuestionId);
        let options = if wanted.options.is_empty() {
            ordinary()
        } else {
            wanted.options.clone()
        };
        let described = self.describe(&wanted.act).await?;
        let fresh = NewApproval {
            id,
            act: &wanted.act,
            title: described.title,
            options,
            conversation: wanted.conversation,
            group: wanted.act.groups().first().copied(),
            session: wanted.session,
            requested_by: wanted.requested_by,
            requesting_group: wanted.requesting_group,
            expires_at: now
                .checked_add(APPROVAL_LIFE)
                .unwrap_or(jiff::Timestamp::MAX),
        };
        let asked = match self.base.store.open_approval(&fresh, now).await? {
            Opened::New => Asked::New(id),
            Opened::Exists(open) => Asked::Open(open),
        };
        if let Asked::New(id) = asked {
            info!(approval = %id, act = wanted.act.name(), "approval asked for");
            self.audit(&requester(&wanted), &wanted.act, AuditRuling::Held)
                .await;
        }
        self.send_card(asked.id(), wanted.near.as_ref()).await?;
        Ok(asked)
    }

    /// Sends the card of an open request to somebody who may decide, unless somebody has it.
    async fn send_card(&self, id: QuestionId, near: Option<&ChannelName>) -> Result<(), Failure> {
        let Some(approval) = self.base.store.approval(id).await? else {
            return Ok(());
        };
        if self.base.store.approval_card_is_out(id).await? {
            return Ok(());
        }
        let holders = self.base.store.role_holders().await?;
        let groups = approval.act.groups();
        let approvers = access::approvers(&holders, &groups, near);
        for user in approvers.into_iter().take(APPROVERS_LIMIT) {
            let standing = self.base.store.standing(user).await?;
            if !guard::is_entitled(&standing, &approval.act) {
                continue;
            }
            let Some(address) = self.reach.address(user).await? else {
                continue;
            };
            let described = self.describe(&approval.act).await?;
            let outgoing = Outgoing::Ask {
                question: id,
                title: described.title,
                text: described.text,
                options: labels(&approval.options),
                voice: Voice::Host,
                expires_ms: None,
            };
            let delivery = outgoing.delivery(self.card_id(&approval)?, address, None)?;
            let (card, now) = (delivery.id, self.base.now());
            self.base.store.new_delivery(None, &delivery, now).await?;
            self.base.store.set_approvers(id, user, card).await?;
            self.deliver.nudge();
            return Ok(());
        }
        warn!(approval = %id, "nobody who may decide can be reached; the operator can, with `anchorhold approvals`");
        Ok(())
    }

    /// The id of the next card of a request. The first has the request's own, so that it is one
    /// however many ask at once; one that takes the place of a card that never arrived is new.
    fn card_id(&self, approval: &Approval) -> Result<OutboundId, Failure> {
        if approval.delivery.is_some() {
            return Ok(mint!(self.base, OutboundId));
        }
        Ok(OutboundId::parse(&approval.id.to_string())?)
    }

    /// May this be decided by words at that place? An agent's question may anywhere; an approval only
    /// in the chat where its card is, where whoever decides has seen what it is about. Who may not
    /// decide at all is none of this: that is refused, and recorded, wherever it is tried.
    pub async fn may_be_decided_at(
        &self,
        id: QuestionId,
        (user, place): (UserId, &Address),
    ) -> Result<bool, Failure> {
        let Some(approval) = self.base.store.approval(id).await? else {
            return Ok(true);
        };
        let standing = self.base.store.standing(user).await?;
        if !guard::is_entitled(&standing, &approval.act) {
            return Ok(true);
        }
        let Some(card) = approval.delivery else {
            return Ok(false);
        };
        let card = self.base.store.delivery(card).await?;
        Ok(card.is_some_and(|card| {
            card.address.channel == place.channel && card.address.chat == place.chat
        }))
    }

    /// Takes the choice of option `option` of an approval by `decider`; `None` if `id` is none.
    ///
    /// Only who could do the act themselves may decide; every other try is recorded and changes
    /// nothing.
    pub async fn decide(
        &self,
        id: QuestionId,
        option: usize,
        decider: Decider,
    ) -> Result<Option<Verdict>, Failure> {
        let Some(approval) = self.base.store.approval(id).await? else {
            return Ok(None);
        };
        let Some(choice) = approval.options.get(option) else {
            return Ok(Some(unchanged("There is no such answer.")));
        };
        let pick = choice.pick;
        self.decide_on(approval, &pick, decider).await.map(Some)
    }

    /// As [`Approvals::decide`], with the answer itself.
    pub async fn pick(
        &self,
        id: QuestionId,
        pick: &Pick,
        decider: Decider,
    ) -> Result<Option<Verdict>, Failure> {
        let Some(approval) = self.base.store.approval(id).await? else {
            return Ok(None);
        };
        let offered = |choice: &Choice| choice.pick == *pick;
        if !approval.options.iter().any(offered) && *pick != Pick::Reject {
            return Ok(Some(unchanged("That answer is not offered.")));
        }
        self.decide_on(approval, pick, decider).await.map(Some)
    }

    async fn decide_on(
        &self,
        mut approval: Approval,
        pick: &Pick,
        decider: Decider,
    ) -> Result<Verdict, Failure> {
        let actor = self.actor(decider).await?;
        if guard::decide(&actor, &approval.act) != Ruling::Allow {
            warn!(approval = %approval.id, actor = actor.label(), "decision refused");
            self.audit(&actor.label(), &approval.act, AuditRuling::Refused)
                .await;
            return Ok(Verdict::Unchanged(
                "You may not decide this; your try is on record.".to_owned(),
            ));
        }
        let by = match decider {
            Decider::Operator => None,
            Decider::Person(user) => Some(user),
        };
        let now = self.base.now();
        let decided = self
            .base
            .store
            .decide_approval(approval.id, pick, by, now)
            .await?;
        let what = match decided {
            Decided::Now => {
                let (status, ruling) = match pick {
                    Pick::Reject => (ApprovalStatus::Rejected, AuditRuling::Rejected),
                    Pick::Approve | Pick::Connect(_) | Pick::NewAgent => {
                        (ApprovalStatus::Approved, AuditRuling::Approved)
                    }
                };
                info!(approval = %approval.id, ?status, actor = actor.label(), "approval decided");
                self.audit(&actor.label(), &approval.act, ruling).await;
                approval.status = status;
                approval.pick = Some(*pick);
                approval.decided_by = by;
                return Ok(match status {
                    ApprovalStatus::Approved => Verdict::Approved(Box::new(approval)),
                    ApprovalStatus::Pending
                    | ApprovalStatus::Rejected
                    | ApprovalStatus::Expired => Verdict::Rejected(Box::new(approval)),
                });
            }
            Decided::Already(ApprovalStatus::Approved) => "This was approved already.",
            Decided::Already(ApprovalStatus::Rejected) => "This was refused already.",
            Decided::Already(ApprovalStatus::Expired | ApprovalStatus::Pending) => {
                "The time to decide this is over."
            }
            Decided::Gone => "This request is gone.",
        };
        Ok(Verdict::Unchanged(what.to_owned()))
    }

    /// Who a decider is to the guard.
    async fn actor(&self, decider: Decider) -> Result<Actor, Failure> {
        Ok(match decider {
            Decider::Operator => Actor::Operator,
            Decider::Person(user) => Actor::Person {
                user,
                standing: self.base.store.standing(user).await?,
            },
        })
    }

    /// Puts a ruling on record. A record that fails is no reason to undo what was decided.
    pub async fn audit(&self, actor: &str, act: &Act, ruling: AuditRuling) {
        let detail = guard::record(act);
        let now = self.base.now();
        let entry = AuditEntry {
            actor,
            act: act.name(),
            detail: &detail,
            ruling,
        };
        let recorded = self.base.store.audit(&entry, now);
        if let Err(failure) = recorded.await {
            error!(error = %report(&failure), act = act.name(), "ruling not recorded");
        }
    }
}

fn unchanged(what: &str) -> Verdict {
    Verdict::Unchanged(what.to_owned())
}

fn requester(wanted: &Wanted) -> String {
    match (wanted.requesting_group, wanted.requested_by) {
        (Some(group), _) => format!("agent {group}"),
        (None, Some(user)) => format!("user {user}"),
        (None, None) => "host".to_owned(),
    }
}

fn ordinary() -> Vec<Choice> {
    vec![
        Choice {
            label: "Approve".to_owned(),
            pick: Pick::Approve,
        },
        Choice {
            label: "Reject".to_owned(),
            pick: Pick::Reject,
        },
    ]
}

fn labels(options: &[Choice]) -> Vec<String> {
    options.iter().map(|choice| choice.label.clone()).collect()
}
