//! From an instance's table in the configuration to its adapter.
//!
//! Reading is strict: each key is known or a problem, each value has its type or is a problem, and
//! all problems are found in one go. No problem repeats a value: it may be a secret in the wrong place.

use std::{fmt, sync::Arc, time::Duration};

use anchorhold_core::{
    clock::{Clock, Entropy},
    ids::ChannelName,
};
use camino::Utf8PathBuf;
use jiff::SignedDuration;
use toml::{Table, Value};

use crate::{
    adapter::ChannelAdapter,
    secret::{SecretRef, SecretSource},
};

/// Builds the adapters of one type of channel.
#[derive(Clone, Copy, Debug)]
pub struct ChannelFactory {
    /// What the configuration says as `type`.
    pub type_name: &'static str,
    /// Builds an adapter from the instance's table, without the keys that the host itself reads.
    /// Checks everything that can be checked without the network and changes nothing.
    pub build: Build,
}

/// Builds one adapter, or says all that is wrong with its table.
pub type Build = fn(&FactoryContext, Table) -> Result<Arc<dyn ChannelAdapter>, Vec<Problem>>;

/// What an adapter gets besides its table.
#[derive(Clone)]
pub struct FactoryContext {
    /// The instance's name.
    pub name: ChannelName,
    /// A folder that exists, belongs to the host, and that all instances share.
    pub data_dir: Utf8PathBuf,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where randomness comes from.
    pub entropy: Arc<dyn Entropy>,
    /// Where secrets come from.
    pub secrets: Arc<SecretSource>,
}

impl fmt::Debug for FactoryContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FactoryContext")
            .field("name", &self.name)
            .field("data_dir", &self.data_dir)
            .finish_non_exhaustive()
    }
}

/// Something that is wrong with the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The path to the key, from the instance's table on.
    pub key: Vec<String>,
    /// What is wrong with it, for the person who wrote it. Never repeats a value.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key.join("."), self.what)
    }
}

/// A type that a value in the configuration can have.
pub trait FromValue: Sized {
    /// What is expected, as it follows "has to be".
    const EXPECTED: &'static str;
    /// Reads the value; an error says what is wrong, or `None` for "not what is expected".
    fn from_value(value: &Value) -> Result<Self, Option<String>>;
}

impl FromValue for String {
    const EXPECTED: &'static str = "text";
    fn from_value(value: &Value) -> Result<Self, Option<String>> {
        value.as_str().map(str::to_owned).ok_or(None)
    }
}

impl FromValue for bool {
    const EXPECTED: &'static str = "true or false";
    fn from_value(value: &Value) -> Result<Self, Option<String>> {
        value.as_bool().ok_or(None)
    }
}

impl FromValue for i64 {
    const EXPECTED: &'static str = "a whole number";
    fn from_value(value: &Value) -> Result<Self, Option<String>> {
        value.as_integer().ok_or(None)
    }
}

impl FromValue for u64 {
    const EXPECTED: &'static str = "a whole number, 0 or more";
    fn from_value(value: &Value) -> Result<Self, Option<String>> {
        let number = value.as_integer().ok_or(None)?;
        Self::try_from(number).map_err(|_negative| None)
    }
}

impl FromValue for u16 {
    const EXPECTED: &'static str = "a whole number from 0 to 65535";
    fn from_value(value: &Value) -> Result<Self, Option<String>> {
        let number = value.as_integer().ok_or(None)?;
        Self::try_from(number).map_err(|_out_of_range| None)
    }
}

impl FromValue for Duration {
    const EXPECTED: &'static str = "a time like \"30s\" or \"5m\"";
    fn from_value(value: &Value) -> Result<Self, Option<String>> {
        let text = value.as_str().ok_or(None)?;
        let span: SignedDuration = text.parse().map_err(|_not_a_time| None)?;
        Self::try_from(span).map_err(|_negative| None)
    }
}

impl FromValue for Utf8PathBuf {
    const EXPECTED: &'static str = "a path";
    fn from_value(value: &Value) -> Result<Self, Option<String>> {
        match value.as_str() {
            Some(path) if !path.is_empty() => Ok(path.into()),
            Some(_) | None => Err(None),
        }
    }
}

impl FromValue for SecretRef {
    const EXPECTED: &'static str = "`env:NAME` or `file:PATH`";
    fn from_value(value: &Value) -> Result<Self, Option<String>> {
        let text = value.as_str().ok_or(None)?;
        Self::parse(text).map_err(|error| Some(error.to_string()))
    }
}

impl<T: FromValue> FromValue for Vec<T> {
    const EXPECTED: &'static str = "a list";
    fn from_value(value: &Value) -> Result<Self, Option<String>> {
        let values = value.as_array().ok_or(None)?;
        let read = |(at, value)| {
            T::from_value(value).map_err(|what| {
                let what = what.unwrap_or_else(|| format!("has to be {}", T::EXPECTED));
                Some(format!("entry {at} {what}"))
            })
        };
        (1_usize..).zip(values).map(read).collect()
    }
}

