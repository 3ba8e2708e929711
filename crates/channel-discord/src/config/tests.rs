use super::*;
use crate::tests::bench::context;

fn problems(table: &str) -> Vec<String> {
    match read(&context(), table.parse().unwrap()) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn a_token_is_enough() {
    let settings = read(&context(), "token = \"env:TOKEN\"".parse().unwrap()).unwrap();
    assert_eq!(settings.api, API);
    assert!(settings.message_content);
}

/// The sample in the documentation, as it stands and with all that it comments.
#[test]
fn the_sample_works() {
    let sample = include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/channels/discord.toml"
    ));
    let spelt_out: String = sample
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(key) if key.starts_with('[') || key.contains(" = ") => format!("{key}\n"),
            Some(_) | None => format!("{line}\n"),
        })
        .collect();
    for (text, reads_all) in [(sample.to_owned(), true), (spelt_out, false)] {
        let file: Table = text.parse().unwrap();
        let mut table = file["channels"]["discord"].as_table().unwrap().clone();
        assert_eq!(table.remove("type"), Some(FACTORY.type_name.into()));
        // What the host itself reads.
        table.remove("unknown_senders");
        let settings = read(&context(), table).unwrap();
        assert_eq!(settings.message_content, reads_all);
    }
}

#[test]
fn what_is_wrong_is_said_without_the_secret() {
    assert_eq!(
        problems(""),
        ["token: is missing, it has to be `env:NAME` or `file:PATH`"]
    );
    assert_eq!(
        problems("token = \"env:WRONG\""),
        [
            "token: is no token of a bot: those are three words of letters, digits, `_` or `-` with \
             dots between them, without \"Bot\" before them"
        ]
    );
    assert_eq!(
        problems("token = \"env:TOKEN\"\nmesage_content = false"),
        ["mesage_content: is not a key here, did you mean `message_content`?"]
    );
}

/// The token goes where the API is said to be.
#[test]
fn an_api_is_encrypted_or_on_this_machine() {
    for good in [
        "https://discord.com/api",
        "https://proxy.example/api/",
        "http://127.0.0.1:8080/api",
        "http://127.0.0.1",
    ] {
        assert!(base(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "https://",
        "http://discord.com/api",
        "http://127.0.0.1.example/api",
        "http://127.0.0.1@example/api",
        "http://127.0.0.1:80@example/api",
        "ftp://127.0.0.1",
    ] {
        assert!(base(bad).is_err(), "{bad}");
    }
}
