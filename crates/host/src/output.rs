//! Where the command line prints: data on standard output, everything else on standard error.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is where printing is done"
)]

use std::io::{self, Write};

use serde::Serialize;

/// Prints a line of data.
pub fn data(line: &str) {
    // silent: whoever read it has gone, as with `head`.
    drop(writeln!(io::stdout(), "{line}").and_then(|()| io::stdout().flush()));
}

/// Prints data as one line of JSON.
pub fn json(value: &impl Serialize) -> Result<(), serde_json::Error> {
    data(&serde_json::to_string(value)?);
    Ok(())
}

/// Prints a line for the person, not for a program.
pub fn note(line: &str) {
    eprintln!("{line}");
}

/// Prints a prompt without a line end.
pub fn prompt(text: &str) {
    print!("{text}");
    // silent: a terminal that is gone ends the input, too.
    drop(io::stdout().flush());
}

/// Lines up the columns of a table; the first row is its head.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
