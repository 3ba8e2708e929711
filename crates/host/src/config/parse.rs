//! From text to plain values and the lines they stand in.

use std::thread;

use camino::Utf8Path;
use toml::{
    Spanned, Table, Value,
    de::{DeArray, DeInteger, DeTable, DeValue, Error},
};

use crate::config::{
    FILE_LIMIT_BYTES,
    locate::{Found, Lines, Place},
    problem::{PROBLEMS_LIMIT, Problem, Problems},
};

/// The most tables and lists that may be inside each other.
const DEPTH_LIMIT: usize = 16;

/// The stack that parsing gets.
///
/// The `toml` crate stops at 80 nested values and 80 parts of one key, but not at the product of
/// both, and its tables are dropped by recursion: 13 kB of hostile text needs more than the 2 MiB
/// that a thread usually has. This is ten times what the product needs in a debug build.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// The file as values and lines.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) table: Table,
    pub(super) root: Place,
    /// Values that TOML allows and the host can't hold; in `table` something else stands for them.
    pub(super) faults: Vec<Fault>,
}

/// One value that can't be held.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) at: Vec<String>,
    pub(super) what: &'static str,
}

/// Parses `text`. Errors of syntax end it: what follows one is not worth a second opinion.
pub(super) fn parse(text: &str, path: &Utf8Path) -> Result<Parsed, Problems> {
    if text.len() > FILE_LIMIT_BYTES {
        let what = format!("is larger than {FILE_LIMIT_BYTES} bytes");
        return Err(whole_file(path, &what));
    }
    let parsed = thread::scope(|scope| {
        let thread = thread::Builder::new().name("config".to_owned());
        thread
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, || parse_here(text, path))
            .map(thread::ScopedJoinHandle::join)
    });
    match parsed {
        Ok(Ok(parsed)) => parsed,
        // The thread's own panic message has already said more.
        Ok(Err(_panic)) => Err(whole_file(path, "made the TOML parser fail")),
        Err(error) => Err(whole_file(path, &format!("can't be parsed now: {error}"))),
    }
}

fn whole_file(path: &Utf8Path, what: &str) -> Problems {
    Problem::new(path, Place::new(1).find::<&str>(&[]), what).into()
}

fn parse_here(text: &str, path: &Utf8Path) -> Result<Parsed, Problems> {
    let lines = Lines::of(text);
    let (document, errors) = DeTable::parse_recoverable(text);
    if let Some(problems) = syntax_problems(&errors, &lines, path) {
        return Err(problems);
    }
    let mut walk = Walk {
        lines: &lines,
        at: Vec::new(),
        faults: Vec::new(),
    };
    let mut root = Place::new(1);
    let table = walk.table(document.get_ref(), &mut root);
    Ok(Parsed {
        table,
        root,
        faults: walk.faults,
    })
}

fn syntax_problems(errors: &[Error], lines: &Lines, path: &Utf8Path) -> Option<Problems> {
    let offset = |error: &Error| error.span().map_or(0, |span| span.start);
    let mut errors: Vec<&Error> = errors.iter().collect();
    errors.sort_by_key(|error| offset(error));
    let problems = errors.iter().take(PROBLEMS_LIMIT).map(|error| {
        let found = Found {
            key: String::new(),
            line: lines.at(offset(error)),
        };
        Problem::new(path, found, &format!("is not TOML: {}", error.message()))
    });
    let omitted = errors.len().saturating_sub(PROBLEMS_LIMIT);
    Problems::with_omitted(problems.collect(), omitted)
}

/// The way through the document.
struct Walk<'a> {
    lines: &'a Lines,
    at: Vec<String>,
    faults: Vec<Fault>,
}

impl Walk<'_> {
    fn table(&mut self, table: &DeTable<'_>, place: &mut Place) -> Table {
        let mut plain = Table::new();
        for (key, value) in table {
            let line = self.lines.at(key.span().start);
            let value = self.child(key.get_ref(), value, place, line);
            plain.insert(key.get_ref().to_string(), value);
        }
        plain
    }

    fn list(&mut self, list: &DeArray<'_>, place: &mut Place) -> Vec<Value> {
        place.list = true;
        let mut plain = Vec::with_capacity(list.len());
        for (index, value) in list.iter().enumerate() {
            let line = self.lines.at(value.span().start);
            plain.push(self.child(&index.to_string(), value, place, line));
        }
        plain
    }

    fn child(
        &mut self,
        name: &str,
        value: &Spanned<DeValue<'_>>,
        above: &mut Place,
        line: usize,
    ) -> Value {
        let mut place = Place::new(line);
        self.at.push(name.to_owned());
        let value = self.value(value.get_ref(), &mut place);
        self.at.pop();
        above.children.insert(name.to_owned(), place);
        value
    }

    fn value(&mut self, value: &DeValue<'_>, place: &mut Place) -> Value {
        match value {
            DeValue::Table(_) | DeValue::Array(_) if self.at.len() > DEPTH_LIMIT => {
                self.fault("is nested too deep")
            }
            DeValue::Table(table) => Value::Table(self.table(table, place)),
            DeValue::Array(list) => Value::Array(self.list(list, place)),
            DeValue::String(text) => Value::String(text.to_string()),
            DeValue::Boolean(answer) => Value::Boolean(*answer),
            DeValue::Datetime(time) => Value::Datetime(*time),
            DeValue::Integer(number) => match integer(number) {
                Some(number) => Value::Integer(number),
                None => self.fault("is too large a number"),
            },
            DeValue::Float(number) => match number.as_str().parse::<f64>() {
                Ok(number) if number.is_finite() => Value::Float(number),
                Ok(_) | Err(_) => self.fault("is not a finite number"),
            },
        }
    }

    fn fault(&mut self, what: &'static str) -> Value {
        self.faults.push(Fault {
            at: self.at.clone(),
            what,
        });
        Value::Boolean(false)
    }
}

fn integer(number: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

#[cfg(test)]
mod tests;
