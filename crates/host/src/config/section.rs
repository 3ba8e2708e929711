//! One table of the file, read key by key.
//!
//! Each reader reports what is wrong and then answers with the default, so that checking goes on
//! and finds the next problem; a report with a problem in it never becomes a `Config`.

use std::time::Duration;

use toml::{Table, Value};

use crate::config::{
    ENTRY_LIMIT,
    keys::{Bounds, Choice},
    problem::quote,
    quantity,
    report::Report,
};

/// The time that does not come.
const NEVER: &str = "never";

/// A table and where it is. A table that the file does not have reads as an empty one.
#[derive(Clone, Debug)]
pub(super) struct Section<'t> {
    at: Vec<String>,
    table: Option<&'t Table>,
}

impl<'t> Section<'t> {
    pub(super) fn root(table: &'t Table) -> Self {
        Self {
            at: Vec::new(),
            table: Some(table),
        }
    }

    /// Where the table is.
    pub(super) fn at(&self) -> &[String] {
        &self.at
    }

    /// Where a key of the table is.
    pub(super) fn key(&self, key: &str) -> Vec<String> {
        self.at.iter().cloned().chain([key.to_owned()]).collect()
    }

    pub(super) fn get(&self, key: &str) -> Option<&'t Value> {
        self.table?.get(key)
    }

    /// All keys and values.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'t String, &'t Value)> {
        self.table.into_iter().flatten()
    }

    /// Reports every key that is not one of `keys`.
    pub(super) fn refuse_others(&self, report: &mut Report, keys: &[&str]) {
        for (key, _) in self.iter().filter(|(key, _)| !keys.contains(&key.as_str())) {
            let what = format!("unknown key{}", report.suggest(key, keys));
            report.add(&self.key(key), what);
        }
    }

    /// The table at `key`.
    pub(super) fn section(&self, report: &mut Report, key: &str) -> Self {
        let value = self.get(key);
        let table = value.and_then(Value::as_table);
        if let (Some(value), None) = (value, table) {
            report.add(&self.key(key), wrong_kind("a table", value));
        }
        Self {
            at: self.key(key),
            table,
        }
    }

    /// The tables in the table at `key`, by name.
    pub(super) fn named(&self, report: &mut Report, key: &str) -> Vec<(&'t str, Self)> {
        let section = self.section(report, key);
        let count = section.iter().count();
        if too_many(report, &section.at, count) {
            return Vec::new();
        }
        section
            .iter()
            .map(|(name, _)| (name.as_str(), section.section(report, name)))
            .collect()
    }

    /// The tables in the list at `key`, in order.
    pub(super) fn listed(&self, report: &mut Report, key: &str) -> Vec<Self> {
        let at = self.key(key);
        let items = match self.get(key) {
            Some(Value::Array(items)) => items.as_slice(),
            Some(value) => {
                let list = format!("a list of tables, each under [[{key}]]");
                report.add(&at, wrong_kind(&list, value));
                &[]
            }
            None => &[],
        };
        if too_many(report, &at, items.len()) {
            return Vec::new();
        }
        let mut sections = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let at: Vec<String> = at.iter().cloned().chain([index.to_string()]).collect();
            if item.as_table().is_none() {
                report.add(&at, wrong_kind("a table", item));
            }
            sections.push(Self {
                at,
                table: item.as_table(),
            });
        }
        sections
    }

    /// The text at `key`; any text at all.
    pub(super) fn raw_text(&self, report: &mut Report, key: &str) -> Option<&'t str> {
        let value = self.get(key)?;
        let text = value.as_str();
        if text.is_none() {
            report.add(&self.key(key), wrong_kind("text in quotes", value));
        }
        text
    }

    /// The text at `key`: not empty, within the limit, without control characters.
    pub(super) fn text(&self, report: &mut Report, key: &str, limit: usize) -> Option<&'t str> {
        let text = self.raw_text(report, key)?;
        let what = if text.is_empty() {
            "is empty".to_owned()
        } else if text.chars().nth(limit).is_some() {
            format!("is longer than {limit} characters")
        } else if text.chars().any(char::is_control) {
            "has a control character".to_owned()
        } else {
            return Some(text);
        };
        report.add(&self.key(key), what);
        None
    }

    /// The text at `key`: not empty and within the limit. It may have any character, as names that
    /// people gave their chats and themselves do.
    pub(super) fn title(&self, report: &mut Report, key: &str, limit: usize) -> Option<&'t str> {
        let text = self.raw_text(report, key)?;
        let what = if text.is_empty() {
            "is empty".to_owned()
        } else if text.chars().nth(limit).is_some() {
            format!("is longer than {limit} characters")
        } else {
            return Some(text);
        };
        report.add(&self.key(key), what);
        None
    }

    /// The texts in the list at `key`, each with its place.
    pub(super) fn texts(&self, report: &mut Report, key: &str) -> Vec<(Vec<String>, &'t str)> {
        let at = self.key(key);
        let items = match self.get(key) {
            Some(Value::Array(items)) => items.as_slice(),
            Some(value) => {
                report.add(&at, wrong_kind("a list of texts in quotes", value));
                &[]
            }
            None => &[],
        };
        if too_many(report, &at, items.len()) {
            return Vec::new();
        }
        let mut texts = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let at: Vec<String> = at.iter().cloned().chain([index.to_string()]).collect();
            match item.as_str() {
                Some(text) => texts.push((at, text)),
                None => report.add(&at, wrong_kind("text in quotes", item)),
            }
        }
        texts
    }

    /// `true` or `false`; `false` where the file has none.
    pub(super) fn flag(&self, report: &mut Report, key: &str) -> bool {
        let Some(value) = self.get(key) else {
            return false;
        };
        if value.as_bool().is_none() {
            report.add(&self.key(key), wrong_kind("true or false", value));
        }
        value.as_bool().unwrap_or(false)
    }

    /// The text at `key`, which has to be there; `hint` ends the sentence that it is missing.
    pub(super) fn required(&self, report: &mut Report, key: &str, hint: &str) -> Option<&'t str> {
        // A table that is not one was already reported, and has no keys to miss.
        if self.table.is_some() && self.get(key).is_none() {
            report.add(&self.key(key), format!("is missing{hint}"));
        }
        self.raw_text(report, key)
    }

    /// One of the choice's words.
    pub(super) fn choice<T: Copy>(&self, report: &mut Report, key: &str, choice: &Choice<T>) -> T {
        let Some(text) = self.raw_text(report, key) else {
            return choice.default;
        };
        let found = choice
            .all
            .iter()
            .find(|value| (choice.word)(**value) == text);
        if found.is_none() {
            let words: Vec<&str> = choice
                .all
                .iter()
                .map(|value| (choice.word)(*value))
                .collect();
            report.add(&self.key(key), not_one_of(report, text, &words));
        }
        found.copied().unwrap_or(choice.default)
    }

    /// One of the choice's words, where the file has one.
    pub(super) fn opt_choice<T: Copy>(
        &self,
        report: &mut Report,
        key: &str,
        choice: &Choice<T>,
    ) -> Option<T> {
        self.get(key)?;
        Some(self.choice(report, key, choice))
    }

    /// A time such as `20s`.
    pub(super) fn duration(
        &self,
        report: &mut Report,
        key: &str,
        bounds: &Bounds<Duration>,
    ) -> Duration {
        let show = quantity::format_duration;
        self.within(report, key, bounds, (read_duration, show))
    }

    /// A time such as `30d`, or `never`, which is `None`.
    pub(super) fn duration_or_never(
        &self,
        report: &mut Report,
        key: &str,
        bounds: &Bounds<Duration>,
    ) -> Option<Duration> {
        if self.get(key).and_then(Value::as_str) == Some(NEVER) {
            return None;
        }
        Some(self.duration(report, key, bounds))
    }

    /// A time as milliseconds.
    pub(super) fn millis(&self, report: &mut Report, key: &str, bounds: &Bounds<Duration>) -> u64 {
        let duration = self.duration(report, key, bounds);
        u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
    }

    /// A size such as `512MiB`, in bytes.
    pub(super) fn size(&self, report: &mut Report, key: &str, bounds: &Bounds<u64>) -> u64 {
        self.within(report, key, bounds, (read_size, quantity::format_size))
    }

    /// A whole number.
    pub(super) fn count(&self, report: &mut Report, key: &str, bounds: &Bounds<u32>) -> u32 {
        let show = |number: u32| number.to_string();
        self.within(report, key, bounds, (read_count, show))
    }

    /// A whole number that may be below zero.
    pub(super) fn integer(&self, report: &mut Report, key: &str, bounds: &Bounds<i32>) -> i32 {
        let wide = Bounds {
            default: i64::from(bounds.default),
            least: i64::from(bounds.least),
            most: i64::from(bounds.most),
        };
        let show = |number: i64| number.to_string();
        let number = self.within(report, key, &wide, (read_integer, show));
        i32::try_from(number).unwrap_or(bounds.default)
    }

    /// A number with up to three decimals, in thousandths.
    pub(super) fn thousandths(&self, report: &mut Report, key: &str, bounds: &Bounds<u32>) -> u32 {
        let show = quantity::format_thousandths;
        self.within(report, key, bounds, (read_thousandths, show))
    }

    /// A value that has to be within bounds; `how` reads it and shows it.
    fn within<T, R, S>(&self, report: &mut Report, key: &str, bounds: &Bounds<T>, how: (R, S)) -> T
    where
        T: Copy + PartialOrd,
        R: Fn(&Value) -> Result<T, String>,
        S: Fn(T) -> String,
    {
        let Some(value) = self.get(key) else {
            return bounds.default;
        };
        let (read, show) = how;
        let what = match read(value) {
            Ok(value) if value >= bounds.least && value <= bounds.most => return value,
            Ok(_) => {
                let (least, most) = (show(bounds.least), show(bounds.most));
                format!("must be from {least} to {most}")
            }
            Err(what) => what,
        };
        report.add(&self.key(key), what);
        bounds.default
    }
}

