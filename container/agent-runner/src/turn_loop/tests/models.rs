//! What every provider has to do that calls a model: the whole loop, over session files on disk, with
//! a stand-in for the model at the other end of the way out.

use std::{fs, sync::Arc};

use anchorhold_core::turn_failure::FailureClass;
use anchorhold_fake_models::{Act, Asked, FakeModels};
use anchorhold_sessiondb::{Control, Cursors, HandledState, ModelOptions, Pulled, Settings};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    provider::{Harness, Providers},
    tools::Tools,
    turn_loop::{
        Ended, TurnLoop,
        tests::bench::{Bench, now, posts, raw, states},
    },
};

/// Those with a loop of our own.
const OWN: &[&str] = &["anthropic", "openai", "openai over Responses"];
/// All of them. The programs of others are run as they are.
const PROVIDERS: &[&str] = if cfg!(feature = "real-harnesses") {
    &[
        "anthropic",
        "openai",
        "openai over Responses",
        "claude-code",
    ]
} else {
    OWN
};
/// With one that has its own mind about everything else: Codex, over the Agent Client Protocol.
const WITH_CODEX: &[&str] = if cfg!(feature = "real-harnesses") {
    &[
        "anthropic",
        "openai",
        "openai over Responses",
        "claude-code",
        "acp",
    ]
} else {
    OWN
};

/// A session whose agent has a model.
struct Suite {
    provider: &'static str,
    bench: Bench,
    fake: FakeModels,
}

impl Suite {
    fn new(provider: &'static str, script: impl IntoIterator<Item = Act>) -> Self {
        let bench = Bench::new();
        let fake = FakeModels::new(script);
        let socket = bench.host.in_dir().join("way-out");
        fake.listen_at(socket.as_std_path()).unwrap();
        let suite = Self {
            provider,
            bench,
            fake,
        };
        suite.settings(ModelOptions::default());
        suite
    }

    /// Codex says something of models that it does not know.
    fn model(&self) -> &'static str {
        match self.provider {
            "acp" => "gpt-5.2",
            _ => "m-1",
        }
    }

    fn settings(&self, model_options: ModelOptions) {
        let settings = Settings {
            agent_name: "Ada".to_owned(),
            provider: self.provider.split(' ').next().unwrap().to_owned(),
            model: Some(self.model().to_owned()),
            model_options: ModelOptions {
                responses: self.provider.ends_with("Responses"),
                ..model_options
            },
            time_zone: None,
            prompt_messages: 20,
            floor: Cursors::default(),
        };
        self.bench.host.write_settings(&settings).unwrap();
    }

    fn runner(&self, generation: u32) -> TurnLoop {
        let mut runner = self.bench.runner(generation);
        let home = self.bench.host.out_dir().join("harness");
        let harness = match self.provider {
            "acp" => codex(),
            _ => Harness {
                command: environment("ANCHORHOLD_CLAUDE_CODE").into_iter().collect(),
                ..Harness::default()
            },
        };
        runner.parts.providers = Providers::builtin(Harness { home, ..harness });
        let workspace = self.bench.host.out_dir();
        let path = environment("PATH").map(|path| ("PATH".to_owned(), path));
        let home = ("HOME".to_owned(), workspace.to_string());
        runner.parts.tools = Arc::new(Tools::new(
            workspace.to_owned(),
            path.into_iter().chain([home]).collect(),
            Arc::clone(&runner.parts.children),
        ));
        runner
    }

    /// Runs until so many messages have ended.
    async fn run(&self, generation: u32, count: usize) -> Pulled {
        self.bench.run(self.runner(generation), count).await
    }

    fn asked(&self) -> Vec<Asked> {
        self.fake.asked()
    }

    /// What was said in the call, all of it as one text.
    fn conversation(&self, call: usize) -> String {
        self.messages(call).to_string()
    }

    fn messages(&self, call: usize) -> Value {
        let content = &self.asked()[call].content;
        content.get("messages").unwrap_or(&content["input"]).clone()
    }

    /// What the tools gave that the call tells of, in order.
    fn results(&self, call: usize) -> Vec<String> {
        let messages = self.messages(call);
        let mut results = Vec::new();
        for message in messages.as_array().unwrap() {
            if message["type"] == "function_call_output" {
                results.push(message["output"].as_str().unwrap().to_owned());
            }
            if message["role"] == "tool" {
                results.push(message["content"].as_str().unwrap().to_owned());
            }
            for block in message["content"].as_array().into_iter().flatten() {
                if block["type"] == "tool_result" {
                    results.push(block["content"].as_str().unwrap().to_owned());
                }
            }
        }
        results
    }
}

