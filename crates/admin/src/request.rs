//! What travels between who asks and the host, and the check of it.
//!
//! The check is made where a command line is read, for a quick answer, and again by the host, which
//! believes nobody: a request that did not pass it has no way to be looked into.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::catalog::{self, Access, Agents, CATALOG, DEFAULT_ROWS, Field, Resource, Rule, Verb};

/// One thing asked for, as it travels. Its `Debug` shows no values.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The resource's name.
    pub resource: String,
    /// The verb's name; empty for a command of one word.
    #[serde(default)]
    pub verb: String,
    /// The fields' values by their names in kebab-case.
    #[serde(default)]
    pub args: BTreeMap<String, String>,
}

/// What became of a request. Its `Debug` shows no values.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", content = "body", rename_all = "snake_case")]
pub enum Reply {
    /// A list.
    Rows {
        /// The columns' names, in order.
        columns: Vec<String>,
        /// The rows, each with a value for each column.
        rows: Vec<Vec<Value>>,
    },
    /// One thing.
    One(Map<String, Value>),
    /// It was done.
    Done {
        /// What was done, in one line.
        what: String,
        /// The id of what was made, or the number to have back by what was deleted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
    },
    /// It waits for a person's word.
    Held {
        /// The approval's id.
        approval: String,
        /// What people call it by.
        code: String,
        /// What waits, in one line.
        what: String,
    },
    /// It was not done.
    Failed {
        /// What kind of failure it is.
        code: FailCode,
        /// Why, in one line.
        what: String,
    },
}

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailCode {
    /// The request is not one.
    Usage,
    /// There is no such thing, or none for whoever asks.
    NotFound,
    /// Whoever asks may not.
    Forbidden,
    /// It does not go together with what there is.
    Conflict,
    /// Not now.
    Unavailable,
    /// The host's own fault.
    Internal,
}

/// A request that is not one. No variant repeats a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Usage {
    /// A name that the catalog doesn't have.
    #[error("there is no {what} {name:?}{}", hint(*near))]
    Unknown {
        /// What it was to name.
        what: String,
        /// The name, its beginning if it is long.
        name: String,
        /// A name that looks like it.
        near: Option<&'static str>,
    },
    /// Something is absent.
    #[error("`{command}` needs {what}")]
    Missing {
        /// The command.
        command: String,
        /// What it needs.
        what: String,
    },
    /// A value that its field doesn't accept.
    #[error("`{command}`: {field} {why}")]
    Value {
        /// The command.
        command: String,
        /// The field.
        field: String,
        /// What is wrong.
        why: String,
    },
    /// Fields that don't go together.
    #[error("`{command}`: {why}")]
    Together {
        /// The command.
        command: String,
        /// What is wrong.
        why: String,
    },
}

/// A request that is one. Its `Debug` shows no values.
#[derive(Clone)]
pub struct Checked {
    resource: &'static Resource,
    verb: &'static Verb,
    args: BTreeMap<&'static str, String>,
}

impl Request {
    /// Checks the request against the catalog.
    pub fn check(&self) -> Result<Checked, Usage> {
        self.check_but(None)
    }

    /// As [`Request::check`], but `may_lack` may be absent: the host fills it in.
    pub(crate) fn check_but(&self, may_lack: Option<&str>) -> Result<Checked, Usage> {
        let (resource, verb) = self.find()?;
        let command = resource.command(verb);
        let mut args = BTreeMap::new();
        for (name, value) in &self.args {
            let field = verb.field(name).ok_or_else(|| Usage::Unknown {
                what: format!("`{command}` field"),
                name: beginning(name),
                near: nearest(name, verb.fields.iter().map(|field| field.name)),
            })?;
            field.kind.check(value).map_err(|why| Usage::Value {
                command: command.clone(),
                field: field.spelled(),
                why,
            })?;
            args.insert(field.name, value.clone());
        }
        let absent = |field: &&Field| {
            field.required && !args.contains_key(field.name) && may_lack != Some(field.name)
        };
        if let Some(field) = verb.fields.iter().find(absent) {
            return Err(Usage::Missing {
                command,
                what: field.spelled(),
            });
        }
        let checked = Checked {
            resource,
            verb,
            args,
        };
        for rule in verb.rules {
            checked.follows(rule)?;
        }
        Ok(checked)
    }

    /// What the request names.
    pub(crate) fn find(&self) -> Result<(&'static Resource, &'static Verb), Usage> {
        let resource = catalog::resource(&self.resource).ok_or_else(|| Usage::Unknown {
            what: "resource".to_owned(),
            name: beginning(&self.resource),
            near: nearest(&self.resource, CATALOG.iter().map(|resource| resource.name)),
        })?;
        let verb = resource.verb(&self.verb).ok_or_else(|| Usage::Unknown {
            what: format!("`{}` verb", resource.name),
            name: beginning(&self.verb),
            near: nearest(&self.verb, resource.verbs.iter().map(|verb| verb.name)),
        })?;
        Ok((resource, verb))
    }
}

