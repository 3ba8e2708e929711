//! What would become of a message, by which rule, without doing it.

use anchorhold_admin::request::Reply;
use anchorhold_core::{
    address::Address,
    entity::AgentGroup,
    ids::{AgentGroupId, Handle, PlatformMessageId, ThreadId},
    inbound::{ChatKind, InboundEvent, Sender, What},
    route::Reason,
};
use serde_json::Value;

use crate::{
    admin::{lookup::Lookup, refusal::Refusal},
    ingest::Ingest,
};

/// Who writes where nobody is named: a name that no platform gives anybody.
const SOMEBODY: &str = "anchorhold: somebody";

const COLUMNS: &[&str] = &["agent", "outcome", "rule", "session"];

/// Answers `wirings explain`.
pub(super) async fn explain(lookup: &Lookup<'_>, ingest: &Ingest) -> Result<Reply, Refusal> {
    let event = event(lookup).await?;
    let within = match lookup.checked.text("group") {
        Some(_) => Some(lookup.group("group").await?),
        None => None,
    };
    let store = &lookup.base.store;
    let mut rows = Vec::new();
    for one in ingest.explain(&event).await? {
        if within.as_ref().is_some_and(|group| group.id != one.agent) {
            continue;
        }
        let session = one.session.map_or(Value::Null, Value::String);
        rows.push(vec![
            name(lookup, one.agent).await?,
            one.outcome.into(),
            one.rule.into(),
            session,
        ]);
    }
    if rows.is_empty() {
        let address = &event.address;
        let row = store
            .conversation_row(&address.channel, &address.chat)
            .await?;
        let refused = row.is_some_and(|row| row.declined_at.is_some());
        rows.push(nobody(within.as_ref(), event.addressed, refused));
    }
    Ok(Reply::Rows {
        columns: COLUMNS.iter().map(|name| (*name).to_owned()).collect(),
        rows,
    })
}

/// The one row where no agent hears the conversation, or not the one that is asked about.
fn nobody(within: Option<&AgentGroup>, addressed: bool, refused: bool) -> Vec<Value> {
    let (agent, rule) = match (within, addressed, refused) {
        (Some(group), ..) => (
            group.folder.as_str().into(),
            "the agent is not wired to the conversation",
        ),
        // In the order in which the way in looks.
        (None, false, _) => (Value::Null, Reason::NotWired.sentence()),
        (None, true, true) => (Value::Null, Reason::ConversationRefused.sentence()),
        (None, true, false) => (Value::Null, Reason::AwaitsWiring.sentence()),
    };
    vec![agent, "declined".into(), rule.into(), Value::Null]
}

async fn name(lookup: &Lookup<'_>, agent: AgentGroupId) -> Result<Value, Refusal> {
    let found = lookup.base.store.group(agent).await?;
    Ok(found.map_or(Value::Null, |group| group.folder.as_str().into()))
}

/// The message that is asked about.
async fn event(lookup: &Lookup<'_>) -> Result<InboundEvent, Refusal> {
    let (channel, chat) = lookup.chat()?;
    let thread = lookup.optional("thread", ThreadId::parse)?;
    let from = lookup.optional("from", Handle::parse)?;
    let internal = |failure| Refusal::Failed(Box::new(failure));
    let handle = match from {
        Some(handle) => handle,
        None => Handle::parse(SOMEBODY).map_err(internal)?,
    };
    let known = lookup.base.store.conversation(&channel, &chat).await?;
    let direct = lookup.checked.flag("direct")
        || known.is_some_and(|conversation| conversation.kind == ChatKind::Direct);
    Ok(InboundEvent {
        address: Address {
            channel,
            chat,
            thread,
        },
        message_id: PlatformMessageId::parse("explain").map_err(internal)?,
        what: What::Message,
        sender: Sender { handle, name: None },
        chat_kind: if direct {
            ChatKind::Direct
        } else {
            ChatKind::Group
        },
        // A message in a direct chat is always for the bot.
        addressed: direct || lookup.checked.flag("mention"),
        sent_at: lookup.base.now(),
        text: lookup.text("text")?.to_owned(),
        reply_to: None,
        attachments: Vec::new(),
    })
}
