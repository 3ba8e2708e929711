use super::*;

const GOOD: &str = "# X\n\n## Channel Info\n\n| | |\n|---|---|\n| Type | `x` |\n\
    | What its words mean | y |\n| How to find the id | z |\n| Threads | None. |\n\
    | Typical use | a |\n| Default isolation | b |\n| Files | c |\n\n## More\n";

fn found(path: &str, text: &str) -> Vec<String> {
    let findings = check(&SourceFile::new(path, text));
    findings.iter().map(ToString::to_string).collect()
}

#[test]
fn a_page_without_its_channel_info_is_found() {
    assert_eq!(found("docs/channels/x.md", "# X\n").len(), LINES.len());
    let elsewhere = GOOD.replace("| Threads | None. |\n", "") + "| Threads | None. |\n";
    assert_eq!(
        found("docs/channels/x.md", &elsewhere),
        ["docs/channels/x.md: the Channel Info has no line “Threads” in its place"]
    );
}

#[test]
fn a_whole_one_passes() {
    assert_eq!(found("docs/channels/x.md", GOOD), Vec::<String>::new());
    for other in [
        "docs/channels/README.md",
        "docs/channels/x.toml",
        "docs/x.md",
    ] {
        assert_eq!(found(other, "# X\n"), Vec::<String>::new());
    }
}