impl Checked {
    /// The resource's name.
    pub fn resource(&self) -> &'static str {
        self.resource.name
    }

    /// The verb's name; empty for a command of one word.
    pub fn verb(&self) -> &'static str {
        self.verb.name
    }

    /// How people name the command, e.g. `wirings list`.
    pub fn command(&self) -> String {
        self.resource.command(self.verb)
    }

    /// Whether it changes anything.
    pub fn access(&self) -> Access {
        self.verb.access
    }

    /// Which agents may ask for it.
    pub fn agents(&self) -> Agents {
        self.verb.agents
    }

    /// The field's value.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.args.get(field).map(String::as_str)
    }

    /// The value of a field of [`catalog::Kind::Integer`], within its bounds.
    pub fn integer(&self, field: &str) -> Option<i64> {
        self.text(field)?.parse().ok()
    }

    /// The value of a field of [`catalog::Kind::Bool`] or [`catalog::Kind::Flag`].
    pub fn boolean(&self, field: &str) -> Option<bool> {
        self.text(field)?.parse().ok()
    }

    /// Whether the field is given and `true`.
    pub fn flag(&self, field: &str) -> bool {
        self.boolean(field).unwrap_or(false)
    }

    /// The most rows to answer with.
    pub fn limit(&self) -> u32 {
        self.integer("limit")
            .and_then(|limit| u32::try_from(limit).ok())
            .unwrap_or(DEFAULT_ROWS)
    }

    /// The request in its one form: what an approval is bound to, and what is checked once more
    /// when it is carried out.
    pub fn request(&self) -> Request {
        let args = self.args.iter();
        Request {
            resource: self.resource.name.to_owned(),
            verb: self.verb.name.to_owned(),
            args: args
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
        }
    }

    fn has(&self, field: &str) -> bool {
        self.args.contains_key(field)
    }

    fn follows(&self, rule: &Rule) -> Result<(), Usage> {
        match *rule {
            Rule::One(sets) => self.one_of(sets, true),
            Rule::AtMostOne(sets) => self.one_of(sets, false),
            Rule::Change => {
                let changes = |field: &&Field| !field.positional && self.has(field.name);
                match self.verb.fields.iter().find(changes) {
                    Some(_) => Ok(()),
                    None => Err(self.missing("something to change".to_owned())),
                }
            }
            Rule::When {
                field,
                value,
                needs,
                excludes,
            } => {
                if self.text(field) != Some(value) {
                    return Ok(());
                }
                if let Some(need) = needs.iter().find(|need| !self.has(need)) {
                    return Err(self.apart(format!("--{field} {value} needs --{need}")));
                }
                match excludes.iter().find(|excluded| self.has(excluded)) {
                    Some(excluded) => {
                        Err(self.apart(format!("--{field} {value} does not go with --{excluded}")))
                    }
                    None => Ok(()),
                }
            }
        }
    }

    fn one_of(&self, sets: &[&[&str]], needed: bool) -> Result<(), Usage> {
        let begun = |set: &&&[&str]| set.iter().any(|field| self.has(field));
        // A filter that is half a set counts by itself nowhere: `--channel` is half a person.
        let mut given = sets.iter().filter(begun);
        match (given.next(), given.next()) {
            (None, _) if needed => Err(self.missing(catalog::either(sets))),
            (None, _) => Ok(()),
            (Some(_), Some(_)) => {
                Err(self.apart(format!("give only one of {}", catalog::either(sets))))
            }
            (Some(set), None) => match set.iter().find(|field| !self.has(field)) {
                Some(field) => Err(self.missing(format!("--{field}, too"))),
                None => Ok(()),
            },
        }
    }

    fn missing(&self, what: String) -> Usage {
        Usage::Missing {
            command: self.command(),
            what,
        }
    }

    fn apart(&self, why: String) -> Usage {
        Usage::Together {
            command: self.command(),
            why,
        }
    }
}

impl From<&Usage> for Reply {
    fn from(usage: &Usage) -> Self {
        Self::Failed {
            code: FailCode::Usage,
            what: usage.to_string(),
        }
    }
}

impl FailCode {
    /// The code's one spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::NotFound => "not_found",
            Self::Forbidden => "forbidden",
            Self::Conflict => "conflict",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("resource", &beginning(&self.resource))
            .field("verb", &beginning(&self.verb))
            .field("args", &self.args.len())
            .finish()
    }
}

impl fmt::Debug for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checked")
            .field("command", &self.command())
            .field("args", &self.args.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rows { columns, rows } => f
                .debug_struct("Rows")
                .field("columns", &columns.len())
                .field("rows", &rows.len())
                .finish(),
            Self::One(fields) => f.debug_tuple("One").field(&fields.len()).finish(),
            Self::Done { .. } => f.write_str("Done"),
            Self::Held { approval, .. } => f.debug_tuple("Held").field(approval).finish(),
            Self::Failed { code, .. } => f.debug_tuple("Failed").field(code).finish(),
        }
    }
}

fn hint(near: Option<&'static str>) -> String {
    near.map_or_else(String::new, |near| format!("; did you mean {near:?}?"))
}

/// Names that are no names come from anybody, at any length.
fn beginning(name: &str) -> String {
    name.chars().take(40).collect()
}

fn nearest(name: &str, names: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let name = beginning(name);
    names
        .map(|known| (strsim::jaro_winkler(&name, known), known))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests;
