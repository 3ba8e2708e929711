//! What a message says, as text: entities count in UTF-16 units, and some of them hide what matters.

use crate::wire::{Entity, User};

/// A text with what is marked in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marked<'a> {
    pub(crate) text: &'a str,
    pub(crate) entities: &'a [Entity],
}

impl Marked<'_> {
    /// The piece of text that an entity is about; `None` where it is about nothing.
    fn piece(&self, entity: &Entity) -> Option<&str> {
        let (start, end) = self.range(entity)?;
        self.text.get(start..end)
    }

    /// Where an entity begins and ends, in bytes.
    fn range(&self, entity: &Entity) -> Option<(usize, usize)> {
        let end = entity.offset.checked_add(entity.length)?;
        let (start, end) = (byte_at(self.text, entity.offset)?, byte_at(self.text, end)?);
        (start < end).then_some((start, end))
    }

    /// Does it name this bot: by its name, by a mention of who has no name, or in a command?
    pub(crate) fn names(&self, me: &User) -> bool {
        self.entities.iter().any(|entity| {
            let named = |piece: &str| is_name_of(piece, me);
            match entity.kind.as_str() {
                "mention" => self.piece(entity).is_some_and(named),
                "text_mention" => entity.user.as_ref().is_some_and(|user| user.id == me.id),
                "bot_command" => {
                    let piece = self.piece(entity).and_then(|piece| {
                        piece.find('@').map(|at| {
                            let (_, name) = piece.split_at(at);
                            name
                        })
                    });
                    piece.is_some_and(named)
                }
                _ => false,
            }
        })
    }

    /// The text with what its entities hide: the URL behind a link. A command is freed of the bot's
    /// name, which only says whom it is for.
    pub(crate) fn plain(&self, me: &User) -> String {
        let mut out = String::with_capacity(self.text.len());
        let mut done = 0;
        let mut ranges: Vec<_> = self
            .entities
            .iter()
            .filter_map(|entity| Some((self.range(entity)?, entity)))
            .collect();
        ranges.sort_by_key(|((start, _), _)| *start);
        for ((start, end), entity) in ranges {
            if start < done {
                continue;
            }
            let (Some(before), Some(piece)) =
                (self.text.get(done..start), self.text.get(start..end))
            else {
                continue;
            };
            let written = match (entity.kind.as_str(), &entity.url) {
                ("text_link", Some(url)) if url != piece => Some(format!("[{piece}]({url})")),
                ("bot_command", _) => piece.split_once('@').and_then(|(command, _)| {
                    let (_, name) = piece.split_at(command.len());
                    is_name_of(name, me).then(|| command.to_owned())
                }),
                _ => None,
            };
            if let Some(written) = written {
                out.push_str(before);
                out.push_str(&written);
                done = end;
            }
        }
        out.push_str(self.text.get(done..).unwrap_or_default());
        out
    }
}

/// Is this `@` and the bot's name? Names are the same in any case.
fn is_name_of(piece: &str, me: &User) -> bool {
    let name = piece.strip_prefix('@');
    name.zip(me.username.as_deref())
        .is_some_and(|(name, mine)| name.eq_ignore_ascii_case(mine))
}

/// Where the `units`-th UTF-16 unit begins, in bytes; `None` inside a character or behind the end.
fn byte_at(text: &str, units: usize) -> Option<usize> {
    let mut seen = 0;
    for (at, c) in text.char_indices() {
        if seen >= units {
            return (seen == units).then_some(at);
        }
        seen += c.len_utf16();
    }
    (seen == units).then_some(text.len())
}

#[cfg(test)]
mod tests;
