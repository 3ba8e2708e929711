//! Rows as they were, and how they are put back.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sqlx::{AssertSqlSafe, Column, Row, SqliteConnection, sqlite::SqliteRow};

use crate::{
    rows::cell,
    undo::{Restored, What, plan},
};

/// Everything that is needed to have it back.
#[derive(Serialize, Deserialize)]
pub(super) struct Copy {
    what: What,
    tables: Vec<TableCopy>,
}

#[derive(Serialize, Deserialize)]
struct TableCopy {
    table: String,
    rows: Vec<Map<String, Value>>,
}

impl Copy {
    /// What it is a copy of, for people: with the name that they know it by, if it has one.
    pub(super) fn label(&self) -> String {
        let own = self.tables.first().and_then(|table| table.rows.first());
        let name = own.and_then(|row| {
            ["folder", "name", "display_name"]
                .into_iter()
                .find_map(|column| row.get(column).and_then(Value::as_str))
        });
        match name {
            Some(name) => format!("{} ({name})", self.what),
            None => self.what.to_string(),
        }
    }

    /// A text of the row of what was deleted itself.
    fn own(&self, column: &str) -> sqlx::Result<&str> {
        self.tables
            .first()
            .and_then(|table| table.rows.first())
            .and_then(|row| row.get(column))
            .and_then(Value::as_str)
            .ok_or_else(|| unusable(&format!("there is no {column}")))
    }

    /// Points everything that pointed to `old` to `new`.
    fn rename(&mut self, old: &str, new: &str) {
        let rows = self.tables.iter_mut().flat_map(|table| &mut table.rows);
        for value in rows.flat_map(Map::values_mut) {
            if value.as_str() == Some(old) {
                *value = Value::from(new);
            }
        }
    }
}

/// Copies everything that goes, and the row itself.
pub(super) async fn take(conn: &mut SqliteConnection, what: What) -> sqlx::Result<Copy> {
    let mut tables = Vec::new();
    for part in plan::parts(what) {
        let sql = format!("SELECT * FROM {} WHERE {}", part.table, part.rows);
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(what.id())
            .fetch_all(&mut *conn)
            .await?;
        tables.push(TableCopy {
            table: part.table.to_owned(),
            rows: rows.iter().map(as_map).collect::<sqlx::Result<_>>()?,
        });
    }
    Ok(Copy { what, tables })
}

fn as_map(row: &SqliteRow) -> sqlx::Result<Map<String, Value>> {
    row.columns()
        .iter()
        .enumerate()
        .map(|(index, column)| Ok((column.name().to_owned(), cell(row, index)?)))
        .collect()
}

/// Puts it back. With anything but [`Restored::Done`], the caller rolls back.
pub(super) async fn put_back(
    conn: &mut SqliteConnection,
    mut copy: Copy,
) -> sqlx::Result<Restored> {
    let what = copy.what;
    if let Some(why) = in_the_way(conn, &copy).await? {
        return Ok(Restored::Conflict(why));
    }
    if revive(conn, &copy).await? == 0 {
        let own = copy.tables.first().map(|table| table.rows.as_slice());
        for row in own.unwrap_or_default() {
            let table = plan::parts(what).first().map(|part| part.table);
            insert(conn, table.unwrap_or_default(), row).await?;
        }
    }
    let Some(id) = present(conn, &copy).await? else {
        let why = "what it belongs to is gone, or the same was made again meanwhile";
        return Ok(Restored::Conflict(why.to_owned()));
    };
    copy.rename(&what.id(), &id);
    let mut left_out = 0;
    for table in copy.tables.iter().skip(1) {
        let known = plan::parts(what).iter().any(|p| p.table == table.table);
        if !known {
            return Err(unusable(&format!("{} is no table of it", table.table)));
        }
        for row in &table.rows {
            let inserted = insert(conn, &table.table, row).await?;
            // The configuration of a group was never deleted.
            if !inserted && table.table != "group_config" {
                left_out += 1;
            }
        }
    }
    Ok(Restored::Done { what, left_out })
}

