//! `anchorhold send TEXT`

use std::process::ExitCode;

use anchorhold_channel_cli::wire::{AcceptedStatus, ServerLine};
use anyhow::{Context, bail};
use clap::Args;

use crate::{
    app::World,
    cli::{
        Common,
        chat::{Where, answer, connect, linger, show},
    },
};

/// One message.
#[derive(Debug, Args)]
pub struct Send {
    /// What to say
    text: String,
    /// Wait for the answer, print it, and fail if there is none
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    place: Where,
}

/// Sends it, and returns once the host has it on disk; with `--wait`, once it is answered.
pub async fn run(common: &Common, send: &Send, world: &World) -> anyhow::Result<ExitCode> {
    let mut client = connect(common, &send.place, world).await?;
    if send.wait {
        let answered = answer(common, &mut client, &send.text).await?;
        linger(common, &mut client).await?;
        client.close().await?;
        return Ok(if answered {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        });
    }
    let said = client.say(&send.text, Vec::new()).await?;
    loop {
        let line = client
            .next()
            .await?
            .context("the host went away before it had the message")?;
        if let ServerLine::Error { what, .. } = &line {
            bail!("not taken: {what}");
        }
        if let ServerLine::Accepted { id, status, reason } = &line
            && *id == said
        {
            if *status == AcceptedStatus::Declined {
                bail!(
                    "not taken: {}",
                    reason.as_deref().unwrap_or("no reason given")
                );
            }
            return Ok(ExitCode::SUCCESS);
        }
        show(common, &line)?;
    }
}
