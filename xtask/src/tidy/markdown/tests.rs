use super::*;

fn count(path: &str, text: &str) -> usize {
    check(&SourceFile::new(path, text)).len()
}

#[test]
fn two_sentences_on_a_line_are_found() {
    for text in [
        "One sentence. Another one.\n",
        "Does it run `cargo build`? Yes.\n",
        "Run `up`. It waits.\n",
        "```\ncode\n```\nOne. Two.\n",
    ] {
        for path in ["README.md", "docs/guide.md", "container/README.md"] {
            assert_eq!(count(path, text), 1, "{path}: {text}");
        }
    }
}

#[test]
fn one_sentence_a_line_passes() {
    for text in [
        "One sentence.\nAnother one.\n",
        "Version 1.95 of Rust, e.g. The one from Debian.\n",
        "Say `a. B` or so.\n",
        "```\nOne. Two.\n```\n",
        "| One. Two. | Three. |\n",
        "- One. Two.\n",
        "1. One. Two.\n",
        "# One. Two.\n",
        "By J. Doe.\n",
    ] {
        assert_eq!(count("README.md", text), 0, "{text}");
    }
    assert_eq!(count("STYLE.md", "One. Two.\n"), 0);
}