fn say(text: &str) -> Act {
    Act::Say(text.to_owned())
}

#[expect(
    clippy::disallowed_methods,
    reason = "says where the programs of others are"
)]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Codex with its model at the other end of the way out, and without tries of its own.
fn codex() -> Harness {
    let host = "model_providers.host={name=\"host\",base_url=\"{base_url}\",wire_api=\"responses\",\
                env_key=\"OPENAI_API_KEY\",request_max_retries=0,stream_max_retries=0}";
    let options = [
        "model=\"{model}\"",
        "model_provider=\"host\"",
        host,
        "approval_policy=\"never\"",
        "sandbox_mode=\"danger-full-access\"",
    ];
    let options = options.iter().flat_map(|option| ["-c", option]);
    let program = environment("ANCHORHOLD_CODEX_ACP").into_iter();
    let key = ("OPENAI_API_KEY".to_owned(), "{key}".to_owned());
    Harness {
        command: program.chain(options.map(str::to_owned)).collect(),
        environment: [key].into(),
        ..Harness::default()
    }
}

/// Runs a command in the provider's own way.
fn bash(provider: &str, cmd: &str) -> (&'static str, Value) {
    match provider {
        "claude-code" => ("Bash", json!({ "command": cmd })),
        "acp" => ("exec_command", json!({ "cmd": cmd })),
        _ => ("bash", json!({ "cmd": cmd })),
    }
}

fn later(pulled: &Pulled) -> (FailureClass, i64) {
    let state = &pulled.handled.last().unwrap().state;
    let HandledState::Later(trouble, until) = state else {
        panic!("{state:?}")
    };
    (trouble.class, until.duration_since(now()).as_secs())
}

#[tokio::test]
async fn a_question_gets_an_answer_and_no_credential_goes_with_it() {
    for &provider in WITH_CODEX {
        let suite = Suite::new(provider, [say("It is four.")]);
        suite.bench.hear("two and <b>two</b>?", true);
        let pulled = suite.run(1, 1).await;
        assert_eq!(posts(&pulled), [(Some(2), "It is four.")], "{provider}");
        assert_eq!(states(&pulled), [(2, HandledState::Done)]);
        let asked = &suite.asked()[0];
        assert_eq!(asked.content["model"], suite.model());
        assert_eq!(asked.content["stream"], true);
        let told = suite.conversation(0);
        assert!(
            told.contains("two and &lt;b>two&lt;/b>?</message>"),
            "{told}"
        );
        let header = |name: &str| asked.headers.iter().find(|(header, _)| header == name);
        assert_eq!(header("x-anchorhold-turn").unwrap().1, "2");
        for name in ["authorization", "x-api-key"] {
            assert_eq!(header(name), None, "{provider}");
        }
    }
}

#[tokio::test]
async fn tools_run_at_once_and_tell_in_their_order() {
    for &provider in OWN {
        // Each waits for the other, so one after the other they would never end.
        let calls = vec![
            bash(
                provider,
                "touch one; until [ -e two ]; do sleep 0.01; done; echo first",
            ),
            bash(
                provider,
                "until [ -e one ]; do sleep 0.01; done; touch two; echo second",
            ),
            ("nosuch", json!({})),
        ];
        let suite = Suite::new(provider, [Act::Call(calls), say("Both ran.")]);
        suite.bench.hear("run", true);
        let pulled = suite.run(1, 1).await;
        assert_eq!(posts(&pulled), [(Some(2), "Both ran.")], "{provider}");
        let results = suite.results(1);
        let expect = ["first\nexit status 0", "second\nexit status 0"];
        assert_eq!(results[..2], expect, "{provider}");
        assert!(results[2].starts_with("error: there is no such tool"));
    }
}

