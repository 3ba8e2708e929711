use std::collections::BTreeMap;

use super::*;

const NONE: [&str; 0] = [];

fn findings(path: &str, text: &str) -> Vec<String> {
    let file = SourceFile::new(path, text);
    check(&file).iter().map(Finding::to_string).collect()
}

#[test]
fn names_are_found_in_code_and_comments() {
    for (line, platform) in [
        ("// like Discord does", "discord"),
        ("let slack_token = 1;", "slack"),
        ("struct WhatsAppAdapter;", "whatsapp"),
        ("/// See https://telegram.org/", "telegram"),
        ("const MATRIX: u8 = 1;", "matrix"),
        ("use x::MyDiscordClient;", "discord"),
    ] {
        for path in [
            "crates/host/src/ingest.rs",
            "container/agent-runner/src/main.rs",
        ] {
            assert_eq!(
                findings(path, &format!("fn f() {{}}\n{line}\n")),
                [format!(
                    "{path}:2: {platform} is named outside its own crate"
                )]
            );
        }
    }
}

#[test]
fn other_words_and_other_places_pass() {
    for line in [
        "// a circle, slackening",
        "signal",
        "let matrixed = 1;",
        "UUIDv7",
    ] {
        assert_eq!(findings("crates/core/src/route.rs", line), NONE, "{line}");
    }
    for path in [
        "crates/channel-discord/src/adapter.rs",
        "crates/host/src/channels.rs",
        "docs/channels/discord.md",
        "crates/host/Cargo.toml",
    ] {
        assert_eq!(findings(path, "discord"), NONE, "{path}");
    }
    assert_eq!(
        findings("crates/channel-slack/src/api.rs", "discord").len(),
        1
    );
}

#[test]
fn a_channel_nobody_listed_is_found() {
    let package = |name: &str| Package {
        name: name.to_owned(),
        dependencies: vec![],
        features: BTreeMap::new(),
    };
    let packages = [
        "core",
        "channel",
        "channel-cli",
        "channel-slack",
        "channel-unheard",
    ]
    .map(|name| package(&format!("anchorhold-{name}")));
    let places: Vec<_> = known(&packages)
        .into_iter()
        .map(|found| found.place)
        .collect();
    assert_eq!(places, ["anchorhold-channel-unheard"]);
}
