//! What people and programs see of a reply.
//!
//! Values come from anybody who can write to a channel, so nothing in them may move a cursor,
//! change a colour, hide, or turn the order of letters around.

use jiff::Timestamp;
use serde_json::{Map, Value};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::request::{FailCode, Reply};

/// The widest cell of a table, in columns of a terminal.
const CELL_LIMIT: usize = 60;
/// The most characters of a cell: some have no width, and a name can be made of thousands.
const CELL_LIMIT_CHARS: usize = 4 * CELL_LIMIT;

/// The exit status of a command that was used wrongly.
pub const EXIT_USAGE: u8 = 64;
/// The exit status where there is no host to talk to, or it can't now.
pub const EXIT_UNAVAILABLE: u8 = 69;
/// The exit status of what waits for a person's word.
pub const EXIT_HELD: u8 = 75;

/// For whom a reply is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// People: tables, times that can be read, long cells cut.
    Text,
    /// Programs: one JSON object a line, with whole values.
    Json,
}

/// What a command prints, and its exit status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// For standard output; whole lines.
    pub stdout: String,
    /// For standard error; whole lines.
    pub stderr: String,
    /// The exit status.
    pub code: u8,
}

/// What a command that got `reply` prints.
pub fn output(reply: &Reply, style: Style) -> Output {
    let shown = match style {
        Style::Text => text(reply),
        Style::Json => json(reply),
    };
    let code = exit_code(reply);
    match reply {
        Reply::Failed { .. } => Output {
            stdout: String::new(),
            stderr: shown,
            code,
        },
        Reply::Rows { .. } | Reply::One(_) | Reply::Done { .. } | Reply::Held { .. } => Output {
            stdout: shown,
            stderr: String::new(),
            code,
        },
    }
}

/// The exit status of a command that got `reply`: 0 if it was done, 75 if it waits for a person, 64
/// and 69 for requests that are none and hosts that can't now, 1 for all else.
pub fn exit_code(reply: &Reply) -> u8 {
    match reply {
        Reply::Rows { .. } | Reply::One(_) | Reply::Done { .. } => 0,
        Reply::Held { .. } => EXIT_HELD,
        Reply::Failed { code, .. } => match code {
            FailCode::Usage => EXIT_USAGE,
            FailCode::Unavailable => EXIT_UNAVAILABLE,
            FailCode::NotFound | FailCode::Forbidden | FailCode::Conflict | FailCode::Internal => 1,
        },
    }
}

/// The reply for people, in whole lines.
pub fn text(reply: &Reply) -> String {
    match reply {
        Reply::Rows { columns, rows } => {
            let head = columns.iter().map(|column| cut(&safe(column)));
            let mut lines = vec![head.collect()];
            lines.extend(rows.iter().map(|row| {
                let cells = columns.iter().zip(row);
                cells
                    .map(|(column, value)| cut(&cell(column, value)))
                    .collect()
            }));
            table(&lines)
        }
        Reply::One(fields) => {
            let lists = fields.iter().filter_map(|(name, value)| list(name, value));
            let lists: String = lists.collect();
            let plain = fields
                .iter()
                .filter(|(name, value)| list(name, value).is_none());
            let lines: Vec<Vec<String>> = plain
                .map(|(name, value)| vec![safe(name), cell(name, value)])
                .collect();
            table(&lines) + &lists
        }
        Reply::Done { what, id } => match id {
            Some(id) if !what.contains(id.as_str()) => {
                format!("{} (id {})\n", safe(what), safe(id))
            }
            Some(_) | None => format!("{}\n", safe(what)),
        },
        Reply::Held {
            approval,
            code,
            what,
        } => format!(
            "held until somebody approves: {} (approval {}, code {})\n",
            safe(what),
            safe(approval),
            safe(code)
        ),
        Reply::Failed { code, what } => {
            format!("error: {} ({})\n", safe(what), code.as_str())
        }
    }
}

