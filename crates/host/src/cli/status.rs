//! `anchorhold status`

use std::process::ExitCode;

use crate::{
    cli::{Common, NoHost},
    control::{Request, Status, ask},
    output,
};

/// Asks the running host.
pub async fn run(common: &Common) -> anyhow::Result<ExitCode> {
    let path = common.data_dir.join("control.sock");
    let status = ask(&path, Request::Status).await.ok_or(NoHost { path })?;
    if common.json {
        output::json(&status)?;
    } else {
        output::data(&describe(&status));
    }
    Ok(ExitCode::SUCCESS)
}

fn describe(status: &Status) -> String {
    let mut lines = vec![format!(
        "anchorhold {} runs (pid {}) on {} since {}",
        status.version, status.pid, status.data_dir, status.started_at
    )];
    for runtime in &status.runtimes {
        lines.push(match (runtime.up, &runtime.detail) {
            (true, _) => format!("runtime {}: answers", runtime.kind),
            (false, Some(detail)) => format!("runtime {}: DOES NOT ANSWER: {detail}", runtime.kind),
            (false, None) => format!("runtime {}: DOES NOT ANSWER", runtime.kind),
        });
    }
    for channel in &status.channels {
        let when = |at: Option<jiff::Timestamp>| at.map_or("never".to_owned(), |at| at.to_string());
        lines.push(format!(
            "channel {}: {}; last in {}, last out {}; came back {} times, started anew {} times",
            channel.name,
            channel.connection,
            when(channel.last_inbound),
            when(channel.last_outbound),
            channel.reconnects,
            channel.restarts
        ));
    }
    lines.push(format!(
        "sandboxes: {} run, {} wait",
        status.sandboxes.len(),
        status.waiting
    ));
    for sandbox in &status.sandboxes {
        let stopping = if sandbox.stopping { ", stopping" } else { "" };
        lines.push(format!(
            "  {} generation {} ({}{stopping})",
            sandbox.session, sandbox.generation, sandbox.runtime
        ));
    }
    let work = &status.work;
    lines.push(format!(
        "messages: {} wait, {} given up; deliveries: {} on their way ({} wait for their reader), \
         {} given up, {} unknown",
        work.messages_pending,
        work.messages_failed,
        work.deliveries_pending,
        work.deliveries_parked,
        work.deliveries_dead,
        work.deliveries_unknown
    ));
    lines.push(format!(
        "sessions: {}, {} with a fault",
        work.sessions, work.sessions_faulted
    ));
    lines.join("\n")
}