/// Reads a table key by key and collects all that is wrong with it.
///
/// ```ignore
/// let mut reader = TableReader::new(table);
/// let token = reader.required::<SecretRef>("token");
/// let poll = reader.optional::<Duration>("poll");
/// let config = token.map(|token| Config { token, poll: poll.unwrap_or(POLL) });
/// reader.finish(config)
/// ```
#[derive(Debug)]
pub struct TableReader {
    table: Table,
    path: Vec<String>,
    known: Vec<&'static str>,
    problems: Vec<Problem>,
}

impl TableReader {
    /// A reader of an instance's table.
    pub fn new(table: Table) -> Self {
        Self {
            table,
            path: Vec::new(),
            known: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// The value of a key that has to be there. `None` means that a problem has been noted.
    pub fn required<T: FromValue>(&mut self, key: &'static str) -> Option<T> {
        if !self.table.contains_key(key) {
            self.known.push(key);
            self.problem(key, format!("is missing, it has to be {}", T::EXPECTED));
            return None;
        }
        self.optional(key)
    }

    /// The value of a key that can be left out. `None` means that it was, or a problem was noted.
    pub fn optional<T: FromValue>(&mut self, key: &'static str) -> Option<T> {
        self.known.push(key);
        let value = self.table.remove(key)?;
        match T::from_value(&value) {
            Ok(value) => Some(value),
            Err(what) => {
                let what = what.unwrap_or_else(|| {
                    let expected = T::EXPECTED;
                    format!("has to be {expected}, not {}", kind(&value))
                });
                self.problem(key, what);
                None
            }
        }
    }

    /// Text that `parse` takes. Its error is shown, so it must not repeat the text.
    pub fn parsed<T, E: fmt::Display>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text: String = self.optional(key)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(error) => {
                self.problem(key, error.to_string());
                None
            }
        }
    }

    /// Reads a table inside the table, if it is there, with the same strictness.
    pub fn table<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<T> {
        self.known.push(key);
        let table = match self.table.remove(key)? {
            Value::Table(table) => table,
            value @ (Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_)) => {
                self.problem(key, format!("has to be a table, not {}", kind(&value)));
                return None;
            }
        };
        let mut inner = Self::new(table);
        inner.path = self.path.clone();
        inner.path.push(key.to_owned());
        let read = read(&mut inner);
        inner.note_unknown();
        self.problems.append(&mut inner.problems);
        read
    }

    /// Notes a problem that the caller has found at `key`.
    pub fn problem(&mut self, key: &str, what: impl Into<String>) {
        let mut path = self.path.clone();
        path.push(key.to_owned());
        let what = what.into();
        self.problems.push(Problem { key: path, what });
    }

    /// Ends the reading: `built` if there is nothing wrong, else all problems, unknown keys
    /// included. `None` without a noted problem is a problem too, never a panic.
    pub fn finish<T>(mut self, built: Option<T>) -> Result<T, Vec<Problem>> {
        self.note_unknown();
        match built {
            Some(built) if self.problems.is_empty() => Ok(built),
            None if self.problems.is_empty() => {
                let what = "the table is not complete".to_owned();
                let key = self.path;
                Err(vec![Problem { key, what }])
            }
            Some(_) | None => Err(self.problems),
        }
    }

    fn note_unknown(&mut self) {
        let unknown: Vec<String> = self.table.keys().cloned().collect();
        for key in unknown {
            let what = match suggestion(&key, &self.known) {
                Some(close) => format!("is not a key here, did you mean `{close}`?"),
                None => "is not a key here".to_owned(),
            };
            self.problem(&key, what);
        }
    }
}

/// What a value is, without saying it.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "this text",
        Value::Integer(_) => "this whole number",
        Value::Float(_) => "a fraction",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    }
}

/// The known key that `key` is most likely a misspelling of: at most a third of it is different.
pub fn suggestion<'a>(key: &str, known: &[&'a str]) -> Option<&'a str> {
    // Keys are short; a giant one is nobody's misspelling, and the distance is quadratic.
    if key.len() > 64 {
        return None;
    }
    let allowed = (key.chars().count() / 3).max(1);
    known
        .iter()
        .map(|candidate| (distance(key, candidate), *candidate))
        .filter(|(distance, _candidate)| *distance <= allowed)
        .min_by_key(|(distance, _candidate)| *distance)
        .map(|(_distance, candidate)| candidate)
}

/// How many single-character changes lead from `a` to `b`, a swap of neighbours counting as one.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let same = a[i - 1] == b[j - 1];
            let mut best = (rows[i - 1][j] + 1)
                .min(row[j - 1] + 1)
                .min(rows[i - 1][j - 1] + usize::from(!same));
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests;
