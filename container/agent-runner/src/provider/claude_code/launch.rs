//! How the child is started: its arguments and its environment. Pure.

use camino::Utf8PathBuf;
use serde_json::json;

use crate::{
    mcp,
    provider::{Harness, Model, claude_code::Point, harness::KEY},
};

const COMMAND: &str = "claude";
/// How hard a model thinks, in words that the program knows; everything else is a number of tokens.
const EFFORTS: &[&str] = &["low", "medium", "high", "xhigh", "max"];
/// Tools that do something between turns, where nobody has asked for it, or that want a terminal.
const WITHOUT: &str = "AskUserQuestion,CronCreate,CronDelete,CronList,EnterPlanMode,EnterWorktree,\
                       ExitPlanMode,ExitWorktree,ScheduleWakeup,SendMessage";
/// Nothing is reported, updated or shown; nothing goes on in the background; what fails is told at
/// once, since the turn decides what follows.
const SWITCHES: &[(&str, &str)] = &[
    ("CLAUDE_CODE_DISABLE_AUTO_MEMORY", "1"),
    ("CLAUDE_CODE_DISABLE_BACKGROUND_TASKS", "1"),
    ("CLAUDE_CODE_DISABLE_CRON", "1"),
    ("CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS", "1"),
    ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
    ("CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK", "1"),
    // What was said is on disk before the turn ends: the next sandbox goes on from there.
    ("CLAUDE_CODE_EAGER_FLUSH", "1"),
    ("CLAUDE_CODE_MAX_RETRIES", "0"),
    ("DISABLE_AUTOUPDATER", "1"),
    ("DISABLE_ERROR_REPORTING", "1"),
    ("DISABLE_TELEMETRY", "1"),
    ("DISABLE_UPDATES", "1"),
    // It refuses to work without questions as root; the sandbox is what it asks for.
    ("IS_SANDBOX", "1"),
];
/// All names under which it asks for a model: the host lets through only the one.
const MODELS: &[&str] = &[
    "ANTHROPIC_DEFAULT_HAIKU_MODEL",
    "ANTHROPIC_DEFAULT_OPUS_MODEL",
    "ANTHROPIC_DEFAULT_SONNET_MODEL",
    "ANTHROPIC_MODEL",
    "ANTHROPIC_SMALL_FAST_MODEL",
    "CLAUDE_CODE_SUBAGENT_MODEL",
];

/// What a child is started with. One that differs needs another child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Launch {
    command: Vec<String>,
    model: String,
    effort: Option<String>,
    /// What is added to what it is told about itself.
    pub(super) system: String,
    environment: Vec<(String, String)>,
    /// The servers of tools, as the program reads them.
    servers: Option<String>,
    /// Where it keeps what it remembers.
    pub(super) home: Utf8PathBuf,
}

impl Launch {
    pub(super) fn of(harness: &Harness, model: &Model, port: u16, system: String) -> Self {
        let options = &model.options;
        let effort = options.effort.as_deref();
        let word = effort.filter(|effort| EFFORTS.contains(effort));
        let thinking = match effort {
            Some("none") => Some("0"),
            Some(number) if word.is_none() => Some(number),
            Some(_) | None => None,
        };
        let text = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let mut environment: Vec<_> = SWITCHES.iter().copied().map(text).collect();
        environment.extend(MODELS.iter().map(|name| text((name, &model.id))));
        environment.push(text(("ANTHROPIC_API_KEY", KEY)));
        let base_url = format!(
            "http://127.0.0.1:{port}{}",
            anchorhold_core::way_out::MODEL_PREFIX
        );
        environment.push(("ANTHROPIC_BASE_URL".to_owned(), base_url));
        environment.push(text(("CLAUDE_CONFIG_DIR", harness.home.as_str())));
        let numbers = [
            ("CLAUDE_CODE_MAX_OUTPUT_TOKENS", options.max_output_tokens),
            ("CLAUDE_CODE_AUTO_COMPACT_WINDOW", options.context_tokens),
        ];
        for (name, number) in numbers {
            environment.extend(number.map(|number| (name.to_owned(), number.to_string())));
        }
        environment.extend(thinking.map(|tokens| text(("MAX_THINKING_TOKENS", tokens))));
        let own = harness.environment.iter();
        environment.extend(own.map(|(name, value)| text((name, value))));
        let command = match harness.command.as_slice() {
            [] => vec![COMMAND.to_owned()],
            command => command.to_vec(),
        };
        let servers = harness.tools.split_first().map(|(program, arguments)| {
            let server = json!({ "command": program, "args": arguments });
            json!({ "mcpServers": { mcp::NAME: server } }).to_string()
        });
        Self {
            servers,
            command,
            model: model.id.clone(),
            effort: word.map(str::to_owned),
            system,
            environment,
            home: harness.home.clone(),
        }
    }

    /// The program and its arguments, to go on from `point`.
    pub(super) fn command(&self, point: Option<&Point>) -> Vec<String> {
        let mut command = self.command.clone();
        let fixed = [
            "-p",
            "--input-format=stream-json",
            "--output-format=stream-json",
            "--verbose",
            "--replay-user-messages",
            "--dangerously-skip-permissions",
            "--strict-mcp-config",
        ];
        command.extend(fixed.map(str::to_owned));
        command.push(format!("--disallowed-tools={WITHOUT}"));
        command.push(format!("--model={}", self.model));
        command.push(format!("--append-system-prompt={}", self.system));
        command.extend(self.effort.as_ref().map(|word| format!("--effort={word}")));
        command.extend(
            self.servers
                .as_ref()
                .map(|servers| format!("--mcp-config={servers}")),
        );
        if let Some(point) = point {
            command.push(format!("--resume={}", point.session));
            command.push(format!("--resume-session-at={}", point.at));
        }
        command
    }

    /// Its environment, beside that of every command.
    pub(super) fn environment(&self) -> &[(String, String)] {
        &self.environment
    }
}

#[cfg(test)]
mod tests;
