//! What tools ask for: their own session's affairs, whatever their group may administer.

use anchorhold_core::{
    guard::act::Target,
    ids::{AgentGroupId, SessionId},
    inbound::ChatKind,
};
use anchorhold_sessiondb::{DestinationLine, Facts, Wish, WishReply};
use anchorhold_store::Error as StoreError;
use tracing::error;

use crate::{base::Base, report::report};

/// The most destinations that are listed.
const DESTINATIONS_LIMIT: usize = 500;

/// Answers one wish.
pub(super) async fn perform(
    base: &Base,
    (group, session): (AgentGroupId, SessionId),
    wish: &Wish,
) -> WishReply {
    let done = match wish {
        Wish::Destinations {} => destinations(base, group).await,
        Wish::Status {} => status(base, group, session).await,
        Wish::CloseQuestion { seq } => base
            .store
            .close_question(session, seq.get())
            .await
            .map(|()| WishReply::Done {}),
    };
    done.unwrap_or_else(|failure| {
        error!(%session, error = %report(&failure), "wish of a tool failed");
        WishReply::Failed("the host could not look that up just now".to_owned())
    })
}

async fn destinations(base: &Base, group: AgentGroupId) -> Result<WishReply, StoreError> {
    let mut lines = Vec::new();
    let found = base.store.destinations(group).await?;
    for destination in found.into_iter().take(DESTINATIONS_LIMIT) {
        let (what, agent) = match destination.target {
            Target::Conversation(id) => {
                let Some(row) = base.store.conversation_by_id(id).await? else {
                    continue;
                };
                let place = &row.conversation;
                let kind = match place.kind {
                    ChatKind::Direct => "direct",
                    ChatKind::Group => "group",
                };
                (format!("{}/{} ({kind})", place.channel, place.chat), false)
            }
            Target::Agent(id) => {
                let Some(agent) = base.store.group(id).await? else {
                    continue;
                };
                (agent.name, true)
            }
        };
        lines.push(DestinationLine {
            name: destination.name.as_str().to_owned(),
            what,
            agent,
        });
    }
    Ok(WishReply::Destinations(lines))
}

async fn status(
    base: &Base,
    group: AgentGroupId,
    session: SessionId,
) -> Result<WishReply, StoreError> {
    let store = &base.store;
    let Some(agent) = store.group(group).await? else {
        return Ok(WishReply::Failed("this agent is gone".to_owned()));
    };
    let (unsent, questions) = store.unsettled(session, base.now()).await?;
    Ok(WishReply::Status(Facts {
        agent: agent.name,
        provider: agent.provider,
        model: agent.model,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        now: base.now(),
        waiting: store.session_work(session).await?.pending,
        unsent,
        questions,
    }))
}