/// What to say of a word that is none of `words`.
pub(super) fn not_one_of(report: &Report, text: &str, words: &[&str]) -> String {
    format!(
        "{} is not possible here{}",
        quote(text),
        report.suggest(text, words)
    )
}

/// What to say of a value of another kind than `wanted`.
pub(super) fn wrong_kind(wanted: &str, value: &Value) -> String {
    let kind = match value {
        Value::String(_) => "text",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    };
    format!("must be {wanted}, and is {kind}")
}

fn read_duration(value: &Value) -> Result<Duration, String> {
    let text = value.as_str();
    let text = text.ok_or_else(|| wrong_kind("a time such as \"20s\"", value))?;
    quantity::parse_duration(text).map_err(|error| error.to_string())
}

fn read_size(value: &Value) -> Result<u64, String> {
    let text = value.as_str();
    let text = text.ok_or_else(|| wrong_kind("a size such as \"512MiB\"", value))?;
    quantity::parse_size(text).map_err(|error| error.to_string())
}

fn read_count(value: &Value) -> Result<u32, String> {
    let number = value.as_integer();
    let number = number.ok_or_else(|| wrong_kind("a whole number", value))?;
    Ok(nearest_count(number))
}

fn read_integer(value: &Value) -> Result<i64, String> {
    let number = value.as_integer();
    number.ok_or_else(|| wrong_kind("a whole number", value))
}

