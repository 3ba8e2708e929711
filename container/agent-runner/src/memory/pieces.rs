//! Cuts Markdown into pieces that can be found and shown. Pure.

/// About how long a piece is, in bytes.
const PIECE_BYTES: usize = 1_500;

/// The pieces of a text, each with the number of its first line, counted from 1. A heading begins a
/// new one, and so does a paragraph where the piece is long already.
pub(super) fn pieces(text: &str) -> Vec<(u64, String)> {
    let mut pieces: Vec<(u64, String)> = Vec::new();
    let mut after_blank = true;
    for (line, number) in text.lines().zip(1..) {
        let long = |piece: &str| {
            piece.len() >= 4 * PIECE_BYTES || (after_blank && piece.len() >= PIECE_BYTES)
        };
        let begins = line.starts_with('#');
        match pieces.last_mut() {
            Some((_, piece)) if !begins && !long(piece) => {
                piece.push('\n');
                piece.push_str(line);
            }
            Some(_) | None => pieces.push((number, line.to_owned())),
        }
        after_blank = line.trim().is_empty();
    }
    pieces.retain(|(_, piece)| !piece.trim().is_empty());
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_and_length_cut() {
        let check = |text: &str, expect: &[(u64, &str)]| {
            let found = pieces(text);
            let found: Vec<_> = found
                .iter()
                .map(|(line, piece)| (*line, piece.as_str()))
                .collect();
            assert_eq!(found, expect, "{text:?}");
        };
        check("", &[]);
        check("\n\n", &[]);
        check("a\nb", &[(1, "a\nb")]);
        check("# A\na\n\n## B\nb\n", &[(1, "# A\na\n"), (4, "## B\nb")]);
        let long = "x".repeat(PIECE_BYTES);
        check(
            &format!("{long}\n\ny"),
            &[(1, &format!("{long}\n")), (3, "y")],
        );
        check(&format!("{long}\ny"), &[(1, &format!("{long}\ny"))]);
    }
}