#[cfg(feature = "real-harnesses")]
#[tokio::test]
async fn tools_of_a_harness_all_tell() {
    let provider = "claude-code";
    let calls = vec![
        bash(provider, "sleep 0.1; echo first"),
        ("Read", json!({"file_path": "/nosuch"})),
        ("nosuch", json!({})),
    ];
    let suite = Suite::new(provider, [Act::Call(calls), say("All ran.")]);
    suite.bench.hear("run", true);
    let pulled = suite.run(1, 1).await;
    assert_eq!(posts(&pulled), [(Some(2), "All ran.")]);
    let results = suite.results(1);
    for told in ["first", "does not exist", "No such tool"] {
        assert!(
            results.iter().any(|result| result.contains(told)),
            "{results:?}"
        );
    }
    assert_eq!(results.len(), 3);
}

/// What tools said once had no message that it answered, and could end up in another session.
#[tokio::test]
async fn defect_31_what_a_tool_does_answers_the_message_of_its_turn() {
    for &provider in OWN {
        let react = ("add_reaction", json!({"seq": 2, "emoji": "👍"}));
        let suite = Suite::new(provider, [Act::Call(vec![react]), say("Done.")]);
        suite.bench.hear("like it", true);
        let pulled = suite.run(1, 1).await;
        let answers: Vec<_> = pulled.rows.iter().map(|row| row.in_reply_to).collect();
        assert_eq!(answers.len(), 2, "{provider}");
        assert!(
            answers
                .iter()
                .all(|seq| seq.is_some_and(|seq| seq.get() == 2))
        );
    }
}

