//! The command line for people and for agents.

use clap::error::ErrorKind;

use super::*;

fn program(audience: Audience) -> Command {
    Command::new("anchorhold").subcommands(commands(audience))
}

fn parse_line(audience: Audience, line: &[&str]) -> Result<Result<Request, Usage>, clap::Error> {
    let args = [&["anchorhold"], line].concat();
    let matches = program(audience).try_get_matches_from(args)?;
    let (resource, matches) = matches.subcommand().expect("a subcommand");
    Ok(parse(audience, resource, matches).expect("of the catalog"))
}

fn names(audience: Audience) -> Vec<String> {
    let program = program(audience);
    let resources = program.get_subcommands();
    let names = resources.flat_map(|resource| {
        let verbs = resource.get_subcommands();
        verbs.map(|verb| format!("{} {}", resource.get_name(), verb.get_name()))
    });
    names.collect()
}

#[test]
fn the_commands_are_well_made() {
    program(Audience::People).debug_assert();
    program(Audience::Agents).debug_assert();
}

#[test]
fn agents_do_not_see_what_only_people_may_do() {
    let people = names(Audience::People);
    let agents = names(Audience::Agents);
    let mut hidden = people.clone();
    hidden.retain(|name| !agents.contains(name));
    assert_eq!(
        hidden,
        [
            "approvals approve",
            "approvals reject",
            "undo restore",
            "deadletters list",
            "deadletters show",
            "deadletters retry",
            "deadletters discard",
            "tasks run-now"
        ]
    );
    assert!(program(Audience::People).find_subcommand("pair").is_some());
    assert!(program(Audience::Agents).find_subcommand("pair").is_none());

    let line = ["groups", "update", "mine", "--admin-scope=global"];
    assert!(matches!(parse_line(Audience::People, &line), Ok(Ok(_))));
    let error = parse_line(Audience::Agents, &line).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownArgument);
}

#[test]
fn agents_may_leave_their_own_group_out() {
    for line in [
        &["groups", "get"][..],
        &["groups", "restart", "--message", "again"],
        &["members", "add", "--user", "7"],
        &["destinations", "remove", "--name", "team"],
    ] {
        assert!(
            parse_line(Audience::Agents, line).unwrap().is_ok(),
            "{line:?}"
        );
        let error = parse_line(Audience::People, line).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MissingRequiredArgument, "{line:?}");
    }
}

#[test]
fn values_may_look_like_options() {
    let line = ["groups", "restart", "mine", "--message=--stop -- now"];
    let request = parse_line(Audience::People, &line).unwrap().unwrap();
    assert_eq!(request.args["message"], "--stop -- now");

    let line = [
        "wirings",
        "explain",
        "--channel",
        "w",
        "--conversation",
        "-100",
        "--text",
        "x",
    ];
    let request = parse_line(Audience::People, &line).unwrap().unwrap();
    assert_eq!(request.args["conversation"], "-100");

    let line = ["sessions", "get", "01890a5d-ac96-774b-bcce-b302099a8057"];
    let request = parse_line(Audience::People, &line).unwrap().unwrap();
    assert_eq!(request.args["id"], "01890a5d-ac96-774b-bcce-b302099a8057");

    // An option is never taken for the value of the one before.
    let line = ["wirings", "list", "--channel", "--group", "mine"];
    assert!(parse_line(Audience::People, &line).is_err());
}

#[test]
fn what_is_wrong_is_said_with_a_guess() {
    #[track_caller]
    fn check(line: &[&str], part: &str) {
        let error = parse_line(Audience::People, line).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    check(
        &["wiring", "list"],
        "a similar subcommand exists: 'wirings'",
    );
    check(&["wirings", "lst"], "a similar subcommand exists: 'list'");
    check(
        &["wirings", "list", "--grop", "x"],
        "a similar argument exists: '--group'",
    );
    check(
        &["users", "list", "--limit", "0"],
        "must be a whole number from 1 to 10000",
    );
    check(
        &["groups", "create", "--folder", "a/b"],
        "must be up to 64 of",
    );
    check(
        &["groups", "create", "--folder", "a", "--runtime", "dokcer"],
        "a similar value exists: 'docker'",
    );
    check(&["users", "create", "--channel", "w"], "--handle <HANDLE>");
    check(&["users", "get", "1", "2"], "unexpected argument '2'");
}

#[test]
fn what_is_wrong_together_is_said_before_anybody_is_asked() {
    let line = [
        "roles", "grant", "--user", "7", "--role", "owner", "--group", "mine",
    ];
    let usage = parse_line(Audience::People, &line).unwrap().unwrap_err();
    assert_eq!(
        usage.to_string(),
        "`roles grant`: --role owner does not go with --group"
    );
}

#[test]
fn other_subcommands_are_not_ours() {
    let command = Command::new("anchorhold").subcommand(Command::new("run"));
    let matches = command.try_get_matches_from(["anchorhold", "run"]).unwrap();
    let (name, matches) = matches.subcommand().unwrap();
    assert!(parse(Audience::People, name, matches).is_none());
}

#[test]
fn help_says_what_goes_together() {
    let mut program = program(Audience::People);
    let members = program.find_subcommand_mut("members").unwrap();
    let add = members.find_subcommand_mut("add").unwrap();
    let help = add.render_help().to_string();
    assert!(
        help.contains("Give --user, or --channel with --handle."),
        "{help}"
    );
}

#[test]
fn each_shell_gets_completions() {
    for shell in [
        Shell::Bash,
        Shell::Zsh,
        Shell::Fish,
        Shell::PowerShell,
        Shell::Elvish,
    ] {
        let mut script = vec![];
        completions(shell, &mut program(Audience::People), &mut script).unwrap();
        let script = String::from_utf8(script).unwrap();
        for word in ["anchorhold", "wirings", "explain", "mention-sticky"] {
            // Not every shell is told of values.
            let known = script.contains(word) || word == "mention-sticky";
            assert!(known, "{shell} {word}");
        }
    }
}

#[test]
fn completions_that_nobody_reads_are_an_error() {
    let mut full: &mut [u8] = &mut [0; 4];
    let error = completions(Shell::Bash, &mut program(Audience::Agents), &mut full).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WriteZero);
}
