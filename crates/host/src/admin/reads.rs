//! Listings: the store's views, narrowed by what the request names before the limit counts.

use anchorhold_admin::request::{FailCode, Reply};
use anchorhold_core::ids::{ChannelName, Handle, QuestionId, UserId};
use anchorhold_store::views::{Filter, Rows, View};
use serde_json::{Map, Value};

use crate::admin::{lookup::Lookup, refusal::Refusal};

/// A filter's person: anybody, this one, or somebody whom nobody knows.
enum Person {
    Any,
    One(UserId),
    Nobody,
}

/// Answers a listing or shows one thing.
pub(super) async fn read(lookup: &Lookup<'_>) -> Result<Reply, Refusal> {
    let checked = lookup.checked;
    let Some(view) = View::parse(checked.resource()) else {
        let command = checked.command();
        return Err(Refusal::Failed(format!("nobody lists `{command}`").into()));
    };
    match checked.verb() {
        "get" => one(lookup, view).await,
        _ => list(lookup, view).await,
    }
}

async fn list(lookup: &Lookup<'_>, view: View) -> Result<Reply, Refusal> {
    let checked = lookup.checked;
    let user = match person(lookup).await? {
        Person::Any => None,
        Person::One(user) => Some(user),
        // As empty as the list of somebody who is known and has nothing there.
        Person::Nobody => {
            return Ok(rows(Rows {
                columns: view.columns().to_vec(),
                rows: Vec::new(),
            }));
        }
    };
    // With a handle the channel is half of the person's name, and no filter of its own.
    let channel = match user {
        Some(_) => None,
        None => lookup.optional("channel", ChannelName::parse)?,
    };
    let filter = Filter {
        id: None,
        group: lookup.optional_group("group").await?,
        channel,
        user,
        all: checked.flag("all"),
    };
    let store = &lookup.base.store;
    Ok(rows(store.view(view, &filter, checked.limit()).await?))
}

async fn person(lookup: &Lookup<'_>) -> Result<Person, Refusal> {
    if lookup.checked.text("user").is_some() {
        return Ok(Person::One(lookup.parsed("user", UserId::parse)?));
    }
    let Some(handle) = lookup.optional("handle", Handle::parse)? else {
        return Ok(Person::Any);
    };
    let channel = lookup.parsed("channel", ChannelName::parse)?;
    let found = lookup.base.store.find_user(&channel, &handle).await?;
    Ok(found.map_or(Person::Nobody, |user| Person::One(user.id)))
}

async fn one(lookup: &Lookup<'_>, view: View) -> Result<Reply, Refusal> {
    let mut fields = row(lookup, view).await?;
    if view == View::Approvals {
        shown_act(lookup, &mut fields).await?;
    }
    Ok(Reply::One(fields))
}

/// The one row that the request's id names, also of what is over.
pub(super) async fn row(lookup: &Lookup<'_>, view: View) -> Result<Map<String, Value>, Refusal> {
    let (checked, store) = (lookup.checked, &lookup.base.store);
    let mut filter = Filter {
        id: lookup.owned("id"),
        group: lookup.optional_group("group").await?,
        ..Filter::default()
    };
    let mut found = store.view(view, &filter, 2).await?;
    if found.rows.is_empty() {
        filter.all = true;
        found = store.view(view, &filter, 2).await?;
    }
    let what = checked.resource().trim_end_matches('s');
    if found.rows.len() > 1 {
        let what = format!("several are called so; give the {what}'s id");
        return Err(Refusal::said(FailCode::Conflict, what));
    }
    let Some(row) = found.rows.pop() else {
        return Err(lookup.absent(what, "id"));
    };
    let columns = found.columns.into_iter().map(str::to_owned);
    Ok(columns.zip(row).collect())
}

/// Whoever decides has to see the whole act, not only what fits on a card.
async fn shown_act(lookup: &Lookup<'_>, fields: &mut Map<String, Value>) -> Result<(), Refusal> {
    let id = fields.get("id").and_then(Value::as_str);
    let Some(id) = id.and_then(|id| QuestionId::parse(id).ok()) else {
        return Ok(());
    };
    if let Some(approval) = lookup.base.store.approval(id).await? {
        let act =
            serde_json::to_value(&approval.act).map_err(|error| Refusal::Failed(error.into()))?;
        fields.insert("act".to_owned(), act);
    }
    Ok(())
}

pub(super) fn rows(found: Rows) -> Reply {
    Reply::Rows {
        columns: found.columns.into_iter().map(str::to_owned).collect(),
        rows: found.rows,
    }
}
