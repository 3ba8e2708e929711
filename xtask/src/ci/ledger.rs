//! Steps and how they ended: a line for each while they run, a table at the end.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Result;

use crate::{
    machine::{Interrupts, Stopwatch},
    nextest::Counts,
    output::{self, Console},
};

/// All steps of one run.
#[derive(Debug)]
pub(super) struct Ledger {
    folder: PathBuf,
    interrupts: Interrupts,
    rows: Vec<Row>,
    watch: Stopwatch,
}

#[derive(Debug, PartialEq, Eq)]
struct Row {
    name: String,
    passed: bool,
    took: Duration,
    note: String,
}

impl Ledger {
    /// Begins a run whose steps log into `folder`.
    pub(super) fn open(folder: PathBuf, interrupts: Interrupts) -> Self {
        Self {
            folder,
            interrupts,
            rows: vec![],
            watch: Stopwatch::start(),
        }
    }

    /// Runs one step. A step that fails is written down, and its log shown; the run goes on.
    ///
    /// An error is only returned after Ctrl-C.
    pub(super) fn step(
        &mut self,
        name: &str,
        body: impl FnOnce(&Console) -> Result<String>,
    ) -> Result<()> {
        self.interrupts.check()?;
        output::begin(&format!("{name:<12}"));
        let log = self.folder.join(format!("{}.log", name.replace(' ', "-")));
        let watch = Stopwatch::start();
        let outcome = Console::log(&log).and_then(|console| body(&console));
        let took = watch.elapsed();
        let (passed, note, failure) = match outcome {
            Ok(note) => (true, note, None),
            Err(err) => (false, first_line(&format!("{err:#}")), Some(err)),
        };
        let row = Row {
            name: name.to_owned(),
            passed,
            took,
            note,
        };
        output::say(
            row.line()
                .strip_prefix(&format!("{name:<12}"))
                .unwrap_or_default(),
        );
        if let Some(err) = failure {
            output::say(&format!("--- {}", log.display()));
            output::say(&output::tail(&log));
            output::say(&format!("--- {name}: {err:#}\n"));
        }
        self.rows.push(row);
        self.interrupts.check()
    }

    /// Ends the run: the table if a step failed, and the tests counted.
    pub(super) fn close(self, counts: &Counts) -> ExitCode {
        let failed = self.rows.iter().filter(|row| !row.passed).count();
        output::say(&format!(
            "\n{} steps in {} s, {failed} failed",
            self.rows.len(),
            self.watch.elapsed().as_secs()
        ));
        if failed > 0 {
            for row in &self.rows {
                output::say(&row.line());
            }
        }
        output::say(&counts.to_string());
        if failed > 0 {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        }
    }
}

impl Row {
    fn line(&self) -> String {
        let verdict = if self.passed { "ok" } else { "FAILED" };
        let line = format!(
            "{:<12}{verdict:<7}{:>7.1} s  {}",
            self.name,
            self.took.as_secs_f64(),
            self.note
        );
        line.trim_end().to_owned()
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
