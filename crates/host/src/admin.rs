//! The administration of a running host: one request in, one reply out, whoever asks.
//!
//! The operator asks over the control socket, agents from inside their sandboxes ([`inside`]). Both
//! go the same way: the catalog's check, for agents their scope, then a listing, or an act that the
//! guard decides about.

pub mod inside;

mod acts_of;
mod channels;
mod deadletters;
mod explain;
mod lookup;
mod pair;
mod reads;
mod refusal;
mod spend;
mod tasks;

use std::sync::Arc;

use anchorhold_admin::{
    catalog::{self, Access},
    request::{Checked, FailCode, Reply, Request},
    scope::{self, GroupRef},
};
use anchorhold_channel::Answered;
use anchorhold_core::{
    entity::AdminScope,
    guard::{self, Actor, Ruling, act::Act},
    ids::{AgentGroupId, OutboundId, QuestionId, SessionId},
};
use anchorhold_store::{
    approvals::Pick,
    audit::{AuditEntry, AuditRuling},
    views::{Filter, View},
};
use serde_json::Value;
use tracing::error;

use crate::{
    acts::{ActError, Acts},
    admin::{lookup::Lookup, refusal::Refusal},
    approvals::{Approvals, Wanted},
    base::Base,
    deliver::Deliver,
    ingest::Ingest,
    pairing::Pairing,
    registry::Registry,
    report::report,
    trace,
};

/// So many requests of one agent group wait for people at a time.
const HELD_LIMIT: usize = 20;

/// Answers requests. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Admin {
    base: Base,
    registry: Registry,
    ingest: Arc<Ingest>,
    acts: Acts,
    approvals: Approvals,
    pairing: Pairing,
    deliver: Deliver,
}

/// What requests are carried out with.
#[derive(Clone, Debug)]
pub struct Hands {
    /// Routes, and takes decisions.
    pub ingest: Arc<Ingest>,
    /// Does what is allowed.
    pub acts: Acts,
    /// Asks people about the rest.
    pub approvals: Approvals,
    /// Makes owners.
    pub pairing: Pairing,
    /// Sends.
    pub deliver: Deliver,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Whoever may open the control socket.
    Operator,
    /// An agent, in the sandbox of this session.
    Agent {
        /// Whose.
        group: AgentGroupId,
        /// Which.
        session: SessionId,
        /// The number of the request there.
        request: i64,
    },
}

impl Caller {
    /// The caller as it is recorded.
    fn label(self) -> String {
        match self {
            Self::Operator => Actor::Operator.label(),
            Self::Agent { group, .. } => {
                let scope = AdminScope::Disabled;
                Actor::Agent { group, scope }.label()
            }
        }
    }
}

impl Admin {
    /// Answers from `base`'s store and for the instances in `registry`.
    pub fn new(base: Base, registry: Registry, hands: Hands) -> Self {
        Self {
            base,
            registry,
            ingest: hands.ingest,
            acts: hands.acts,
            approvals: hands.approvals,
            pairing: hands.pairing,
            deliver: hands.deliver,
        }
    }

    /// Does what is asked for, or says why not. Whatever the request says, there is a reply.
    ///
    /// Dropping the future leaves it open whether a change was made. A change that is asked for
    /// again is refused or does nothing.
    pub async fn perform(&self, caller: Caller, request: &Request) -> Reply {
        match self.answer(caller, request).await {
            Ok(reply) => reply,
            Err(Refusal::Said(code, what)) => Reply::Failed { code, what },
            Err(Refusal::Failed(failure)) => {
                error!(
                    caller = caller.label(),
                    error = %report(&*failure),
                    "administration failed"
                );
                Reply::Failed {
                    code: FailCode::Internal,
                    what: "the host could not do it; its log says why".to_owned(),
                }
            }
        }
    }

