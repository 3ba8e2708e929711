//! Running tests with cargo-nextest, and counting them.

use std::{ffi::OsString, fmt, fs, io, ops::Add};

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::{
    output::{self, Console},
    workspace::Workspace,
};

/// The version installed where there is none.
const VERSION: &str = "0.9.143";
/// Where the profile `ci` of `.config/nextest.toml` reports to, from the workspace's root.
const REPORT: &str = "target/nextest/ci/junit.xml";

/// How many tests ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    passed: u64,
    failed: u64,
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// A run of tests that came to its end.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// How many tests ended how.
    pub(crate) counts: Counts,
    /// Why the run as a whole failed, if it did.
    pub(crate) failure: Option<anyhow::Error>,
}

/// Installs cargo-nextest if there is none.
pub(crate) fn ensure(sh: &Shell, console: &Console) -> Result<()> {
    if output::succeeds(cmd!(sh, "cargo nextest --version")) {
        return Ok(());
    }
    console.run(cmd!(sh, "cargo install --locked cargo-nextest@{VERSION}"))
}

/// Runs the workspace's tests that match `filter`; no match is a failure.
pub(crate) fn run(
    workspace: &Workspace,
    console: &Console,
    filter: &str,
    variables: &[(&'static str, OsString)],
) -> Result<Outcome> {
    let sh = workspace.shell()?;
    let report = workspace.root.join(REPORT);
    // A report of an earlier run would be counted if this one broke off before its own.
    match fs::remove_file(&report) {
        Ok(()) => {}
        Err(err) if err.kind() == io::ErrorKind::NotFound => {}
        Err(err) => return Err(err).with_context(|| format!("remove {}", report.display())),
    }
    let ran = console.run(
        cmd!(
            sh,
            "cargo nextest run --locked --workspace --profile ci --no-tests fail -E {filter}"
        )
        .envs(variables.iter().map(|(name, value)| (name, value))),
    );
    let counts = match fs::read_to_string(&report) {
        Ok(text) => parse(&text).with_context(|| format!("read {}", report.display()))?,
        Err(err) => {
            // A run without a report is a failure even if it says it is none.
            let failure = ran
                .err()
                .unwrap_or_else(|| anyhow::Error::new(err).context("the run left no report"));
            return Ok(Outcome {
                counts: Counts::default(),
                failure: Some(failure),
            });
        }
    };
    let failure = ran.err();
    Ok(Outcome { counts, failure })
}

/// Reads the totals of a `JUnit` report, which stand in its first element.
fn parse(report: &str) -> Result<Counts> {
    let (_, rest) = report.split_once("<testsuites").context("no totals")?;
    let (totals, _) = rest.split_once('>').context("the totals are cut short")?;
    let number = |name: &str| -> Result<u64> {
        let (_, rest) = totals
            .split_once(&format!(" {name}=\""))
            .with_context(|| format!("the totals do not say {name}"))?;
        let (digits, _) = rest.split_once('"').context("the totals are cut short")?;
        digits.parse().with_context(|| format!("{name}={digits}"))
    };
    let failed = number("failures")? + number("errors")?;
    let passed = number("tests")?.saturating_sub(failed);
    Ok(Counts { passed, failed })
}

#[cfg(test)]
mod tests;
