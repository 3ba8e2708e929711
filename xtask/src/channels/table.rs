//! The table of promises: one line each, one column for each channel.

use anyhow::{Context, Result, ensure};

/// Between these lines the page belongs to this program.
const BEGIN: &str = "<!-- conformance: begin -->\n";
const END: &str = "<!-- conformance: end -->";

/// What one channel's suite has said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    channel: String,
    cases: Vec<(String, bool)>,
}

impl Column {
    /// Reads a report: lines of `passed   NAME` and `skipped  NAME: WHY`, among others.
    pub(super) fn read(channel: &str, text: &str) -> Result<Self> {
        let mut cases = Vec::new();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let (Some(outcome), Some(name)) = (words.next(), words.next()) else {
                continue;
            };
            ensure!(outcome != "FAILED", "{channel}: {line}");
            let name = name.trim_end_matches(':').to_owned();
            match outcome {
                "passed" => cases.push((name, true)),
                "skipped" => cases.push((name, false)),
                _ => {}
            }
        }
        ensure!(
            !cases.is_empty(),
            "the suite of {channel} has printed no report"
        );
        let channel = channel.to_owned();
        Ok(Self { channel, cases })
    }
}

/// What all suites have said.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Table {
    columns: Vec<Column>,
}

impl Table {
    /// The columns side by side; each has the same cases.
    pub(super) fn of(mut columns: Vec<Column>) -> Result<Self> {
        columns.sort_by(|a, b| a.channel.cmp(&b.channel));
        let names = |column: &Column| -> Vec<String> {
            column.cases.iter().map(|(name, _)| name.clone()).collect()
        };
        let first = columns
            .first()
            .map(names)
            .context("there are no channels")?;
        for column in &columns {
            ensure!(
                names(column) == first,
                "{} ran another suite",
                column.channel
            );
        }
        Ok(Self { columns })
    }

    /// How much it is.
    pub(super) fn summary(&self) -> String {
        let cases = self.columns.first().map_or(0, |column| column.cases.len());
        format!("{} channels, {cases} promises each", self.columns.len())
    }

    /// The page with this table in its place.
    pub(super) fn put_into(&self, page: &str) -> Result<String> {
        let (before, rest) = page.split_once(BEGIN).context("the page has no table")?;
        let (_, after) = rest.split_once(END).context("the table has no end")?;
        Ok(format!("{before}{BEGIN}{}{END}{after}", self.drawn()))
    }

    fn drawn(&self) -> String {
        let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let channels = self
            .columns
            .iter()
            .map(|column| format!("`{}`", column.channel));
        let mut drawn = row(["Promise".to_owned()].into_iter().chain(channels).collect());
        drawn.extend(["|---|", &":-:|".repeat(self.columns.len()), "\n"]);
        let count = self.columns.first().map_or(0, |column| column.cases.len());
        for at in 0..count {
            let cases = self
                .columns
                .iter()
                .filter_map(|column| column.cases.get(at));
            let mut cells: Vec<String> = Vec::new();
            for (name, kept) in cases {
                if cells.is_empty() {
                    cells.push(name.replace('_', " "));
                }
                cells.push(if *kept { "✓" } else { "–" }.to_owned());
            }
            drawn.push_str(&row(cells));
        }
        drawn
    }
}

#[cfg(test)]
mod tests;
