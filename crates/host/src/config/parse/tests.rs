//! Text that is no TOML, and text that is too much of it.

use toml::Table;

use crate::config::{
    FILE_LIMIT_BYTES,
    tests::{check, read},
};

#[test]
fn errors_of_syntax_have_their_line() {
    check(
        "[host]\nruntime = \"auto\nimage 1\n",
        &[
            "is not TOML: invalid basic string, expected `\"` (line 2)",
            "is not TOML: key with no value, expected `=` (line 3)",
        ],
    );
    check(
        "a = 1\nb = 2\na = 3\n",
        &["is not TOML: duplicate key (line 3)"],
    );
}

#[test]
fn line_breaks_of_all_systems_count() {
    check(
        "\r\n\r\nx = 1\r\n",
        &[
            "x: unknown key; there are \"host\", \"retention\", \"channels\", \
             \"models\", \"harnesses\", \"agents\", \"wirings\", \"conversations\", \
             \"people\", \"destinations\" (line 3)",
        ],
    );
    check("\u{feff}[host]\n", &[]);
}

#[test]
fn a_file_has_a_limit() {
    let text = format!("#{}", "x".repeat(FILE_LIMIT_BYTES - 1));
    check(&text, &[]);
    check(
        &format!("{text}x"),
        &["is larger than 8388608 bytes (line 1)"],
    );
}

/// Nested as deep as the `toml` crate lets it: 80 parts of a key times 80 values.
#[test]
fn depth_does_not_need_the_callers_stack() {
    let key = ["a"; 79].join(".");
    let open = format!("{key} = {{").repeat(78);
    let deep = format!("{open}b = 1{}", "}".repeat(78));
    let allowed = format!("[{key}]\n{deep}\n");
    let problems = read(&allowed).unwrap_err().to_string();
    assert!(
        problems.contains("is nested too deep (line 1)"),
        "{problems}"
    );
    // What is not kept is dropped inside the parser.
    let twice = format!("a = 1\n{deep}\n");
    assert!(read(&twice).is_err());
    let open = "[".repeat(100_000);
    assert!(read(&format!("a = {open}")).is_err());
    assert!(read(&format!("a = {}", "{a=".repeat(100_000))).is_err());
    assert!(read(&"[a.".repeat(100_000)).is_err());
}

#[test]
fn a_channel_may_nest_a_little() {
    let text = "[channels.c]\ntype = \"fake\"\na.b.c.d = [[[{ e = 1 }]]]\n";
    check(text, &[]);
}

#[test]
fn all_kinds_of_values_reach_a_channel() {
    let settings = "a = 'text'\nb = 1\nc = 1.5\nd = true\ne = 1979-05-27T07:32:00Z\nf = [1]\n[g]\n";
    let text = format!(
        "[channels.c]\ntype = \"fake\"\n{}",
        settings.replace("[g]", "g = {}")
    );
    let config = read(&text).unwrap();
    assert_eq!(
        config.channels[0].settings,
        settings.parse::<Table>().unwrap()
    );
}

#[test]
fn every_hostile_number_is_one_problem() {
    check(
        "[channels.c]\ntype = \"fake\"\na = 99999999999999999999\nb = [nan, 0xffffffffffffffffff]\n",
        &[
            "channels.c.a: is too large a number (line 3)",
            "channels.c.b[0]: is not a finite number (line 4)",
            "channels.c.b[1]: is too large a number (line 4)",
        ],
    );
}
