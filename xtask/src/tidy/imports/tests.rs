use super::*;

const NONE: [&str; 0] = [];

fn findings(text: &str) -> Vec<String> {
    let file = SourceFile::new("a.rs", text);
    check(&file).iter().map(Finding::to_string).collect()
}

#[test]
fn good_imports_pass() {
    for text in [
        "use std::fmt;\n\nuse serde::Serialize;\nuse tokio::{\n    fs,\n    io,\n};\n\nuse crate::ids;\n",
        "mod a;\n\nuse std::fmt;\n\nfn f() {\n    use std::io;\n}\n",
        "use jiff::Timestamp;\n\nuse self::a::B;\nuse super::*;\nuse crate::{b, c};\n",
        "use std::fmt;\n#[cfg(test)]\nuse std::io;\n",
        "pub use a::B;\npub use a::C;\n\nuse std::fmt;\n",
        "// why\nuse std::fmt;\n",
        "",
    ] {
        assert_eq!(findings(text), NONE, "{text}");
    }
}

#[test]
fn bad_imports_are_found() {
    for (text, finding) in [
        (
            "use serde::Serialize;\n\nuse std::fmt;\n",
            "a.rs:3: imports stand in the order std, others, own",
        ),
        (
            "use std::{\n    fmt,\n    io,\n};\nuse serde::Serialize;\n",
            "a.rs:5: a blank line separates groups of imports",
        ),
        (
            "use serde::Serialize;\n\nuse tokio::fs;\n",
            "a.rs:3: no blank line inside a group of imports",
        ),
        (
            "use std::fmt;\nuse std::io;\n",
            "a.rs:2: one `use` for all of std",
        ),
        (
            "use crate::a;\nuse crate::b;\n",
            "a.rs:2: one `use` for all of crate",
        ),
    ] {
        assert_eq!(findings(text), [finding], "{text}");
    }
}
