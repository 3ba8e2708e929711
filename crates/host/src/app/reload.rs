//! A changed configuration is taken over while the host runs, wholly or not at all.

use std::{collections::HashMap, fs, time::Duration};

use anchorhold_core::ids::ChannelName;
use camino::Utf8PathBuf;
use tracing::{error, info, warn};

use crate::{app::graph::Graph, registry::Instance, report::report, settings};

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// After so long a file that has changed is taken for whole, if it has not changed again.
const SETTLES_IN: Duration = Duration::from_secs(1);

/// The configuration file, and what was taken over of it.
pub(crate) struct Watched {
    path: Utf8PathBuf,
    /// What was last read, right or wrong: a wrong file is reported once.
    seen: Vec<u8>,
}

impl Watched {
    /// The file at `path`, of which `text` is in force.
    pub(crate) fn new(path: Utf8PathBuf, text: Vec<u8>) -> Self {
        Self { path, seen: text }
    }

    /// Waits until the file has other content than what was last read, and keeps it: one that is
    /// being written is not taken for a shorter configuration.
    pub(crate) async fn changed(&self) {
        let mut last: Option<Vec<u8>> = None;
        loop {
            let wait = if last.is_some() {
                SETTLES_IN
            } else {
                LOOK_EVERY
            };
            tokio::time::sleep(wait).await;
            // silent: a file that is being replaced is looked at again in a moment.
            let text = fs::read(&self.path).ok().filter(|text| *text != self.seen);
            if text.is_some() && text == last {
                return;
            }
            last = text;
        }
    }
}

/// Takes the file over. One that is wrong changes nothing, and all that is wrong is said.
pub(crate) async fn reload(graph: &Graph, file: &mut Watched) {
    if let Ok(text) = fs::read(&file.path) {
        file.seen = text;
    }
    let config = match settings::read(&file.path) {
        Ok((config, text)) => {
            file.seen = text;
            config
        }
        Err(failure) => return refuse(&failure),
    };
    let channels = match graph.build_channels(&config) {
        Ok(channels) => channels,
        Err(failure) => return refuse(&failure),
    };
    let models = match graph.read_models(&config) {
        Ok(models) => models,
        Err(failure) => return refuse(&failure),
    };
    let desired = settings::desired(&config, || graph.base.seed());
    match graph
        .base
        .store
        .reconcile_file(&desired, graph.base.now())
        .await
    {
        Ok(done) => info!(?done, "configuration taken over"),
        Err(failure) => {
            error!(error = %report(&failure), "configuration not taken over");
            return;
        }
    }
    graph.rules.replace(&config);
    graph.base.models.replace(models);
    for note in &config.notes {
        warn!("{note}");
    }
    if let Err(failure) = graph.relearn().await {
        error!(error = %report(&failure), "limits of sandboxes not taken over");
    }
    replace_channels(graph, channels);
}

fn refuse(failure: &settings::SettingsError) {
    for line in failure.to_string().lines() {
        error!("{line}");
    }
    error!("configuration not taken over, the earlier one stays in force");
}

/// Starts what is new, stops what is gone, restarts what is different.
fn replace_channels(graph: &Graph, channels: Vec<(ChannelName, Instance)>) {
    let mut wanted: HashMap<ChannelName, Instance> = channels.into_iter().collect();
    for (name, running) in graph.registry.all() {
        let same = wanted.get(&name).is_some_and(|instance| {
            instance.table == running.table && instance.unknown_senders == running.unknown_senders
        });
        if same {
            wanted.remove(&name);
            continue;
        }
        info!(channel = %name, "channel stops");
        running.shutdown.cancel();
        graph.registry.remove(&name);
    }
    for (name, instance) in wanted {
        info!(channel = %name, "channel starts");
        graph.start_channel(name, instance);
    }
}
