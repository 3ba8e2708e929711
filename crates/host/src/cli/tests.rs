//! The command line, read but not run.

use anchorhold_admin::catalog::CATALOG;
use serde_json::json;

use super::*;

fn read(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split(' '))
}

#[test]
fn the_command_is_sound_and_lists_everything() {
    let mut command = Cli::command();
    command.clone().debug_assert();
    let help = command.render_help().to_string();
    let own = [
        "run",
        "chat",
        "send",
        "status",
        "doctor",
        "config",
        "completions",
    ];
    for name in CATALOG.iter().map(|one| one.name).chain(own) {
        assert!(help.contains(&format!("\n  {name} ")), "{name}: {help}");
    }
}

#[test]
fn the_catalogs_commands_become_requests() {
    let check = |line: &str, resource: &str, verb: &str, args: &[(&str, &str)]| {
        let cli = read(line).unwrap();
        let What::Admin(request) = cli.command else {
            panic!("{line}: {cli:?}");
        };
        let args = args.iter();
        let expect = Request {
            resource: resource.to_owned(),
            verb: verb.to_owned(),
            args: args
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        };
        assert!(request == expect, "{line}: {request:?}");
    };
    check("anchorhold groups list", "groups", "list", &[]);
    check(
        "anchorhold groups get helper --json --data-dir x",
        "groups",
        "get",
        &[("id", "helper")],
    );
    check("anchorhold pair one", "pair", "", &[("channel", "one")]);
    check(
        "anchorhold approvals approve ab12cd --new-agent",
        "approvals",
        "approve",
        &[("id", "ab12cd"), ("new-agent", "true")],
    );
    check(
        "anchorhold sessions get 7",
        "sessions",
        "get",
        &[("id", "7")],
    );
    check(
        "anchorhold sessions close 7",
        "sessions",
        "close",
        &[("id", "7")],
    );
    let cli = read("anchorhold --data-dir d groups list --json").unwrap();
    assert!(cli.common.json);
    assert_eq!(cli.common.data_dir, "d");
}

#[test]
fn sessions_are_listed_and_shown_without_a_host() {
    let sessions = |line: &str| {
        let What::Sessions(sessions) = read(line).unwrap().command else {
            panic!("{line}");
        };
        sessions
    };
    let shown = sessions("anchorhold sessions show abc");
    assert!(matches!(shown, sessions::Sessions::Show { id } if id == "abc"));
    let listed = sessions("anchorhold sessions list --json");
    assert!(matches!(
        listed,
        sessions::Sessions::List {
            group: None,
            all: false,
            limit: 1000
        }
    ));
    let listed = sessions("anchorhold sessions list --group helper --all --limit 3");
    assert!(matches!(
        listed,
        sessions::Sessions::List { group: Some(group), all: true, limit: 3 } if group == "helper"
    ));
}

#[test]
fn what_is_no_command_is_an_error() {
    for line in [
        "anchorhold",
        "anchorhold groups",
        "anchorhold groups lst",
        "anchorhold groups update helper",
        "anchorhold groups update helper --prompt_messages 3",
        "anchorhold wirings create --channel one",
        "anchorhold approvals approve 7 --connect helper --new-agent",
        "anchorhold completions powershell",
    ] {
        let wrong = read(line).unwrap_err();
        assert!(wrong.use_stderr(), "{line}: {wrong}");
    }
}

#[test]
fn each_shell_gets_completions_of_all_commands() {
    use completions::{Shell, script};
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let script = script(shell).unwrap();
        for word in ["wirings", "explain", "completions", "doctor"] {
            assert!(script.contains(word), "{shell:?}: {word}");
        }
    }
}

#[test]
fn a_code_is_alone_in_its_line_and_names_move_nothing() {
    let described = |value: serde_json::Value| pair::describe(value.as_object().unwrap());
    let text = described(json!({
        "code": "01234567", "channel": "one", "bot": "Bot", "expires_at": 0, "owners": []
    }));
    assert_eq!(
        text,
        "01234567\n\
         Send this code to the bot (Bot) on one, in a direct chat, before 1970-01-01 00:00:00Z.\n\
         Whoever sends it becomes an owner: may do everything, and is asked for approvals.\n\
         Nobody is an owner yet.\n"
    );
    let text = described(json!({
        "code": "01234567", "channel": "one", "bot": null, "expires_at": 0,
        "owners": [{"channel": "one", "handle": "u1", "name": "Una\u{1b}[2J\nx"},
                   {"channel": "two", "handle": "u2", "name": null}]
    }));
    let last = text.lines().last().unwrap();
    assert_eq!(last, "Owners now: Una [2J x (u1 on one), u2 on two.");
}
