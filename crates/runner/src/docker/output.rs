//! The output of a container, saved before the container goes.

use std::{io::Write as _, time::Duration};

use bollard::{Docker, models::ContainerInspectResponse, query_parameters::LogsOptions};
use camino::Utf8PathBuf;
use futures_util::StreamExt as _;

use super::container::LABEL_LOG;
use crate::{error::chain, log, spec::InstanceId};

/// How long the engine may take to hand out a log that it bounds to 1 MB.
const LIMIT: Duration = Duration::from_secs(10);

/// Appends the last part of the container's output to the file that its label names.
///
/// Never fails: a log that can't be saved must not keep a finished sandbox from being reported.
pub(super) async fn save(docker: &Docker, id: &InstanceId, found: &ContainerInspectResponse) {
    let path = found
        .config
        .as_ref()
        .and_then(|config| config.labels.as_ref())
        .and_then(|labels| labels.get(LABEL_LOG))
        .map(Utf8PathBuf::from);
    let Some(path) = path else {
        return;
    };
    let tail = match tokio::time::timeout(LIMIT, read_tail(docker, &id.to_string())).await {
        Ok(Ok(tail)) => tail,
        Ok(Err(error)) => {
            tracing::warn!(sandbox = %id, error = %chain(&error), "output of a sandbox was not read");
            return;
        }
        Err(_elapsed) => {
            tracing::warn!(sandbox = %id, "output of a sandbox was not read in time");
            return;
        }
    };
    let write = || {
        log::open_append(&path)?.write_all(&tail)?;
        log::keep_tail(&path)
    };
    if let Err(error) = write() {
        tracing::warn!(sandbox = %id, %path, %error, "output of a sandbox was not saved");
    }
}

async fn read_tail(docker: &Docker, name: &str) -> Result<Vec<u8>, bollard::errors::Error> {
    let kept = usize::try_from(log::KEPT_BYTES).unwrap_or(usize::MAX);
    let options = LogsOptions {
        follow: false,
        stdout: true,
        stderr: true,
        tail: "all".to_owned(),
        ..LogsOptions::default()
    };
    let mut stream = std::pin::pin!(docker.logs(name, Some(options)));
    let mut tail = Vec::new();
    while let Some(chunk) = stream.next().await {
        tail.extend_from_slice(chunk?.as_ref());
        // Cut only now and then, so that a long log is not moved once per line.
        if tail.len() > 2 * kept {
            tail.drain(..tail.len() - kept);
        }
    }
    tail.drain(..tail.len().saturating_sub(kept));
    Ok(tail)
}
