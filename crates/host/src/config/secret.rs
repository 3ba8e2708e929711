//! Secrets: the file may say where one is, never what it is.

use anchorhold_channel::SecretRef;
use toml::{Table, Value};

use crate::config::report::Report;

/// Ends of key names that mean a secret, without regard to case, `_`, `-` and a plural's `s`.
const SECRET_NAMES: &[&str] = &[
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "credential",
    "apikey",
    "accesskey",
    "privatekey",
    "secretkey",
    "signingkey",
];

/// Reports every value of a channel's settings that is a secret by the name of its key and not a
/// reference. A secret under another name is the business of the channel's own check.
pub(super) fn refuse_inline(report: &mut Report, at: &[String], settings: &Table) {
    for (key, value) in settings {
        let here: Vec<String> = at.iter().chain([key]).cloned().collect();
        refuse_in_value(report, &here, value, is_secret_name(key));
    }
}

fn refuse_in_value(report: &mut Report, at: &[String], value: &Value, secret: bool) {
    match value {
        Value::String(text) if secret => {
            if let Err(error) = SecretRef::parse(text) {
                report.add(at, error.to_string());
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let here: Vec<String> = at.iter().cloned().chain([index.to_string()]).collect();
                refuse_in_value(report, &here, item, secret);
            }
        }
        Value::Table(table) => refuse_inline(report, at, table),
        Value::String(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Boolean(_)
        | Value::Datetime(_) => {}
    }
}

fn is_secret_name(key: &str) -> bool {
    let plain: String = key
        .chars()
        .filter(|c| !matches!(c, '_' | '-'))
        .flat_map(char::to_lowercase)
        .collect();
    let singular = plain.strip_suffix('s').unwrap_or(&plain);
    SECRET_NAMES.iter().any(|name| singular.ends_with(name))
}

#[cfg(test)]
mod tests;
