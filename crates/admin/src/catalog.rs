//! The catalog: resources, their verbs, and the fields of each verb.
//!
//! It is data. A command that is not in [`CATALOG`] exists neither on a command line nor on the
//! host's socket; what a field accepts is said here once.

mod parts;
mod table;
mod tasks;

use anchorhold_core::ids::{ChatId, FolderName};

pub use table::CATALOG;

/// The longest value of one field, in bytes.
pub const VALUE_LIMIT_BYTES: usize = 4096;
/// The most rows of a list where the request doesn't say.
pub const DEFAULT_ROWS: u32 = 200;
/// The most rows that can be asked for.
pub const ROWS_LIMIT: i64 = 10_000;

/// One kind of thing that can be administered.
#[derive(Debug)]
pub struct Resource {
    /// Its name, in the plural: the first word of a command.
    pub name: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    /// What can be done with it. A command of one word has one verb with an empty name.
    pub verbs: &'static [Verb],
}

/// One thing that can be done with a resource.
#[derive(Debug)]
pub struct Verb {
    /// Its name: the second word of a command, or empty.
    pub name: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// Whether it changes anything.
    pub access: Access,
    /// Which agents may ask for it.
    pub agents: Agents,
    /// What it takes.
    pub fields: &'static [Field],
    /// What must be true of several fields at once.
    pub rules: &'static [Rule],
}

/// Whether a verb changes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It only looks.
    Read,
    /// It changes something, or lets go of something.
    Write,
}

/// Which agents may ask for a verb; people on the host may ask for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agents {
    /// None, whatever their scope.
    Never,
    /// Those whose scope is global.
    Global,
    /// Those whose scope is their own group, too. The named field then holds that group; it is
    /// filled in where it is absent. On a verb with an id, a field `group` means: as if there were
    /// no such thing outside that group.
    Group(&'static str),
    /// All of them, whatever their scope: it is no administration but what is the agent's own. As with
    /// [`Agents::Group`] the named field holds their own group, here for every scope.
    Own(&'static str),
}

/// One named value of a request.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name, in kebab-case. There is no second spelling.
    pub name: &'static str,
    /// What stands for its value in a help text.
    pub value: &'static str,
    /// What it accepts.
    pub kind: Kind,
    /// What it is, in one line.
    pub about: &'static str,
    /// Whether the verb needs it.
    pub required: bool,
    /// Whether it is given by its place on a command line, not by its name.
    pub positional: bool,
    /// Whether agents may never set it, whatever their scope.
    pub host_only: bool,
}

/// What a field accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text, of several lines or none.
    Text,
    /// One line that is not empty.
    Line,
    /// One line; an empty one takes away what was set.
    Clearable,
    /// A name or an id of our own: letters, digits, `-` and `_`.
    Name,
    /// A platform's id: up to 512 bytes without control characters.
    PlatformId,
    /// A whole number in these bounds, both included.
    Integer {
        /// The least.
        min: i64,
        /// The most.
        max: i64,
    },
    /// `true` or `false`.
    Bool,
    /// As [`Kind::Bool`], and on a command line its name alone means `true`.
    Flag,
    /// One of these.
    Choice(&'static [&'static str]),
}

/// What must be true of several fields at once.
#[derive(Clone, Copy, Debug)]
pub enum Rule {
    /// One of these sets is given, whole, and nothing of the others.
    One(&'static [&'static [&'static str]]),
    /// As [`Rule::One`], or nothing of any set.
    AtMostOne(&'static [&'static [&'static str]]),
    /// At least one field is given besides the one that says what is meant.
    Change,
    /// Where `field` holds `value`, all of `needs` are given and none of `excludes`.
    When {
        /// The field that is looked at.
        field: &'static str,
        /// What it holds.
        value: &'static str,
        /// What must be given then.
        needs: &'static [&'static str],
        /// What must not be given then.
        excludes: &'static [&'static str],
    },
}

impl Resource {
    /// The verb of that name.
    pub fn verb(&self, name: &str) -> Option<&'static Verb> {
        self.verbs.iter().find(|verb| verb.name == name)
    }

    /// How people name a verb of this resource, e.g. `wirings list`.
    pub fn command(&self, verb: &Verb) -> String {
        match verb.name {
            "" => self.name.to_owned(),
            name => format!("{} {name}", self.name),
        }
    }
}

impl Verb {
    /// The field of that name.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

impl Field {
    /// How people name the field: `--name`, or its place's name.
    pub fn spelled(&self) -> String {
        if self.positional {
            self.value.to_owned()
        } else {
            format!("--{}", self.name)
        }
    }
}

impl Kind {
    /// Says what is wrong with `text`, without repeating it.
    pub fn check(self, text: &str) -> Result<(), String> {
        if text.len() > VALUE_LIMIT_BYTES {
            let len = text.len();
            return Err(format!(
                "is {len} bytes long; at most {VALUE_LIMIT_BYTES} are accepted"
            ));
        }
        let wrong = match self {
            Self::Text => text
                .contains('\0')
                .then(|| "has a zero character".to_owned()),
            Self::Line if text.trim().is_empty() => Some("is empty".to_owned()),
            Self::Line | Self::Clearable => text
                .contains(char::is_control)
                .then(|| "has a control character".to_owned()),
            Self::Name => FolderName::parse(text)
                .err()
                .map(|_| "must be up to 64 of a-z, A-Z, 0-9, `-` and `_`".to_owned()),
            Self::PlatformId => ChatId::parse(text)
                .err()
                .map(|_| "must be 1 to 512 bytes without control characters".to_owned()),
            Self::Integer { min, max } => match text.parse::<i64>() {
                Ok(number) if (min..=max).contains(&number) => None,
                Ok(_) | Err(_) => Some(format!("must be a whole number from {min} to {max}")),
            },
            Self::Bool | Self::Flag if matches!(text, "true" | "false") => None,
            Self::Bool | Self::Flag => Some("must be true or false".to_owned()),
            Self::Choice(values) if values.contains(&text) => None,
            Self::Choice(values) => Some(format!("must be one of {}", values.join(", "))),
        };
        wrong.map_or(Ok(()), Err)
    }
}

/// The resource of that name.
pub fn resource(name: &str) -> Option<&'static Resource> {
    CATALOG.iter().find(|resource| resource.name == name)
}

/// How people name a choice between sets of fields.
pub(crate) fn either(sets: &[&[&str]]) -> String {
    let spelled = sets.iter().map(|set| {
        let fields: Vec<_> = set.iter().map(|field| format!("--{field}")).collect();
        fields.join(" with ")
    });
    spelled.collect::<Vec<_>>().join(", or ")
}

#[cfg(test)]
mod tests;
