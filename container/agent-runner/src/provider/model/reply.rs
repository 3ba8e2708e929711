//! Where the words of a model go: to the message it answers, or to those it names.

use anchorhold_sessiondb::Seq;

const OPEN: &str = "<reply to=\"";
const CLOSE: &str = "</reply>";

/// Something to say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    /// The message that it names as the one it answers.
    pub(crate) to: Option<Seq>,
    /// The words.
    pub(crate) text: String,
}

/// Splits what a model wrote. A block begins at the start of a line and goes on to the last closing
/// tag before the next one, so that a text which quotes the tag is not cut.
pub(crate) fn split(text: &str) -> Vec<Said> {
    let mut said = Vec::new();
    let mut rest = text;
    while let Some((before, to, after)) = next_block(rest) {
        push(&mut said, None, before);
        let end = next_block(after).map_or(after.len(), |(before, ..)| before.len());
        let (block, beyond) = after.split_at(end);
        let (inner, outer) = block.rsplit_once(CLOSE).unwrap_or((block, ""));
        push(&mut said, Some(to), inner);
        push(&mut said, None, outer);
        rest = beyond;
    }
    push(&mut said, None, rest);
    said
}

/// What is before the next block, whom it is to, and what follows its opening tag.
fn next_block(text: &str) -> Option<(&str, Seq, &str)> {
    let mut from = 0;
    while let Some(found) = text.get(from..)?.find(OPEN) {
        let at = from + found;
        let (before, tag) = text.split_at(at);
        let inner = tag.get(OPEN.len()..)?;
        let at_line = before.is_empty() || before.ends_with('\n');
        if at_line
            && let Some((number, after)) = inner.split_once("\">")
            && let Some(to) = number.parse().ok().and_then(Seq::new)
        {
            return Some((before, to, after));
        }
        from = at + OPEN.len();
    }
    None
}

fn push(said: &mut Vec<Said>, to: Option<Seq>, text: &str) {
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
    fn check(text: &str, expect: &[(i64, &str)]) {
        let said = split(text);
        let plain: Vec<_> = said
            .iter()
            .map(|said| (said.to.map_or(0, Seq::get), said.text.as_str()))
            .collect();
        assert_eq!(plain, expect, "{text}");
    }

    #[test]
    fn words_go_where_they_say() {
        check("", &[]);
        check(" \n", &[]);
        check("hello", &[(0, "hello")]);
        check("<reply to=\"4\">one</reply>", &[(4, "one")]);
        check(
            "both:\n<reply to=\"4\">\none\n</reply>\n<reply to=\"6\">two</reply>\nbye",
            &[(0, "both:"), (4, "one"), (6, "two"), (0, "bye")],
        );
    }

    #[test]
    fn a_text_that_quotes_the_tags_is_not_cut() {
        check(
            "<reply to=\"4\">write </reply> to close, `<reply to=\"6\">` to open\n</reply>",
            &[(4, "write </reply> to close, `<reply to=\"6\">` to open")],
        );
        check(
            "say <reply to=\"4\"> inline",
            &[(0, "say <reply to=\"4\"> inline")],
        );
        check(
            "<reply to=\"x\">no</reply>",
            &[(0, "<reply to=\"x\">no</reply>")],
        );
        check("<reply to=\"4\">never closed", &[(4, "never closed")]);
        check(
            "<reply to=\"-1\">no</reply>",
            &[(0, "<reply to=\"-1\">no</reply>")],
        );
    }
}