    async fn answer(&self, caller: Caller, request: &Request) -> Result<Reply, Refusal> {
        let (actor, checked) = match caller {
            Caller::Operator => {
                let checked = request.check().map_err(|usage| Refusal::usage(&usage))?;
                (Actor::Operator, checked)
            }
            Caller::Agent { group, .. } => self.scoped(group, request).await?,
        };
        let lookup = Lookup {
            base: &self.base,
            registry: &self.registry,
            checked: &checked,
        };
        match (checked.access(), checked.resource(), checked.verb()) {
            (Access::Read, "wirings", "explain") => {
                Box::pin(explain::explain(&lookup, &self.ingest)).await
            }
            (Access::Read, "deadletters", "show") => deadletters::show(&lookup).await,
            (Access::Read, "tasks", "show") => tasks::show(&lookup).await,
            (Access::Read, "channels", _) => Ok(channels::list(&lookup).await?),
            (Access::Read, "spend", _) => spend::spend(&lookup).await,
            (Access::Read, "trace", _) => traced(&lookup, caller).await,
            (Access::Read, ..) => reads::read(&lookup).await,
            (Access::Write, "approvals", verb) => self.decide(&lookup, verb).await,
            (Access::Write, "pair", _) => {
                self.note(caller, &checked.command(), AuditRuling::Allowed)
                    .await;
                pair::pair(&lookup, &self.pairing).await
            }
            (Access::Write, "deadletters", _) => {
                let id = lookup.parsed("id", OutboundId::parse)?;
                let command = (checked.command(), id.to_string());
                // Before it is done, as of an act: what was done has to be on record.
                self.note_of(
                    &caller.label(),
                    (&command.0, &command.1),
                    AuditRuling::Allowed,
                )
                .await;
                deadletters::change(&lookup, id, &self.deliver).await
            }
            (Access::Write, "tasks", verb) => {
                let command = (checked.command(), lookup.owned("id").unwrap_or_default());
                self.note_of(
                    &caller.label(),
                    (&command.0, &command.1),
                    AuditRuling::Allowed,
                )
                .await;
                Box::pin(tasks::change(&lookup, caller, verb)).await
            }
            (Access::Write, ..) => {
                let act = lookup.act().await?;
                self.act(caller, &actor, &checked, act).await
            }
        }
    }

    /// What an agent may ask for, with its own group filled in; refused in doubt.
    async fn scoped(
        &self,
        group: AgentGroupId,
        request: &Request,
    ) -> Result<(Actor, Checked), Refusal> {
        let store = &self.base.store;
        let scope = store.admin_scope(group).await?;
        let (scope, folder) = match store.group(group).await? {
            Some(row) => (scope, row.folder),
            None => return Err(Refusal::scope(&scope::Refusal::Disabled)),
        };
        let own = GroupRef { id: group, folder };
        match scope::agent_scope(scope, &own, request) {
            Ok(checked) => Ok((Actor::Agent { group, scope }, checked)),
            Err(refusal) => {
                if refusal.code() == FailCode::Forbidden && is_write(request) {
                    let command = format!("{} {}", request.resource, request.verb);
                    let actor = Actor::Agent { group, scope }.label();
                    self.note_of(&actor, (command.trim_end(), ""), AuditRuling::Denied)
                        .await;
                }
                Err(Refusal::scope(&refusal))
            }
        }
    }

    /// Lets the guard decide about an act, and does what follows.
    async fn act(
        &self,
        caller: Caller,
        actor: &Actor,
        checked: &Checked,
        act: Act,
    ) -> Result<Reply, Refusal> {
        match (guard::decide(actor, &act), caller) {
            (Ruling::Allow, _) => {
                // Before it is done: what was done has to be on record.
                self.approvals
                    .audit(&actor.label(), &act, AuditRuling::Allowed)
                    .await;
                let done = Box::pin(self.acts.perform(&act, (None, None))).await;
                let done = done.map_err(of_act)?;
                Ok(Reply::Done {
                    what: done.what,
                    id: done.id,
                })
            }
            (Ruling::Hold, Caller::Agent { group, session, .. }) => {
                self.hold((group, session), checked, act).await
            }
            (Ruling::Hold, Caller::Operator) => Err(Refusal::said(
                FailCode::Forbidden,
                "this needs the approval of somebody else",
            )),
            (Ruling::Deny(denial), _) => {
                self.approvals
                    .audit(&actor.label(), &act, AuditRuling::Denied)
                    .await;
                Err(Refusal::said(FailCode::Forbidden, denial.to_string()))
            }
        }
    }

    /// Asks somebody about what an agent wants.
    async fn hold(
        &self,
        (group, session): (AgentGroupId, SessionId),
        checked: &Checked,
        act: Act,
    ) -> Result<Reply, Refusal> {
        let store = &self.base.store;
        if self.held_by(group).await? >= HELD_LIMIT {
            return Err(Refusal::said(
                FailCode::Unavailable,
                format!("{HELD_LIMIT} of your requests wait for people already"),
            ));
        }
        let row = store.session(session).await?;
        let conversation = row.and_then(|row| row.session.key.conversation);
        let near = store.last_address(session).await?;
        let asked = self.approvals.ask(Wanted {
            act,
            options: Vec::new(),
            near: near.map(|address| address.channel),
            conversation,
            session: Some(session),
            requested_by: None,
            requesting_group: Some(group),
        });
        let id = Box::pin(asked).await?.id();
        Ok(Reply::Held {
            approval: id.to_string(),
            code: id.code(),
            what: checked.command(),
        })
    }

