//! Database rows to values: the one place where text and numbers become types.
//!
//! The database may have been edited by hand, so a value that cannot be is an
//! [`sqlx::Error::ColumnDecode`] that names table and column.

use std::fmt;

use anchorhold_core::{
    address::Address,
    ids::{ChannelName, ChatId, ThreadId},
    inbound::ChatKind,
};
use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use sqlx::{Decode, Row, Sqlite, Type, TypeInfo, ValueRef, error::BoxDynError, sqlite::SqliteRow};

/// One row, with the table's name for errors.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'r> {
    table: &'static str,
    row: &'r SqliteRow,
}

impl<'r> Fields<'r> {
    pub(crate) fn new(table: &'static str, row: &'r SqliteRow) -> Self {
        Self { table, row }
    }

    pub(crate) fn get<T: Decode<'r, Sqlite> + Type<Sqlite>>(
        &self,
        column: &'static str,
    ) -> sqlx::Result<T> {
        self.row.try_get(column)
    }

    /// Text that is checked by a parser, as all ids are.
    pub(crate) fn parsed<T, E: Into<BoxDynError>>(
        &self,
        column: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> sqlx::Result<T> {
        let text: &str = self.get(column)?;
        parse(text).map_err(|source| self.bad(column, source))
    }

    /// As [`Self::parsed`], where NULL is `None`.
    pub(crate) fn opt_parsed<T, E: Into<BoxDynError>>(
        &self,
        column: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> sqlx::Result<Option<T>> {
        let text: Option<&str> = self.get(column)?;
        text.map(parse)
            .transpose()
            .map_err(|source| self.bad(column, source))
    }

    /// A value of a closed set.
    pub(crate) fn value<T>(
        &self,
        column: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> sqlx::Result<T> {
        let text: &str = self.get(column)?;
        parse(text).ok_or_else(|| {
            self.bad(
                column,
                format!("{text:?} is none of the values it can have"),
            )
        })
    }

    /// A value of ours that is kept as JSON. What the text says stays out of the error.
    pub(crate) fn json<T: DeserializeOwned>(&self, column: &'static str) -> sqlx::Result<T> {
        let text: &str = self.get(column)?;
        serde_json::from_str(text).map_err(|error| {
            let place = error.column();
            self.bad(
                column,
                format!("not the JSON that it has to be, at byte {place}"),
            )
        })
    }

    /// A number of a narrower type than the column's.
    pub(crate) fn number<T>(&self, column: &'static str) -> sqlx::Result<T>
    where
        T: TryFrom<i64>,
        T::Error: Into<BoxDynError>,
    {
        let number: i64 = self.get(column)?;
        T::try_from(number).map_err(|source| self.bad(column, source))
    }

    pub(crate) fn time(&self, column: &'static str) -> sqlx::Result<Timestamp> {
        let ms: i64 = self.get(column)?;
        Timestamp::from_millisecond(ms).map_err(|source| self.bad(column, source))
    }

    pub(crate) fn opt_time(&self, column: &'static str) -> sqlx::Result<Option<Timestamp>> {
        let ms: Option<i64> = self.get(column)?;
        ms.map(Timestamp::from_millisecond)
            .transpose()
            .map_err(|source| self.bad(column, source))
    }

    /// The columns `channel`, `chat` and `thread`.
    pub(crate) fn address(&self) -> sqlx::Result<Address> {
        Ok(Address {
            channel: self.parsed("channel", ChannelName::parse)?,
            chat: self.parsed("chat", ChatId::parse)?,
            thread: self.opt_parsed("thread", ThreadId::parse)?,
        })
    }

    fn bad(&self, column: &'static str, source: impl Into<BoxDynError>) -> sqlx::Error {
        sqlx::Error::ColumnDecode {
            index: format!("{}.{column}", self.table),
            source: source.into(),
        }
    }
}

impl fmt::Debug for Fields<'_> {
    /// A row may hold message text, which never reaches a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fields")
            .field("table", &self.table)
            .finish_non_exhaustive()
    }
}

/// A number for a column, which holds 63 bits.
pub(crate) fn int(number: u64) -> sqlx::Result<i64> {
    i64::try_from(number).map_err(|source| sqlx::Error::Encode(Box::new(source)))
}

/// A value of ours for a column that holds JSON.
pub(crate) fn to_json(value: &impl Serialize) -> sqlx::Result<String> {
    serde_json::to_string(value).map_err(|source| sqlx::Error::Encode(Box::new(source)))
}

/// One cell, whatever is in it. The tables are strict: it is text, a number, or null.
pub(crate) fn cell(row: &SqliteRow, index: usize) -> sqlx::Result<Value> {
    let raw = row.try_get_raw(index)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    if raw.type_info().name() == "INTEGER" {
        return row.try_get::<i64, _>(index).map(Value::from);
    }
    row.try_get::<String, _>(index).map(Value::from)
}

/// One of our ids for an optional column.
pub(crate) fn opt_id<T: fmt::Display>(id: Option<T>) -> Option<String> {
    id.map(|id| id.to_string())
}

/// The thread of a lane or key for an optional column.
pub(crate) fn opt_thread(thread: Option<&ThreadId>) -> Option<&str> {
    thread.map(ThreadId::as_str)
}

pub(crate) fn chat_kind_text(kind: ChatKind) -> &'static str {
    match kind {
        ChatKind::Direct => "direct",
        ChatKind::Group => "group",
    }
}

pub(crate) fn parse_chat_kind(text: &str) -> Option<ChatKind> {
    [ChatKind::Direct, ChatKind::Group]
        .into_iter()
        .find(|kind| chat_kind_text(*kind) == text)
}

/// A closed set of values that only this database has.
macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The value's one spelling.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The value that `text` spells, if any.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
            }
        }
    };
}
pub(crate) use text_enum;
