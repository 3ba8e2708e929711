//! What a message says, as text: <https://docs.slack.dev/messaging/formatting-message-text>.
//!
//! Slack writes people, channels and links between `<` and `>`, and escapes every other one of these, so
//! what stands between them is never what somebody typed.

/// A piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// Characters, escaped.
    Text(&'a str),
    /// A person, by id.
    Person(&'a str, Option<&'a str>),
    /// A channel, by id.
    Channel(&'a str, Option<&'a str>),
    /// Something else of Slack's own: `!here`, a group of people, a time.
    Special(&'a str, Option<&'a str>),
    /// A link.
    Link(&'a str, Option<&'a str>),
}

/// The pieces of a text.
pub(crate) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, from)) = rest.split_once('<') {
        let Some((inner, after)) = from.split_once('>') else {
            break;
        };
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        pieces.push(piece(inner));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    pieces
}

fn piece(inner: &str) -> Piece<'_> {
    let (what, label) = match inner.split_once('|') {
        Some((what, label)) => (what, Some(label).filter(|label| !label.is_empty())),
        None => (inner, None),
    };
    if let Some(id) = what.strip_prefix('@') {
        Piece::Person(id, label)
    } else if let Some(id) = what.strip_prefix('#') {
        Piece::Channel(id, label)
    } else if let Some(what) = what.strip_prefix('!') {
        Piece::Special(what, label)
    } else {
        Piece::Link(what, label)
    }
}

/// Who reads a text: it is written for them.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    /// The app's own id and name.
    pub(crate) me: (&'a str, &'a str),
    /// What people and channels are called, by id.
    pub(crate) name: &'a (dyn Fn(&str) -> Option<String> + Sync),
}

impl Reader<'_> {
    /// The text as it is read. People keep their ids, so that an answer can name them by these; the
    /// app's own name at the beginning only says whom it is for.
    pub(crate) fn read(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for piece in pieces(text) {
            self.write(piece, &mut out);
        }
        let name = format!("@{}", self.me.1);
        let begins = matches!(pieces(text).first(), Some(Piece::Person(id, _)) if *id == self.me.0);
        let rest = out.strip_prefix(&name).filter(|_| begins);
        let rest = rest.map(|rest| rest.trim_start_matches([' ', '\u{a0}', ':', ',', '\n']));
        match rest {
            Some(rest) if !rest.is_empty() => rest.to_owned(),
            Some(_) | None => out,
        }
    }

    fn write(&self, piece: Piece<'_>, out: &mut String) {
        let label =
            |id: &str, label: Option<&str>| (self.name)(id).or_else(|| label.map(unescaped));
        match piece {
            Piece::Text(text) => out.push_str(&unescaped(text)),
            Piece::Person(id, _) if id == self.me.0 => out.extend(["@", self.me.1]),
            Piece::Person(id, called) => match label(id, called) {
                // What stands in the name must not end it.
                Some(name) => out.extend(["<@", id, "|", &name.replace(['<', '>', '|'], ""), ">"]),
                None => out.extend(["<@", id, ">"]),
            },
            Piece::Channel(id, called) => {
                let name = called.map(unescaped).or_else(|| (self.name)(id));
                out.extend(["#", &name.unwrap_or_else(|| id.to_owned())]);
            }
            Piece::Special(what, called) => {
                let word = what.split('^').next().unwrap_or_default();
                let word = if word == "subteam" { "group" } else { word };
                let called = called.map_or_else(|| format!("@{word}"), unescaped);
                out.push_str(&called);
            }
            Piece::Link(url, called) => {
                let (url, called) = (unescaped(url), called.map(unescaped));
                match called {
                    Some(called) if !is_same(&url, &called) => {
                        out.extend(["[", &called, "](", &url, ")"]);
                    }
                    Some(called) => out.push_str(&called),
                    None => out.push_str(&url),
                }
            }
        }
    }
}

/// Does a label only repeat where its link leads?
fn is_same(url: &str, label: &str) -> bool {
    let bare = url.split_once("://").map_or(url, |(_, rest)| rest);
    let bare = bare.strip_prefix("mailto:").unwrap_or(bare);
    let bare = bare.strip_prefix("tel:").unwrap_or(bare);
    label == url || label == bare || label == bare.trim_end_matches('/')
}

/// Does it name this person?
pub(crate) fn names(text: &str, id: &str) -> bool {
    let mut pieces = pieces(text).into_iter();
    pieces.any(|piece| matches!(piece, Piece::Person(named, _) if named == id))
}

/// The people and channels whose names it needs.
pub(crate) fn named(text: &str) -> Vec<&str> {
    let id = |piece| match piece {
        Piece::Person(id, _) | Piece::Channel(id, None) => Some(id),
        Piece::Text(_) | Piece::Channel(..) | Piece::Special(..) | Piece::Link(..) => None,
    };
    pieces(text).into_iter().filter_map(id).collect()
}

/// The three characters that Slack escapes, as they are.
pub(crate) fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

#[cfg(test)]
mod tests;
