//! Where the words of a model go: to the message it answers, to those it names, to a destination, or
//! nowhere.

use anchorhold_sessiondb::Seq;

const REPLY: &str = "<reply to=\"";
const REPLY_END: &str = "</reply>";
const SCRATCH: &str = "<scratch>";
const SCRATCH_END: &str = "</scratch>";
/// The longest name of a destination, in bytes.
const NAME_LIMIT_BYTES: usize = 200;

/// Something to say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    /// Whom it names, if it names somebody.
    pub(crate) to: Option<To>,
    /// The words.
    pub(crate) text: String,
}

/// Whom words are for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum To {
    /// Whoever wrote this message.
    Message(Seq),
    /// The destination of this name.
    Destination(String),
}

/// A block that begins.
enum Block {
    Reply(To),
    Scratch,
}

impl Block {
    fn end(&self) -> &'static str {
        match self {
            Self::Reply(_) => REPLY_END,
            Self::Scratch => SCRATCH_END,
        }
    }
}

/// Splits what a model wrote. A block begins at the start of a line and goes on to the last closing
/// tag before the next one, so that a text which quotes the tag is not cut. Scratch is left out.
pub(crate) fn split(text: &str) -> Vec<Said> {
    let mut said = Vec::new();
    let mut rest = text;
    while let Some((before, block, after)) = next_block(rest) {
        push(&mut said, None, before);
        let end = next_block(after).map_or(after.len(), |(before, ..)| before.len());
        let (inside, beyond) = after.split_at(end);
        let (inner, outer) = inside.rsplit_once(block.end()).unwrap_or((inside, ""));
        if let Block::Reply(to) = block {
            push(&mut said, Some(to), inner);
        }
        push(&mut said, None, outer);
        rest = beyond;
    }
    push(&mut said, None, rest);
    said
}

/// What is before the next block, which it is, and what follows its opening tag.
fn next_block(text: &str) -> Option<(&str, Block, &str)> {
    let mut from = 0;
    while let Some(found) = text.get(from..)?.find('<') {
        let at = from + found;
        let (before, tag) = text.split_at(at);
        if (before.is_empty() || before.ends_with('\n'))
            && let Some((block, after)) = opened(tag)
        {
            return Some((before, block, after));
        }
        from = at + 1;
    }
    None
}

fn opened(tag: &str) -> Option<(Block, &str)> {
    if let Some(after) = tag.strip_prefix(SCRATCH) {
        return Some((Block::Scratch, after));
    }
    let (name, after) = tag.strip_prefix(REPLY)?.split_once("\">")?;
    let to = match name.parse::<i64>().ok().map(Seq::new) {
        Some(seq) => To::Message(seq?),
        None if is_name(name) => To::Destination(name.to_owned()),
        None => return None,
    };
    Some((Block::Reply(to), after))
}

/// Can a destination be called so?
fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    !name.is_empty() && name.len() <= NAME_LIMIT_BYTES && name.chars().all(plain)
}

fn push(said: &mut Vec<Said>, to: Option<To>, text: &str) {
    let text = text.trim();
    if !text.is_empty() {
        let text = text.to_owned();
        said.push(Said { to, text });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &[(&str, &str)]) {
        let said = split(text);
        let plain: Vec<_> = said
            .iter()
            .map(|said| {
                let to = match &said.to {
                    None => String::new(),
                    Some(To::Message(seq)) => seq.to_string(),
                    Some(To::Destination(name)) => format!("@{name}"),
                };
                (to, said.text.as_str())
            })
            .collect();
        let expect: Vec<_> = expect
            .iter()
            .map(|(to, text)| ((*to).to_owned(), *text))
            .collect();
        assert_eq!(plain, expect, "{text}");
    }

    #[test]
    fn words_go_where_they_say() {
        check("", &[]);
        check(" \n", &[]);
        check("hello", &[("", "hello")]);
        check("<reply to=\"4\">one</reply>", &[("4", "one")]);
        check(
            "both:\n<reply to=\"4\">\none\n</reply>\n<reply to=\"6\">two</reply>\nbye",
            &[("", "both:"), ("4", "one"), ("6", "two"), ("", "bye")],
        );
        check(
            "<reply to=\"ops-team\">down</reply>\ntold them",
            &[("@ops-team", "down"), ("", "told them")],
        );
    }

    #[test]
    fn scratch_stays_inside() {
        check("<scratch>hm</scratch>", &[]);
        check(
            "<scratch>\nhm </scratch> hm\n</scratch>\nhello",
            &[("", "hello")],
        );
        check("<reply to=\"4\">one</reply>\n<scratch>hm", &[("4", "one")]);
        check("a <scratch> pad", &[("", "a <scratch> pad")]);
    }

    #[test]
    fn a_text_that_quotes_the_tags_is_not_cut() {
        check(
            "<reply to=\"4\">write </reply> to close, `<reply to=\"6\">` to open\n</reply>",
            &[("4", "write </reply> to close, `<reply to=\"6\">` to open")],
        );
        check(
            "say <reply to=\"4\"> inline",
            &[("", "say <reply to=\"4\"> inline")],
        );
        check(
            "<reply to=\"x y\">no</reply>",
            &[("", "<reply to=\"x y\">no</reply>")],
        );
        check("<reply to=\"4\">never closed", &[("4", "never closed")]);
        check(
            "<reply to=\"0\">no</reply>",
            &[("", "<reply to=\"0\">no</reply>")],
        );
    }
}
