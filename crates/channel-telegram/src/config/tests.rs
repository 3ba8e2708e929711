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
    assert!(settings.webhook.is_none());
    assert!(settings.proxy.is_none());
}

#[test]
fn everything_can_be_said() {
    let table = "token = \"env:TOKEN\"\napi = \"http://127.0.0.1:8081/\"\n\
                 proxy = \"http://proxy:3128\"\n\
                 webhook = { url = \"https://bot.example/tg\", listen = \":8443\" }";
    let settings = read(&context(), table.parse().unwrap()).unwrap();
    assert_eq!(settings.api, "http://127.0.0.1:8081");
    let webhook = settings.webhook.unwrap();
    assert_eq!(webhook.url, "https://bot.example/tg");
    assert_eq!(webhook.listen.address.to_string(), "127.0.0.1:8443");
    assert_eq!(webhook.listen.path, "/tg");
}

/// The sample in the documentation, as it stands and with all that it comments.
#[test]
fn the_sample_works() {
    let sample = include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/channels/telegram.toml"
    ));
    let spelt_out: String = sample
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(key) if key.starts_with('[') || key.contains(" = ") => format!("{key}\n"),
            Some(_) | None => format!("{line}\n"),
        })
        .collect();
    for (text, hooked) in [(sample.to_owned(), false), (spelt_out, true)] {
        let file: Table = text.parse().unwrap();
        let mut table = file["channels"]["telegram"].as_table().unwrap().clone();
        assert_eq!(table.remove("type"), Some(FACTORY.type_name.into()));
        // What the host itself reads.
        table.remove("unknown_senders");
        let settings = read(&context(), table).unwrap();
        assert_eq!(settings.webhook.is_some(), hooked);
    }
}

#[test]
fn what_is_wrong_is_said_without_the_secret() {
    assert_eq!(
        problems(""),
        ["token: is missing, it has to be `env:NAME` or `file:PATH`"]
    );
    assert_eq!(
        problems("token = \"env:NONE\""),
        ["token: the environment variable NONE is not set"]
    );
    assert_eq!(
        problems("token = \"env:WRONG\""),
        ["token: is no token of a bot: those are a number, `:` and 35 letters, digits, `_` or `-`"]
    );
    assert_eq!(
        problems("token = \"env:TOKEN\"\napi = \"ftp://x\"\ntokn = 1"),
        [
            "api: has to be an address like \"https://api.telegram.org\"",
            "tokn: is not a key here, did you mean `token`?",
        ]
    );
    assert_eq!(
        problems("token = \"env:TOKEN\"\nwebhook = { url = \"http://x\", listen = \":1\" }"),
        ["webhook.url: has to begin with https://, Telegram calls nothing else"]
    );
    assert_eq!(
        problems("token = \"env:TOKEN\"\nwebhook = { url = \"https://x\" }"),
        ["webhook.listen: is missing or wrong: where do the calls come out?"]
    );
}