/// The thousandths of a whole number, or the whole thousandths of any other.
///
/// Going by way of a duration, which rounds to nanoseconds, keeps 0.29 from becoming 289.
fn read_thousandths(value: &Value) -> Result<u32, String> {
    if let Some(number) = value.as_integer() {
        return Ok(nearest_count(number.saturating_mul(1000)));
    }
    let number = value.as_float();
    let number = number.ok_or_else(|| wrong_kind("a number such as 1.5", value))?;
    if number <= 0.0 {
        return Ok(0);
    }
    let thousandths = Duration::try_from_secs_f64(number).map(|seconds| seconds.as_millis());
    Ok(thousandths
        .ok()
        .and_then(|ms| u32::try_from(ms).ok())
        .unwrap_or(u32::MAX))
}

/// The number, or that end of the type it is beyond: both are outside of every range.
fn nearest_count(number: i64) -> u32 {
    let end = if number < 0 { 0 } else { u32::MAX };
    u32::try_from(number).unwrap_or(end)
}

fn too_many(report: &mut Report, at: &[String], count: usize) -> bool {
    let over = count > ENTRY_LIMIT;
    if over {
        report.add(
            at,
            format!("has {count} entries; at most {ENTRY_LIMIT} are accepted"),
        );
    }
    over
}