/// A folder is one group's: if another one has it by now, the workspace is not to be shared.
async fn in_the_way(conn: &mut SqliteConnection, copy: &Copy) -> sqlx::Result<Option<String>> {
    let What::Group(id) = copy.what else {
        return Ok(None);
    };
    let folder = copy.own("folder")?;
    let other: Option<String> =
        sqlx::query_scalar("SELECT id FROM agent_groups WHERE folder = ?1 AND id <> ?2")
            .bind(folder)
            .bind(id.to_string())
            .fetch_optional(conn)
            .await?;
    Ok(other.map(|other| format!("the folder {folder} is that of group {other} by now")))
}

/// Brings the row itself back to what it was, where it was kept; returns how many rows that were.
async fn revive(conn: &mut SqliteConnection, copy: &Copy) -> sqlx::Result<u64> {
    let sql = match copy.what {
        What::Group(_) => {
            "UPDATE agent_groups SET retired_at = NULL, folder = ?2 ->> '$.folder' WHERE id = ?1"
        }
        What::Conversation(_) => {
            "UPDATE conversations SET name = ?2 ->> '$.name',
                 unknown_senders = ?2 ->> '$.unknown_senders',
                 policy_managed_by = ?2 ->> '$.policy_managed_by',
                 declined_at = ?2 ->> '$.declined_at'
             WHERE (channel, chat) = (?2 ->> '$.channel', ?2 ->> '$.chat') AND ?1 <> ''"
        }
        What::Wiring(_) | What::User(_) => return Ok(0),
    };
    let own = copy.tables.first().and_then(|table| table.rows.first());
    let row = Value::Object(own.cloned().unwrap_or_default()).to_string();
    let done = sqlx::query(sql)
        .bind(copy.what.id())
        .bind(row)
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}

/// The id that it has now: another one if it was seen again meanwhile.
async fn present(conn: &mut SqliteConnection, copy: &Copy) -> sqlx::Result<Option<String>> {
    let (sql, first, second) = match copy.what {
        What::Group(_) => ("SELECT id FROM agent_groups WHERE id = ?1", "id", "id"),
        What::Wiring(_) => ("SELECT id FROM wirings WHERE id = ?1", "id", "id"),
        What::Conversation(_) => (
            "SELECT id FROM conversations WHERE channel = ?1 AND chat = ?2",
            "channel",
            "chat",
        ),
        What::User(_) => (
            "SELECT id FROM users WHERE channel = ?1 AND handle = ?2",
            "channel",
            "handle",
        ),
    };
    sqlx::query_scalar(sql)
        .bind(copy.own(first)?)
        .bind(copy.own(second)?)
        .fetch_optional(conn)
        .await
}

/// Inserts one row. `false`, and nothing changed, if it is there, or what it points to is not.
async fn insert(
    conn: &mut SqliteConnection,
    table: &str,
    row: &Map<String, Value>,
) -> sqlx::Result<bool> {
    let known: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info(?1)")
        .bind(table)
        .fetch_all(&mut *conn)
        .await?;
    if let Some(strange) = row.keys().find(|name| !known.contains(name)) {
        return Err(unusable(&format!("{table} has no column {strange}")));
    }
    let names: Vec<&str> = row.keys().map(String::as_str).collect();
    let places = vec!["?"; names.len()];
    let sql = format!(
        "INSERT INTO {table} ({}) VALUES ({}) ON CONFLICT DO NOTHING",
        names.join(", "),
        places.join(", ")
    );
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for value in row.values() {
        query = match value.as_i64() {
            Some(number) => query.bind(number),
            None => query.bind(value.as_str()),
        };
    }
    match query.execute(conn).await {
        Ok(done) => Ok(done.rows_affected() > 0),
        Err(sqlx::Error::Database(error)) if error.is_foreign_key_violation() => Ok(false),
        Err(error) => Err(error),
    }
}

fn unusable(why: &str) -> sqlx::Error {
    sqlx::Error::Decode(format!("the copy can't be used: {why}").into())
}
