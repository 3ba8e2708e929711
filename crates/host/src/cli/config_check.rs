//! `anchorhold config check`

use std::process::ExitCode;

use crate::{
    app::World,
    cli::Common,
    dirs::absolute,
    models::Given,
    output,
    settings::{self, Surroundings},
};

/// Reads and checks the file as a host would, and builds nothing that lasts.
pub fn run(common: &Common, world: &World) -> anyhow::Result<ExitCode> {
    let (config, _) = settings::read(&common.config)?;
    let around = Surroundings {
        data_dir: absolute(&common.data_dir)?,
        clock: std::sync::Arc::clone(&world.clock),
        entropy: std::sync::Arc::clone(&world.entropy),
        secrets: std::sync::Arc::clone(&world.secrets),
    };
    settings::build_channels(&config, &around)?;
    Given::read(&config, &world.secrets)?;
    if common.json {
        output::json(&serde_json::json!({
            "channels": config.channels.len(),
            "models": config.models.len(),
            "agents": config.agents.len(),
            "wirings": config.wirings.len(),
            "conversations": config.conversations.len(),
            "people": config.people.len(),
            "destinations": config.destinations.len(),
            "notes": config.notes,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    for note in &config.notes {
        output::note(&format!("note: {note}"));
    }
    output::data(&format!(
        "{}: {} channels, {} models, {} agents, {} wirings, {} conversations, {} people, \
         {} destinations, nothing wrong",
        common.config,
        config.channels.len(),
        config.models.len(),
        config.agents.len(),
        config.wirings.len(),
        config.conversations.len(),
        config.people.len(),
        config.destinations.len()
    ));
    Ok(ExitCode::SUCCESS)
}
