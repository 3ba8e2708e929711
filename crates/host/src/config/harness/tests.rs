use crate::config::{
    Harness,
    tests::{check, read},
};

const MODEL: &str = "[models.m]\nprovider = \"anthropic\"\nmodel = \"m-1\"\nkey = \"env:K\"\n";

#[test]
fn three_lines_put_a_harness_to_work() {
    let text = format!(
        "{MODEL}[harnesses.claude]\nprovider = \"claude-code\"\nfolder = \"/opt/claude\"\n\
         command = [\"claude\", \"--debug\"]\nenvironment = {{ LANG = \"C\" }}\n\
         [agents.a]\nmodel = \"m\"\nharness = \"claude\"\n"
    );
    let config = read(&text).unwrap();
    assert_eq!(
        config.harnesses,
        [Harness {
            name: "claude".to_owned(),
            provider: "claude-code".to_owned(),
            folder: Some("/opt/claude".into()),
            command: vec!["claude".to_owned(), "--debug".to_owned()],
            environment: [("LANG".to_owned(), "C".to_owned())].into(),
        }]
    );
    let agent = &config.agents[0];
    assert_eq!(agent.provider, "claude-code");
    assert_eq!(agent.harness.as_deref(), Some("claude"));
    assert_eq!(agent.model.as_deref(), Some("m"));
}

#[test]
fn each_mistake_is_told_where_it_is() {
    let line = |line: &str, expect: &str| {
        let text = format!("[harnesses.h]\nprovider = \"claude-code\"\n{line}\n");
        check(&text, &[&format!("harnesses.h.{expect} (line 3)")]);
    };
    let path = "must be the path of a folder from the root on, such as \"/opt/claude-code\"";
    line("folder = \"claude\"", &format!("folder: {path}"));
    line("folder = \"/opt/../etc\"", &format!("folder: {path}"));
    line("folder = \"/\"", &format!("folder: {path}"));
    line("command = []", "command: is empty: leave it away");
    line(
        "command = [\"\"]",
        "command[0]: is empty, too long, or no argument",
    );
    line(
        "environment = { \"A=B\" = \"c\" }",
        "environment.\"A=B\": is no name of a variable",
    );
    check(
        "[harnesses.h]\nfolder = \"/opt\"\n",
        &["harnesses.h.provider: is missing; there are \"acp\", \"claude-code\" (line 1)"],
    );
}

#[test]
fn agent_harness_and_model_fit_together() {
    let agent = |lines: &str| {
        format!(
            "{MODEL}[models.o]\nprovider = \"openai\"\nmodel = \"o-1\"\nkey = \"env:K\"\n\
             [harnesses.h]\nprovider = \"claude-code\"\n[agents.a]\n{lines}\n"
        )
    };
    check(
        &agent("harness = \"x\"\nmodel = \"m\""),
        &["agents.a.harness: there is no harness \"x\"; did you mean \"h\"? (line 12)"],
    );
    check(
        &agent("harness = \"h\""),
        &[
            "agents.a.model: is missing: the provider \"claude-code\" calls a model; there are \"m\", \
           \"o\" (line 11)",
        ],
    );
    check(
        &agent("harness = \"h\"\nmodel = \"o\""),
        &[
            "agents.a.model: \"o\" has the provider \"openai\", and \"claude-code\" calls models of \
           \"anthropic\" (line 13)",
        ],
    );
    check(
        &agent("harness = \"h\"\nmodel = \"m\"\nprovider = \"offline\""),
        &[
            "agents.a.provider: is not that of the harness \"h\", which has \"claude-code\": leave it \
           away (line 14)",
        ],
    );
}