#[tokio::test]
async fn what_comes_meanwhile_joins_the_turn() {
    for &provider in WITH_CODEX {
        let script = [Act::Held("first".to_owned()), say("second")];
        let suite = Suite::new(provider, script);
        suite.bench.hear("one", true);
        let mut runner = suite.runner(1);
        let stop = CancellationToken::new();
        let host = async {
            suite.fake.until_asked(1).await;
            suite.bench.hear("two", true);
            suite.fake.release();
            let pulled = suite.bench.ended(2).await;
            stop.cancel();
            pulled
        };
        let (ended, pulled) = tokio::join!(runner.run(&stop), host);
        assert_eq!(ended.unwrap(), Ended::Told);
        let expect = [(Some(2), "first"), (Some(4), "second")];
        assert_eq!(posts(&pulled), expect, "{provider}");
        assert_eq!(suite.asked().len(), 2);
        let told = suite.conversation(1);
        assert!(
            told.contains("first") && told.contains("two</message>"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn a_person_stops_a_turn_while_its_model_speaks() {
    for &provider in WITH_CODEX {
        let suite = Suite::new(provider, [Act::Held("never".to_owned()), say("next")]);
        suite.bench.hear("one", true);
        let mut runner = suite.runner(1);
        let stop = CancellationToken::new();
        let host = async {
            suite.fake.until_asked(1).await;
            suite.bench.command(Control::Stop);
            suite.bench.ended(2).await;
            suite.bench.hear("two", true);
            let pulled = suite.bench.ended(3).await;
            stop.cancel();
            pulled
        };
        let (ended, pulled) = tokio::join!(runner.run(&stop), host);
        assert_eq!(ended.unwrap(), Ended::Told);
        assert_eq!(posts(&pulled), [(Some(6), "next")], "{provider}");
        let told = suite.conversation(1);
        assert!(!told.contains("one</message>"), "{told}");
    }
}

#[tokio::test]
async fn the_next_sandbox_goes_on_with_the_conversation() {
    for &provider in WITH_CODEX {
        let call = Act::Call(vec![bash(provider, "echo x")]);
        let suite = Suite::new(provider, [call, say("I heard one."), say("And two.")]);
        suite.bench.hear("one", true);
        suite.run(1, 1).await;
        suite.bench.hear("two", true);
        let pulled = suite.run(2, 2).await;
        let expect = [(Some(2), "I heard one."), (Some(4), "And two.")];
        assert_eq!(posts(&pulled), expect, "{provider}");
        let told = suite.conversation(2);
        for part in [
            "one</message>",
            match provider {
                "claude-code" => "\"x\"",
                "acp" => "Output:\\nx",
                _ => "x\\nexit status 0",
            },
            "I heard one.",
            "two</message>",
        ] {
            assert!(told.contains(part), "{provider} {part}: {told}");
        }
    }
}

/// What was kept of a conversation was once taken for granted, and a session stuck for good.
#[tokio::test]
async fn nc1216_a_lost_conversation_is_begun_afresh_once_and_told() {
    for &provider in PROVIDERS {
        let suite = Suite::new(provider, [say("one"), say("two"), say("three")]);
        suite.bench.hear("a", true);
        suite.run(1, 1).await;
        let outbound = raw(&suite.bench.host.out_dir().join("outbound.db"));
        outbound
            .execute("UPDATE state SET value = substr(value, 1, 40)", [])
            .unwrap();
        drop(outbound);
        suite.bench.hear("b", true);
        let pulled = suite.run(2, 2).await;
        let expect = [(2, HandledState::Done), (4, HandledState::DoneAfresh)];
        assert_eq!(states(&pulled), expect, "{provider}");
        assert!(!suite.conversation(1).contains("a</message>"));
        suite.bench.hear("c", true);
        let pulled = suite.run(3, 3).await;
        assert_eq!(states(&pulled).last(), Some(&(6, HandledState::Done)));
        assert!(suite.conversation(2).contains("b</message>"));
    }
}

/// As above, where it is the provider that does not accept what was kept.
#[tokio::test]
async fn nc1216_a_conversation_that_the_provider_refuses_is_begun_afresh() {
    for &provider in WITH_CODEX {
        let refusal = "messages.0: `tool_use` ids were found without `tool_result` blocks";
        let script = [say("one"), Act::Fail(400, refusal, None), say("two")];
        let suite = Suite::new(provider, script);
        suite.bench.hear("a", true);
        suite.run(1, 1).await;
        suite.bench.hear("b", true);
        let pulled = suite.run(2, 2).await;
        assert_eq!(
            states(&pulled)[1],
            (4, HandledState::DoneAfresh),
            "{provider}"
        );
        assert!(!suite.conversation(2).contains("a</message>"));
    }
}

#[tokio::test]
async fn what_may_pass_is_waited_for_as_long_as_the_provider_says() {
    for &provider in WITH_CODEX {
        for (act, class, wait) in [
            (
                Act::Fail(529, "Overloaded", None),
                FailureClass::Transient,
                1,
            ),
            (
                Act::Fail(429, "slow", Some(90)),
                FailureClass::RateLimited,
                90,
            ),
            (
                Act::Fail(401, "bad key", None),
                FailureClass::Unauthorised,
                60,
            ),
            (Act::Fail(402, "pay", None), FailureClass::OutOfBudget, 60),
            (Act::FailInside, FailureClass::Transient, 1),
            (Act::Garbage, FailureClass::Transient, 1),
            (Act::BreakOff, FailureClass::Transient, 1),
        ] {
            let suite = Suite::new(provider, [act.clone()]);
            suite.bench.hear("a", true);
            let pulled = suite.run(1, 1).await;
            assert_eq!(later(&pulled), (class, wait), "{provider} {act:?}");
            assert_eq!(pulled.rows, vec![]);
        }
    }
}

#[tokio::test]
async fn after_tools_have_run_a_short_trouble_is_waited_for_within_the_turn() {
    for &provider in WITH_CODEX {
        let script = [
            Act::Call(vec![bash(provider, "echo ran >> log")]),
            Act::Fail(529, "Overloaded", None),
            say("Fine."),
        ];
        let suite = Suite::new(provider, script);
        suite.bench.hear("run", true);
        let pulled = suite.run(1, 1).await;
        assert_eq!(posts(&pulled), [(Some(2), "Fine.")], "{provider}");
        let log = fs::read_to_string(suite.bench.host.out_dir().join("log")).unwrap();
        assert_eq!(log, "ran\n");
    }
}

#[tokio::test]
async fn a_refusal_is_told_and_not_tried_again() {
    for &provider in PROVIDERS {
        let suite = Suite::new(provider, [Act::Refuse]);
        suite.bench.hear("a", true);
        let pulled = suite.run(1, 1).await;
        match &states(&pulled)[..] {
            [(2, HandledState::Surfaced(trouble))] => {
                assert_eq!(trouble.class, FailureClass::Rejected, "{provider}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn huge_output_of_a_tool_is_bounded_and_a_long_answer_goes_on() {
    for &provider in PROVIDERS {
        let script = [
            Act::Call(vec![
                bash(provider, "yes | head -c 3000000"),
                bash(provider, "cat big"),
            ]),
            Act::Cut("The first half, ".to_owned()),
            say("and the second."),
        ];
        let suite = Suite::new(provider, script);
        fs::write(
            suite.bench.host.out_dir().join("big"),
            "x\n".repeat(1_000_000),
        )
        .unwrap();
        suite.bench.hear("run", true);
        let pulled = suite.run(1, 1).await;
        let expect = [(Some(2), "The first half, and the second.")];
        assert_eq!(posts(&pulled), expect, "{provider}");
        let results = suite.results(1);
        assert!(results.iter().all(|result| result.len() < 100 * 1024));
        if provider != "claude-code" {
            assert!(results[0].contains("(output cut: "), "{provider}");
        }
    }
}

#[tokio::test]
async fn a_turn_without_a_word_is_asked_for_one_once() {
    for &provider in PROVIDERS {
        let mut script = vec![say(""), say("Sorry. Four."), say(""), say(" ")];
        if provider == "claude-code" {
            // It asks once itself, each time.
            script.extend([say(" "), say(" ")]);
        }
        let suite = Suite::new(provider, script);
        suite.bench.hear("two and two?", true);
        let pulled = suite.run(1, 1).await;
        assert_eq!(posts(&pulled), [(Some(2), "Sorry. Four.")], "{provider}");
        suite.bench.hear("and three?", true);
        let pulled = suite.run(2, 2).await;
        let last = (Some(4), "(I have nothing to say to that.)");
        assert_eq!(posts(&pulled).last(), Some(&last), "{provider}");
    }
}

#[tokio::test]
async fn a_conversation_that_is_too_long_is_told_in_short_and_goes_on() {
    for &provider in OWN {
        let suite = Suite::new(provider, [say(&"long ".repeat(4000))]);
        suite.bench.hear("my name is Zoe", true);
        suite.run(1, 1).await;
        suite.fake.window(15_000);
        suite
            .fake
            .then([say("Zoe asked for something long."), say("Hello Zoe.")]);
        suite.bench.hear("what is my name?", true);
        let pulled = suite.run(2, 2).await;
        // The call and the telling are too long; the telling of less is not.
        assert_eq!(suite.asked().len(), 5, "{provider}");
        assert_eq!(posts(&pulled)[1], (Some(4), "Hello Zoe."), "{provider}");
        assert_eq!(states(&pulled)[1], (4, HandledState::Done), "{provider}");
        let told = suite.conversation(suite.asked().len() - 1);
        assert!(told.contains("This is what you wrote down of it"), "{told}");
        assert!(told.contains("what is my name?"), "{told}");
        assert!(!told.contains("long long"), "{told}");
    }
}

/// Claude Code makes it shorter itself, and where that is of no use the conversation begins afresh.
#[cfg(feature = "real-harnesses")]
#[tokio::test]
async fn a_harness_tells_a_long_conversation_in_short_and_goes_on() {
    const FULL: &str = "prompt is too long: 210000 tokens > 200000 maximum";
    let suite = talkative().await;
    let told = "<summary>It is Zoe.</summary>";
    let script = [Act::Fail(400, FULL, None), say(told), say("Hello Zoe.")];
    suite.fake.then(script);
    suite.bench.hear("what is my name?", true);
    let pulled = suite.run(2, 4).await;
    assert_eq!(posts(&pulled)[3], (Some(8), "Hello Zoe."));
    assert_eq!(states(&pulled)[3], (8, HandledState::Done));
    let told = suite.conversation(suite.asked().len() - 1);
    assert!(
        told.contains("It is Zoe.") && told.contains("what is my name?"),
        "{told}"
    );
    assert!(!told.contains("my name is Zoe"), "{told}");
    let full = || Act::Fail(400, FULL, None);
    suite
        .fake
        .then([full(), full(), full(), say("Who are you?")]);
    suite.bench.hear("and now?", true);
    let pulled = suite.run(3, 5).await;
    assert_eq!(posts(&pulled)[4], (Some(10), "Who are you?"));
    assert_eq!(states(&pulled)[4], (10, HandledState::DoneAfresh));
}

/// With a conversation that can be told in short, and of which the first sandbox has ended.
#[cfg(feature = "real-harnesses")]
async fn talkative() -> Suite {
    let suite = Suite::new("claude-code", ["I heard Zoe.", "two", "three"].map(say));
    suite.bench.hear("my name is Zoe", true);
    let mut runner = suite.runner(1);
    let stop = CancellationToken::new();
    let host = async {
        for count in 1..3 {
            suite.bench.ended(count).await;
            suite.bench.hear("go on", true);
        }
        suite.bench.ended(3).await;
        stop.cancel();
    };
    let (ended, ()) = tokio::join!(runner.run(&stop), host);
    assert_eq!(ended.unwrap(), Ended::Told);
    suite
}

#[cfg(feature = "real-harnesses")]
#[tokio::test]
async fn defect_33_who_asks_a_harness_for_compaction_is_told() {
    let suite = talkative().await;
    suite
        .fake
        .then([say("<summary>In short: Zoe.</summary>"), say("four")]);
    suite.bench.command(Control::Compact);
    let pulled = suite.run(2, 4).await;
    let (to, told) = posts(&pulled)[3];
    assert_eq!(to, Some(8));
    assert!(told.starts_with("I made what I remember"), "{told}");
    suite.bench.hear("b", true);
    let pulled = suite.run(3, 5).await;
    assert_eq!(posts(&pulled)[4], (Some(10), "four"));
    let told = suite.conversation(4);
    assert!(told.contains("In short: Zoe."), "{told}");
    assert!(!told.contains("my name is Zoe"), "{told}");
}

/// A session of which nothing is left, as after a restored backup.
#[cfg(feature = "real-harnesses")]
#[tokio::test]
async fn nc1216_a_harness_that_has_lost_the_conversation_begins_afresh() {
    let suite = Suite::new("claude-code", [say("one"), say("two")]);
    suite.bench.hear("a", true);
    suite.run(1, 1).await;
    fs::remove_dir_all(suite.bench.host.out_dir().join("harness/projects")).unwrap();
    suite.bench.hear("b", true);
    let pulled = suite.run(2, 2).await;
    assert_eq!(states(&pulled)[1], (4, HandledState::DoneAfresh));
    assert_eq!(posts(&pulled)[1], (Some(4), "two"));
}

/// As above; this one says so itself.
#[cfg(feature = "real-harnesses")]
#[tokio::test]
async fn nc1216_an_agent_that_has_lost_its_session_begins_afresh() {
    let suite = Suite::new("acp", [say("one"), say("two")]);
    suite.bench.hear("a", true);
    suite.run(1, 1).await;
    fs::remove_dir_all(suite.bench.host.out_dir().join("harness/codex/sessions")).unwrap();
    suite.bench.hear("b", true);
    let pulled = suite.run(2, 2).await;
    assert_eq!(states(&pulled)[1], (4, HandledState::DoneAfresh));
    assert_eq!(posts(&pulled)[1], (Some(4), "two"));
}

/// The commands of a turn that is stopped end with it, and the next turn knows nothing of them.
#[cfg(feature = "real-harnesses")]
#[tokio::test]
async fn a_harness_ends_its_commands_when_it_is_stopped() {
    let provider = "claude-code";
    let long = bash(provider, "echo $$ > pid; sleep 60 & wait; touch after");
    let suite = Suite::new(provider, [Act::Call(vec![long]), say("next")]);
    suite.bench.hear("one", true);
    let mut runner = suite.runner(1);
    let stop = CancellationToken::new();
    let pid = suite.bench.host.out_dir().join("pid");
    let host = async {
        while !pid.exists() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        suite.bench.command(Control::Stop);
        suite.bench.ended(2).await;
        suite.bench.hear("two", true);
        let pulled = suite.bench.ended(3).await;
        stop.cancel();
        pulled
    };
    let (ended, pulled) = tokio::join!(runner.run(&stop), host);
    assert_eq!(ended.unwrap(), Ended::Told);
    assert_eq!(posts(&pulled), [(Some(6), "next")]);
    let told = suite.conversation(1);
    assert!(
        !told.contains("one</message>") && !told.contains("touch after"),
        "{told}"
    );
    let pid = fs::read_to_string(&pid).unwrap();
    assert!(!std::path::Path::new("/proc").join(pid.trim()).exists());
}

/// A notice about a compaction once went nowhere, and the turn beside it ended too early.
#[tokio::test]
async fn defect_33_who_asks_for_compaction_is_told_what_came_of_it() {
    for &provider in OWN {
        let suite = Suite::new(provider, [say("one"), say("In short: one."), say("two")]);
        suite.bench.hear("a", true);
        suite.run(1, 1).await;
        suite.bench.command(Control::Compact);
        let pulled = suite.run(2, 2).await;
        let (to, told) = posts(&pulled)[1];
        assert_eq!(to, Some(4), "{provider}");
        assert!(told.starts_with("I made what I remember"), "{told}");
        suite.bench.hear("b", true);
        let pulled = suite.run(3, 3).await;
        assert_eq!(posts(&pulled)[2], (Some(6), "two"));
        assert!(suite.conversation(2).contains("In short: one."));
    }
}

#[tokio::test]
async fn an_agent_without_a_model_says_so() {
    for &provider in WITH_CODEX {
        let suite = Suite::new(provider, []);
        suite.bench.settings(provider.split(' ').next().unwrap());
        suite.bench.hear("a", true);
        let pulled = suite.run(1, 1).await;
        let why = "this agent has no model; its configuration has to name one".to_owned();
        assert_eq!(
            states(&pulled),
            [(2, HandledState::Failed(why))],
            "{provider}"
        );
    }
}

#[tokio::test]
async fn without_a_host_the_turn_waits_for_one() {
    for &provider in WITH_CODEX {
        let suite = Suite::new(provider, []);
        fs::remove_file(suite.bench.host.in_dir().join("way-out")).unwrap();
        suite.bench.hear("a", true);
        let pulled = suite.run(1, 1).await;
        assert_eq!(later(&pulled), (FailureClass::Transient, 1), "{provider}");
    }
}

#[tokio::test]
async fn options_of_the_model_reach_it() {
    for &provider in PROVIDERS {
        let suite = Suite::new(provider, []);
        suite.settings(ModelOptions {
            max_output_tokens: Some(1000),
            effort: Some("low".to_owned()),
            ..ModelOptions::default()
        });
        suite.bench.hear("a", true);
        suite.run(1, 1).await;
        let content = &suite.asked()[0].content;
        if provider == "claude-code" {
            assert_eq!(content["max_tokens"], 1000);
            assert_eq!(content["output_config"]["effort"], "low");
        } else if provider.ends_with("Responses") {
            assert_eq!(content["max_output_tokens"], 1000);
            assert_eq!(content["reasoning"]["effort"], "low");
        } else if provider == "anthropic" {
            assert_eq!(content["max_tokens"], 3048);
            assert_eq!(content["thinking"]["budget_tokens"], 2048);
        } else {
            assert_eq!(content["max_tokens"], 1000);
            assert_eq!(content["reasoning_effort"], "low");
        }
    }
}

#[tokio::test]
async fn two_conversations_in_one_turn_get_their_own_answers() {
    for &provider in WITH_CODEX {
        let reply = "<reply to=\"2\">for one</reply>\nfor two";
        let suite = Suite::new(provider, [say(reply), say("only for the newest")]);
        suite.bench.hear_in("c1", "one");
        suite.bench.hear_in("c2", "two");
        let pulled = suite.run(1, 2).await;
        let expect = [(Some(2), "for one"), (Some(4), "for two")];
        assert_eq!(posts(&pulled), expect, "{provider}");
        suite.bench.hear_in("c1", "three");
        suite.bench.hear_in("c2", "four");
        let pulled = suite.run(2, 4).await;
        let expect = [
            (Some(10), "only for the newest"),
            (Some(8), "(I have nothing to say to that.)"),
        ];
        assert_eq!(posts(&pulled)[2..], expect, "{provider}");
    }
}

#[tokio::test]
async fn what_can_not_be_addressed_is_told_once_and_the_person_still_gets_an_answer() {
    let wrong = "<reply to=\"nowhere\">hi</reply>\nI told them.";
    let right = "<scratch>hm</scratch>\n<reply to=\"ops\">hi</reply>\nI told them.";
    for provider in PROVIDERS {
        let suite = Suite::new(provider, [say(wrong), say(right)]);
        suite.bench.hear("tell ops", true);
        let pulled = suite.run(1, 1).await;
        let expect = [(Some(2), "hi"), (Some(2), "I told them.")];
        assert_eq!(posts(&pulled), expect, "{provider}");
        let to: Vec<_> = pulled.rows.iter().map(|row| row.to.as_deref()).collect();
        assert_eq!(to, [Some("ops"), None], "{provider}");
        let told = suite.conversation(1);
        assert!(told.contains("you have no destination “nowhere”"), "{told}");

        let suite = Suite::new(provider, [say(wrong), say(wrong)]);
        suite.bench.hear("tell ops", true);
        let pulled = suite.run(1, 1).await;
        let not_sent = "(I wanted to write to “nowhere” as well, but have no such destination.)";
        let expect = [(Some(2), not_sent), (Some(2), "I told them.")];
        assert_eq!(posts(&pulled), expect, "{provider}");
    }
}

/// The loop shows that it lives while a model thinks.
#[tokio::test]
async fn a_silent_model_is_declared() {
    let suite = Suite::new("anthropic", [Act::Held("x".to_owned())]);
    suite.bench.hear("a", true);
    let mut runner = suite.runner(1);
    let stop = CancellationToken::new();
    let host = async {
        suite.fake.until_asked(1).await;
        let generation = anchorhold_core::sandbox::Generation(1);
        let progress = suite.bench.host.progress(generation).unwrap().unwrap();
        suite.fake.release();
        suite.bench.ended(1).await;
        stop.cancel();
        progress.declared_ms
    };
    let (ended, declared_ms) = tokio::join!(runner.run(&stop), host);
    assert_eq!(ended.unwrap(), Ended::Told);
    assert!(
        declared_ms.is_some_and(|ms| ms > 300_000),
        "{declared_ms:?}"
    );
}
