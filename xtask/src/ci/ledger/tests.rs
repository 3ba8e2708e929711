use std::fs;

use anyhow::bail;
use xshell::{Shell, cmd};

use super::*;

fn row(name: &str, passed: bool, note: &str) -> Row {
    Row {
        name: name.to_owned(),
        passed,
        took: Duration::from_millis(12_340),
        note: note.to_owned(),
    }
}

#[test]
fn a_row_is_a_line() {
    assert_eq!(row("fmt", true, "").line(), "fmt         ok        12.3 s");
    assert_eq!(
        row("tests", false, "1 passed, 2 failed").line(),
        "tests       FAILED    12.3 s  1 passed, 2 failed"
    );
}

#[test]
fn a_failed_step_fails_the_run_and_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let interrupts = Interrupts::catch().unwrap();
    let mut ledger = Ledger::open(folder.path().to_owned(), interrupts);
    ledger
        .step("bad one", |_console| bail!("first\nsecond"))
        .unwrap();
    ledger
        .step("good", |console| {
            let sh = Shell::new()?;
            console.run(cmd!(sh, "echo in the log"))?;
            Ok("note".to_owned())
        })
        .unwrap();
    let rows: Vec<_> = ledger
        .rows
        .iter()
        .map(|row| (row.name.as_str(), row.passed, row.note.as_str()))
        .collect();
    assert_eq!(rows, [("bad one", false, "first"), ("good", true, "note")]);
    let log = fs::read_to_string(folder.path().join("good.log")).unwrap();
    assert_eq!(log, "$ echo \"in\" the log\nin the log\n".replace('"', ""));
    assert!(folder.path().join("bad-one.log").is_file());
    let code = ledger.close(&Counts::default());
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::FAILURE));
}

#[test]
fn a_run_without_failures_succeeds() {
    let folder = tempfile::tempdir().unwrap();
    let interrupts = Interrupts::catch().unwrap();
    let mut ledger = Ledger::open(folder.path().to_owned(), interrupts);
    ledger.step("good", |_console| Ok(String::new())).unwrap();
    let code = ledger.close(&Counts::default());
    assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::SUCCESS));
}
