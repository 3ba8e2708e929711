//! The commands of the catalog: `anchorhold groups`, `wirings`, `users` and so on.

use std::process::ExitCode;

use anchorhold_admin::{
    render::{self, Output, Style},
    request::{Reply, Request},
};

use crate::{
    cli::Common,
    control::{self, AskError},
    output,
};

/// Asks the running host, and prints what it replies.
pub async fn run(common: &Common, request: Request) -> anyhow::Result<ExitCode> {
    let reply = ask(common, request).await?;
    Ok(print(&render::output(&reply, style(common))))
}

/// The reply of the running host.
pub(super) async fn ask(common: &Common, request: Request) -> Result<Reply, AskError> {
    let path = common.data_dir.join("control.sock");
    control::call(&path, &control::Request::Admin { request }).await
}

/// For whom is printed.
pub(super) fn style(common: &Common) -> Style {
    if common.json {
        Style::Json
    } else {
        Style::Text
    }
}

/// Prints what a command prints; its exit status.
pub(super) fn print(shown: &Output) -> ExitCode {
    if !shown.stdout.is_empty() {
        output::data(shown.stdout.trim_end_matches('\n'));
    }
    if !shown.stderr.is_empty() {
        output::note(shown.stderr.trim_end_matches('\n'));
    }
    ExitCode::from(shown.code)
}
