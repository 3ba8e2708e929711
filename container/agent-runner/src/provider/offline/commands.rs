//! What the lines of a message ask for.

use std::time::Duration;

use anchorhold_core::turn_failure::FailureClass;

/// The most command lines of one message that are followed.
pub(super) const COMMANDS_LIMIT: usize = 100;
const SAY_LIMIT: usize = 1000;
const BIG_LIMIT: usize = 1_000_000;
const FAIL_LIMIT: usize = 1000;
const WAIT_LIMIT: Duration = Duration::from_hours(1);

/// One command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command<'a> {
    Sh(&'a str),
    Tool {
        name: &'a str,
        arguments: &'a str,
    },
    Say {
        count: usize,
        text: &'a str,
    },
    Sleep(Duration),
    Listen(Duration),
    Big(usize),
    Exit(u8),
    Hang,
    Env,
    /// Fails as long as there were fewer failures than so many.
    Fail {
        class: FailureClass,
        after: Option<Duration>,
        times: u32,
    },
    Remember(&'a str),
    Recall,
    /// No command; the answer says what would be one.
    Wrong(String),
}

/// Every command with its form, in the order of the manual.
const FORMS: &[(&str, &str)] = &[
    ("sh", "!sh CMD"),
    ("tool", "!tool NAME JSON"),
    ("say", "!say N TEXT, with N from 1 to 1000"),
    ("sleep", "!sleep S, with S from 0 to 3600 seconds"),
    ("listen", "!listen S, with S from 0 to 3600 seconds"),
    ("big", "!big N, with N from 1 to 1000000 characters"),
    ("exit", "!exit CODE, with CODE from 0 to 255"),
    ("hang", "!hang"),
    ("env", "!env"),
    (
        "fail",
        "!fail rate S [N], or !fail CLASS [N], with CLASS one of transient, budget, lost, full, \
         unauthorised, rejected, and N from 1 to 1000 failures",
    ),
    ("remember", "!remember TEXT"),
    ("recall", "!recall"),
];

/// The command lines of `text`, in order. Other lines say nothing to a script.
pub(super) fn parse(text: &str) -> Vec<Command<'_>> {
    let lines = text.lines().filter_map(|line| line.strip_prefix('!'));
    // One more than is followed tells that there are more.
    lines.take(COMMANDS_LIMIT + 1).map(parse_line).collect()
}

fn parse_line(line: &str) -> Command<'_> {
    let (word, rest) = split(line);
    let Some((_, form)) = FORMS.iter().find(|(known, _)| *known == word) else {
        return Command::Wrong(unknown(word));
    };
    let command = match word {
        "sh" => (!rest.is_empty()).then_some(Command::Sh(rest)),
        "tool" => {
            let (name, arguments) = split(rest);
            (!name.is_empty()).then_some(Command::Tool { name, arguments })
        }
        "say" => {
            let (count, text) = split(rest);
            let count = number(count, 1, SAY_LIMIT).filter(|_| !text.is_empty());
            count.map(|count| Command::Say { count, text })
        }
        "sleep" => seconds(rest).map(Command::Sleep),
        "listen" => seconds(rest).map(Command::Listen),
        "big" => number(rest, 1, BIG_LIMIT).map(Command::Big),
        "exit" => rest.parse().ok().map(Command::Exit),
        "hang" => rest.is_empty().then_some(Command::Hang),
        "env" => rest.is_empty().then_some(Command::Env),
        "fail" => fail(rest),
        "remember" => (!rest.is_empty()).then_some(Command::Remember(rest)),
        "recall" => rest.is_empty().then_some(Command::Recall),
        _ => None,
    };
    command.unwrap_or_else(|| Command::Wrong(format!("write: {form}")))
}

/// How a provider is to fail, and how often.
fn fail(rest: &str) -> Option<Command<'_>> {
    let (word, rest) = split(rest);
    let class = match word {
        "rate" => FailureClass::RateLimited,
        "transient" => FailureClass::Transient,
        "budget" => FailureClass::OutOfBudget,
        "lost" => FailureClass::ContinuationLost,
        "full" => FailureClass::ContextFull,
        "unauthorised" => FailureClass::Unauthorised,
        "rejected" => FailureClass::Rejected,
        _ => return None,
    };
    let (after, times) = if class == FailureClass::RateLimited {
        let (span, times) = split(rest);
        (Some(seconds(span)?), times)
    } else {
        (None, rest)
    };
    let times = match times {
        "" => 1,
        times => number(times, 1, FAIL_LIMIT)?,
    };
    Some(Command::Fail {
        class,
        after,
        times: u32::try_from(times).ok()?,
    })
}

/// The first word and what follows it.
fn split(line: &str) -> (&str, &str) {
    match line.split_once(char::is_whitespace) {
        Some((word, rest)) => (word, rest.trim()),
        None => (line.trim(), ""),
    }
}

fn number(text: &str, least: usize, most: usize) -> Option<usize> {
    let number = text.parse().ok()?;
    (least..=most).contains(&number).then_some(number)
}

fn seconds(text: &str) -> Option<Duration> {
    let span = Duration::try_from_secs_f64(text.parse().ok()?).ok()?;
    (span <= WAIT_LIMIT).then_some(span)
}

fn unknown(word: &str) -> String {
    let word: String = word.chars().take(32).collect();
    let mut text = format!("I don't know !{word}. I know:");
    for (_, form) in FORMS {
        text.push('\n');
        text.push_str(form);
    }
    text
}