/// The reply for programs: one JSON object a line; for a list, one for each row.
pub fn json(reply: &Reply) -> String {
    match reply {
        Reply::Rows { columns, rows } => rows
            .iter()
            .map(|row| json_line(columns.iter().zip(row.iter().cloned())))
            .collect(),
        Reply::One(fields) => json_line(fields.iter().map(|(name, value)| (name, value.clone()))),
        Reply::Done { what, id } => {
            let id = id.iter().map(|id| ("id", id.as_str().into()));
            json_line([("done", what.as_str().into())].into_iter().chain(id))
        }
        Reply::Held {
            approval,
            code,
            what,
        } => json_line([
            ("held", what.as_str().into()),
            ("approval", approval.as_str().into()),
            ("code", code.as_str().into()),
        ]),
        Reply::Failed { code, what } => json_line([
            ("failed", code.as_str().into()),
            ("what", what.as_str().into()),
        ]),
    }
}

fn json_line<N: ToString>(fields: impl IntoIterator<Item = (N, Value)>) -> String {
    let fields = fields
        .into_iter()
        .map(|(name, value)| (name.to_string(), value));
    let plain = Value::Object(fields.collect::<Map<_, _>>()).to_string();
    let mut line = String::with_capacity(plain.len() + 1);
    for c in plain.chars() {
        // Such characters stand only in strings, where the escape means the same.
        if moves(c) || hides(c) {
            let mut units = [0; 2];
            let escapes = c.encode_utf16(&mut units).iter();
            line.extend(escapes.map(|unit| format!("\\u{unit:04x}")));
        } else {
            line.push(c);
        }
    }
    line.push('\n');
    line
}

fn cell(column: &str, value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => safe(text),
        Value::Number(number) => number
            .as_i64()
            .filter(|_| is_time(column))
            .and_then(|ms| Timestamp::from_millisecond(ms).ok())
            .map_or_else(
                || number.to_string(),
                |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
            ),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => safe(&value.to_string()),
    }
}

/// A list of like things, as a table below what it belongs to.
fn list(name: &str, value: &Value) -> Option<String> {
    let items = value.as_array()?.iter().map(Value::as_object);
    let items: Vec<&Map<String, Value>> = items.collect::<Option<_>>()?;
    let columns: Vec<&String> = items.first()?.keys().collect();
    let mut lines = vec![columns.iter().map(|column| cut(&safe(column))).collect()];
    lines.extend(items.iter().map(|item| {
        let cells = columns.iter().map(|column| match item.get(*column) {
            Some(value) => cut(&cell(column, value)),
            None => "-".to_owned(),
        });
        cells.collect()
    }));
    Some(format!("\n{}:\n{}", safe(name), table(&lines)))
}

fn is_time(column: &str) -> bool {
    let last = column.rsplit(['_', '-']).next();
    matches!(last, Some("at" | "since" | "until"))
}

/// One line without anything that acts on a terminal.
fn safe(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            c if moves(c) || hides(c) => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect()
}

/// Escapes and other controls, those of eight bits among them.
fn moves(c: char) -> bool {
    c.is_control()
}

/// Marks that reorder, break or hide text. Joiners stay: names and emoji are written with them.
fn hides(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn cut(text: &str) -> String {
    let chars = text.chars().take(CELL_LIMIT_CHARS + 1).count();
    if chars <= CELL_LIMIT_CHARS && text.width() <= CELL_LIMIT {
        return text.to_owned();
    }
    let mut width = 0;
    let mut cut: String = text
        .chars()
        .take(CELL_LIMIT_CHARS - 1)
        .take_while(|c| {
            width += c.width().unwrap_or(0);
            width < CELL_LIMIT
        })
        .collect();
    cut.push('…');
    cut
}

/// Lines up the columns.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widest = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell: &String| cell.width()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(widest).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            // The same width as above, so that the padding is never less than nothing.
            line.push_str(&" ".repeat(width.saturating_sub(cell.width()) + 2));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests;
