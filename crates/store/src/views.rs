//! Listings for administration: one fixed query each, only to be read.
//!
//! Filters are applied before the limit, and every listing heeds every filter: one that has nothing
//! to do with a filter shows nothing under it, so that an agent which is bound to its group never
//! sees more by choosing another listing. Message text and what waits for an approval are in none.

mod listings;

use anchorhold_core::ids::{AgentGroupId, ChannelName, UserId};
use serde_json::Value;
use sqlx::sqlite::SqliteRow;

use crate::{
    Error, Store,
    rows::{cell, opt_id, text_enum},
};

text_enum! {
    /// What is listed.
    View {
        /// Agent groups, by folder; the retired ones only under [`Filter::all`].
        Groups = "groups",
        /// Conversations, the latest first.
        Conversations = "conversations",
        /// Wirings, by channel and chat, the highest priority first.
        Wirings = "wirings",
        /// People, the latest first.
        Users = "users",
        /// Who has which role, the longest standing first.
        Roles = "roles",
        /// Who may talk to which agent, the longest standing first.
        Members = "members",
        /// Where agents may write, by agent and name.
        Destinations = "destinations",
        /// Sessions, the last active first; the closed ones only under [`Filter::all`].
        Sessions = "sessions",
        /// Where people can be reached first, the latest first.
        Dms = "dms",
        /// Who was declined and why, the latest first.
        Dropped = "dropped",
        /// Approvals, the latest first; those that are decided only under [`Filter::all`].
        Approvals = "approvals",
        /// Privileged acts, the latest first.
        Audit = "audit",
        /// What was deleted, the latest first; what is restored only under [`Filter::all`].
        Undo = "undo",
        /// Deliveries that ended dead or unknown, the latest end first; the discarded ones only under
        /// [`Filter::all`].
        Deadletters = "deadletters",
        /// Requests through the ways out, the latest first; those that were answered only under
        /// [`Filter::all`].
        Requests = "requests",
        /// Tasks, by agent, the next due first; those that have ended only under [`Filter::all`].
        Tasks = "tasks",
    }
}

impl std::fmt::Display for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which rows are shown; those that all of its conditions hold for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// What the row is known by: its id, or the one other name it has (a folder, a chat, a handle,
    /// a destination's name, an approval's code).
    pub id: Option<String>,
    /// What concerns this agent group.
    pub group: Option<AgentGroupId>,
    /// What concerns this channel instance.
    pub channel: Option<ChannelName>,
    /// What concerns this person.
    pub user: Option<UserId>,
    /// Also what is over.
    pub all: bool,
}

/// A listing.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// The names of the columns.
    pub columns: Vec<&'static str>,
    /// The rows, with a cell for each column: text, a number, or null. Times are milliseconds
    /// since 1970 in columns that end in `_at`.
    pub rows: Vec<Vec<Value>>,
}

impl View {
    /// The names of its columns.
    pub fn columns(self) -> &'static [&'static str] {
        self.listing().columns
    }
}

impl Store {
    /// Rows of one listing, at most `limit`.
    pub async fn view(&self, view: View, filter: &Filter, limit: u32) -> Result<Rows, Error> {
        let rows = self
            .view_inner(view, filter, limit)
            .await
            .map_err(|source| Error::View { view, source })?;
        Ok(Rows {
            columns: view.columns().to_vec(),
            rows,
        })
    }

    async fn view_inner(
        &self,
        view: View,
        filter: &Filter,
        limit: u32,
    ) -> sqlx::Result<Vec<Vec<Value>>> {
        let mut conn = self.reader().await?;
        let rows = sqlx::query(view.listing().sql)
            .bind(filter.id.as_deref())
            .bind(opt_id(filter.group))
            .bind(filter.channel.as_ref().map(ChannelName::as_str))
            .bind(opt_id(filter.user))
            .bind(filter.all)
            .bind(limit)
            .fetch_all(&mut *conn)
            .await?;
        rows.iter().map(|row| cells(view, row)).collect()
    }
}

fn cells(view: View, row: &SqliteRow) -> sqlx::Result<Vec<Value>> {
    (0..view.columns().len())
        .map(|index| cell(row, index))
        .collect()
}

#[cfg(test)]
mod tests;
