use super::*;

const NONE: [&str; 0] = [];

fn findings(path: &str, text: &str) -> Vec<String> {
    let file = SourceFile::new(path, text);
    check(&file).iter().map(Finding::to_string).collect()
}

#[test]
fn notes_to_self_are_found() {
    for path in [
        "crates/core/src/route.rs",
        "Cargo.toml",
        "container/Dockerfile",
    ] {
        assert_eq!(
            findings(path, "ok\n# TODO: later\n"),
            [format!("{path}:2: TODO: do it, or file it")]
        );
        assert_eq!(findings(path, "todo = \"warn\"\nTODOS\n"), NONE);
    }
    assert_eq!(findings("STYLE.md", "no `FIXME`\n"), NONE);
}

#[test]
fn long_functions_cannot_be_excused() {
    let path = "crates/core/src/route.rs";
    let bad = "#[expect(clippy::too_many_lines, reason = \"long\")]\n";
    assert_eq!(findings(path, bad).len(), 1);
    let other = "#[expect(clippy::too_many_arguments, reason = \"many\")]\n";
    assert_eq!(findings(path, other), NONE);
}

#[test]
fn tests_cannot_be_switched_off() {
    let path = "crates/core/src/route/tests.rs";
    for bad in ["#[ignore]\n", "    #[ignore = \"slow\"]\n"] {
        assert_eq!(findings(path, bad).len(), 1, "{bad}");
    }
    assert_eq!(findings(path, "// no #[ignore] here\n#[test]\n"), NONE);
}

#[test]
fn only_the_runner_says_that_a_sandbox_is_gone() {
    let call = "let exited = Exited::observed(session, generation, status);\n";
    assert_eq!(findings("crates/host/src/sweep.rs", call).len(), 1);
    for path in [
        "crates/runner/src/docker.rs",
        "crates/sessiondb/src/host/tests.rs",
    ] {
        assert_eq!(findings(path, call), NONE);
    }
    let comment = "/// See [`Exited::observed`].\n";
    assert_eq!(findings("crates/core/src/sandbox.rs", comment), NONE);
}
