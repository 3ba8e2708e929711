use super::*;
use crate::tests::bench::context;

fn problems(text: &str) -> Vec<String> {
    let read = read(&context(), text.parse().unwrap());
    let problems = read.map(|_settings| ()).err().unwrap_or_default();
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn two_tokens_are_all_it_needs() {
    let text = "bot_token = \"env:BOT\"\napp_token = \"env:APP\"";
    let settings = read(&context(), text.parse().unwrap()).unwrap();
    assert_eq!(settings.api, "https://slack.com/api");
    assert!(matches!(settings.way, Way::Socket { .. }));
}

#[test]
fn a_webhook_needs_no_app_token() {
    let text =
        "bot_token = \"env:BOT\"\n[webhook]\nlisten = \":8080\"\nsigning_secret = \"env:SIGNING\"";
    let settings = read(&context(), text.parse().unwrap()).unwrap();
    let Way::Webhook(hook) = settings.way else {
        panic!("it is called");
    };
    assert_eq!(hook.listen.path, "/sl");
    assert_eq!(hook.listen.address.to_string(), "127.0.0.1:8080");
    assert_eq!(
        problems(&format!("app_token = \"env:APP\"\n{text}")),
        ["app_token: is for Socket Mode, and `webhook` is not: take one of the two away"]
    );
}

#[test]
fn all_that_is_wrong_is_said_and_no_value_repeated() {
    assert_eq!(
        problems("bot_token = \"env:WRONG\"\napi = \"slack\"\nbot = 1"),
        [
            "bot_token: is no token of a bot: those begin with xoxb-",
            "app_token: is missing, it has to be `env:NAME` or `file:PATH`",
            "api: has to be an address like \"https://slack.com/api\"",
            "bot: is not a key here",
        ]
    );
    assert_eq!(
        problems("bot_token = \"env:APP\"\napp_token = \"env:BOT\""),
        [
            "bot_token: is no token of a bot: those begin with xoxb-",
            "app_token: is no app-level token: those begin with xapp-",
        ]
    );
    assert_eq!(
        problems("bot_token = \"env:BOT\"\n[webhook]\nlisten = \":1\""),
        ["webhook.signing_secret: is missing, it has to be `env:NAME` or `file:PATH`"]
    );
}

/// The file that people copy from is one that works.
#[test]
fn the_sample_is_read() {
    let text = include_str!("../../../../docs/channels/slack.toml");
    let table: Table = text.parse().unwrap();
    let mut instance = table["channels"]["slack"].as_table().unwrap().clone();
    assert_eq!(instance.remove("type").unwrap().as_str(), Some("slack"));
    read(&context(), instance).unwrap();
}

/// Whoever pastes the manifest has an app with each scope that a probe asks for, and with no other.
#[test]
fn the_manifest_has_the_scopes() {
    let text = include_str!("../../../../docs/channels/slack-manifest.yaml");
    let scopes = text
        .lines()
        .skip_while(|line| line.trim() != "bot:")
        .skip(1);
    let scopes = scopes.map_while(|line| line.trim().strip_prefix("- "));
    let known = crate::adapter::SCOPES.iter().map(|(scope, _)| *scope);
    assert_eq!(scopes.collect::<Vec<_>>(), known.collect::<Vec<_>>());
}
