//! Text in both directions: what Discord writes with ids is read with names, and what an agent writes is
//! shown by Discord as it is, except for tables, which Discord does not have:
//! <https://discord.com/developers/docs/reference#message-formatting>.

use anchorhold_channel::fit::fits;
use anchorhold_channel_kit::markup::tables;

use crate::{
    adapter::TEXT,
    wire::{Snowflake, User},
};

/// So many people can be named in one message:
/// <https://discord.com/developers/docs/resources/message#allowed-mentions-object>.
const NAMED_LIMIT: usize = 100;

/// A piece of text.
enum Piece<'a> {
    Words(&'a str),
    Person(Snowflake),
    /// An emoji of a server, by its name.
    Emoji(&'a str),
}

/// What a message says, for somebody who can't look ids up. Who is mentioned keeps the form that an
/// answer can name them by; the bot itself needs none.
pub(crate) fn plain(content: &str, mentions: &[User], me: Snowflake) -> String {
    let mut out = String::with_capacity(content.len());
    for piece in pieces(content) {
        match piece {
            Piece::Words(words) => out.push_str(words),
            Piece::Emoji(name) => out.extend([":", name, ":"]),
            Piece::Person(id) => {
                let person = mentions.iter().find(|user| user.id == id);
                match person.and_then(User::name) {
                    Some(name) if id == me => out.extend(["@", &name]),
                    Some(name) => out.extend(["@", &name, " (<@", &id.to_string(), ">)"]),
                    None => out.extend(["<@", &id.to_string(), ">"]),
                }
            }
        }
    }
    out
}

/// The people that a text names in Discord's own form, each once.
pub(crate) fn named(text: &str) -> Vec<Snowflake> {
    let mut named = Vec::new();
    for piece in pieces(text) {
        if let Piece::Person(id) = piece
            && !named.contains(&id)
            && named.len() < NAMED_LIMIT
        {
            named.push(id);
        }
    }
    named
}

/// A text as Discord shows it best: its tables in columns, where there is room for that.
pub(crate) fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (range, table) in tables(text) {
        if let Some(before) = text.get(done..range.start) {
            out.extend([before, "```\n", &table, "\n```\n"]);
            done = range.end;
        }
    }
    out.push_str(text.get(done..).unwrap_or_default());
    if done > 0 && fits(&out, TEXT) {
        out
    } else {
        text.to_owned()
    }
}

/// The pieces of a text, in order; together they are all of it.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find('<') {
        let (before, from) = rest.split_at(open);
        let Some((piece, after)) = special(from) else {
            let end = open + 1;
            let (words, after) = rest.split_at(end);
            pieces.push(Piece::Words(words));
            rest = after;
            continue;
        };
        pieces.push(Piece::Words(before));
        pieces.push(piece);
        rest = after;
    }
    pieces.push(Piece::Words(rest));
    pieces
}

/// What stands in angle brackets at the beginning of a text, if Discord means something by it, and what
/// comes behind it.
fn special(text: &str) -> Option<(Piece<'_>, &str)> {
    let (inside, after) = text.strip_prefix('<')?.split_once('>')?;
    if let Some(id) = inside.strip_prefix('@') {
        let id = Snowflake::parse(id.strip_prefix('!').unwrap_or(id))?;
        return Some((Piece::Person(id), after));
    }
    let emoji = inside
        .strip_prefix('a')
        .unwrap_or(inside)
        .strip_prefix(':')?;
    let (name, id) = emoji.split_once(':')?;
    let plain = |c: char| c.is_alphanumeric() || c == '_';
    Snowflake::parse(id)?;
    (!name.is_empty() && name.chars().all(plain)).then_some((Piece::Emoji(name), after))
}

#[cfg(test)]
mod tests;
