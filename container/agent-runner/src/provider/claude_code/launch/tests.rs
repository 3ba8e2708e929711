use anchorhold_sessiondb::ModelOptions;

use super::*;

fn launch(options: ModelOptions, harness: &Harness) -> Launch {
    let model = Model {
        id: "m-1".to_owned(),
        options,
    };
    Launch::of(harness, &model, 4711, "You are Ada.".to_owned())
}

#[test]
fn it_goes_nowhere_but_through_the_gate_and_never_asks_a_person() {
    let harness = Harness {
        command: vec!["/opt/claude".to_owned(), "--debug".to_owned()],
        home: "/anchorhold/out/harness".into(),
        tools: vec!["/bin/runner".to_owned(), "mcp".to_owned()],
        ..Harness::default()
    };
    let launch = launch(ModelOptions::default(), &harness);
    let point = Point {
        session: "s-1".to_owned(),
        at: "m-9".to_owned(),
    };
    let fresh = launch.command(None);
    assert_eq!(fresh[..3], ["/opt/claude", "--debug", "-p"]);
    for argument in [
        "--dangerously-skip-permissions",
        "--strict-mcp-config",
        "--model=m-1",
        "--mcp-config={\"mcpServers\":{\"anchorhold\":{\"args\":[\"mcp\"],\"command\":\"/bin/runner\"}}}",
        "--append-system-prompt=You are Ada.",
    ] {
        assert!(fresh.iter().any(|given| given == argument), "{argument}");
    }
    let resumed = launch.command(Some(&point));
    assert_eq!(resumed[..fresh.len()], fresh);
    assert_eq!(
        resumed[fresh.len()..],
        ["--resume=s-1", "--resume-session-at=m-9"]
    );
    let set = |name: &str, value: &str| {
        let mut environment = launch.environment().iter();
        environment.any(|(has, given)| has == name && given == value)
    };
    assert!(set("ANTHROPIC_BASE_URL", "http://127.0.0.1:4711/model"));
    assert!(set("CLAUDE_CONFIG_DIR", "/anchorhold/out/harness"));
    for name in MODELS {
        assert!(set(name, "m-1"), "{name}");
    }
}

#[test]
fn options_of_the_model_are_told_in_the_programs_words() {
    let options = |effort: &str| ModelOptions {
        max_output_tokens: Some(1000),
        context_tokens: Some(50_000),
        effort: Some(effort.to_owned()),
        responses: false,
    };
    let harness = Harness::default();
    for (effort, argument, thinking) in [
        ("high", Some("--effort=high"), None),
        ("none", None, Some("0")),
        ("4096", None, Some("4096")),
    ] {
        let launch = launch(options(effort), &harness);
        let command = launch.command(None);
        assert_eq!(command[0], "claude");
        let told = command.iter().find(|given| given.starts_with("--effort"));
        assert_eq!(told.map(String::as_str), argument);
        let value = |name: &str| {
            let mut environment = launch.environment().iter();
            let found = environment.find(|(has, _)| has == name);
            found.map(|(_, value)| value.as_str())
        };
        assert_eq!(value("MAX_THINKING_TOKENS"), thinking);
        assert_eq!(value("CLAUDE_CODE_MAX_OUTPUT_TOKENS"), Some("1000"));
        assert_eq!(value("CLAUDE_CODE_AUTO_COMPACT_WINDOW"), Some("50000"));
    }
}