    /// How many requests of a group wait.
    async fn held_by(&self, group: AgentGroupId) -> Result<usize, Refusal> {
        let store = &self.base.store;
        let Some(row) = store.group(group).await? else {
            return Ok(0);
        };
        let filter = Filter {
            group: Some(group),
            ..Filter::default()
        };
        // Those that others ask about the group are listed, too, and not counted.
        let limit = u32::try_from(HELD_LIMIT * 10).unwrap_or(u32::MAX);
        let listed = store.view(View::Approvals, &filter, limit).await?;
        let column = listed
            .columns
            .iter()
            .position(|column| *column == "requesting_group");
        let own = |cells: &&Vec<Value>| {
            let asking = column.and_then(|column| cells.get(column));
            asking.and_then(Value::as_str) == Some(row.folder.as_str())
        };
        Ok(listed.rows.iter().filter(own).count())
    }

    /// The operator's word about a request that waits.
    async fn decide(&self, lookup: &Lookup<'_>, verb: &str) -> Result<Reply, Refusal> {
        let id = self.open_request(lookup.text("id")?).await?;
        let pick = match verb {
            "reject" => Pick::Reject,
            _ => lookup.pick().await?,
        };
        if let (Pick::Approve, Some(approval)) = (pick, self.base.store.approval(id).await?)
            && matches!(approval.act, Act::WireConversation { .. })
        {
            let what = "say which agent is to hear it: --connect FOLDER, or --new-agent";
            return Err(Refusal::said(FailCode::Usage, what));
        }
        let decided = Box::pin(self.ingest.decide_as_operator(id, &pick)).await?;
        match decided {
            Some(Answered::Taken(what)) => Ok(Reply::Done { what, id: None }),
            Some(Answered::Refused(why)) => Err(Refusal::said(FailCode::Conflict, why)),
            None => Err(Refusal::absent("approval", "ID")),
        }
    }

    /// The request of that id or code.
    async fn open_request(&self, name: &str) -> Result<QuestionId, Refusal> {
        if let Ok(id) = QuestionId::parse(name) {
            return Ok(id);
        }
        let found = self.base.store.approval_by_code(name).await?;
        match found.as_slice() {
            [one] => Ok(*one),
            [] => Err(Refusal::absent("approval", "ID")),
            _several => Err(Refusal::said(
                FailCode::Conflict,
                "several requests have that code; use the whole id",
            )),
        }
    }

    /// Puts something on record that is no act of the guard's.
    async fn note(&self, caller: Caller, command: &str, ruling: AuditRuling) {
        self.note_of(&caller.label(), (command, ""), ruling).await;
    }

    async fn note_of(&self, actor: &str, (command, detail): (&str, &str), ruling: AuditRuling) {
        let entry = AuditEntry {
            actor,
            act: command,
            detail,
            ruling,
        };
        if let Err(failure) = self.base.store.audit(&entry, self.base.now()).await {
            error!(error = %report(&failure), "ruling not recorded");
        }
    }
}

/// What became of a message.
async fn traced(lookup: &Lookup<'_>, caller: Caller) -> Result<Reply, Refusal> {
    let base = lookup.base;
    let asked = trace::Asked {
        id: lookup.text("id")?,
        conversation: lookup.checked.text("conversation"),
        group: lookup.optional_group("group").await?,
        thorough: caller == Caller::Operator,
        now: base.now(),
    };
    let files = |session| base.dirs.session(session);
    let found = trace::look(&base.store, &files, &asked).await?;
    Ok(trace::show::reply(&found))
}

/// Does the request name something that changes anything?
fn is_write(request: &Request) -> bool {
    let verb = catalog::resource(&request.resource).and_then(|one| one.verb(&request.verb));
    verb.is_some_and(|verb| verb.access == Access::Write)
}

fn of_act(failure: ActError) -> Refusal {
    match failure {
        ActError::NotFound(what) => {
            Refusal::said(FailCode::NotFound, format!("there is no such {what}"))
        }
        ActError::Conflict(what) => Refusal::said(FailCode::Conflict, what),
        ActError::Invalid(what) => Refusal::said(FailCode::Usage, what),
        ActError::Store(failure) => failure.into(),
        ActError::Session(failure) => Refusal::Failed(Box::new(failure)),
    }
}

#[cfg(test)]
mod tests;
