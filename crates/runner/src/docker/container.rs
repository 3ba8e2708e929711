//! Our spec in the engine's words, and the engine's answers in ours.

use std::collections::HashMap;

use anchorhold_core::{
    ids::{InstallId, SessionId},
    sandbox::{ExitStatus, Generation},
};
use bollard::models::{
    ContainerCreateBody, ContainerState, ContainerStateStatusEnum, ContainerSummary,
    ContainerSummaryStateEnum, HostConfig, HostConfigLogConfig, Mount as EngineMount,
    MountBindOptions, MountType, ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum,
};

use crate::{
    error::RuntimeError,
    runtime::{InstanceStatus, exit_status},
    spec::{
        Access, Capabilities, InstanceId, Limits, Mount, Network, Root, RootAccess, SandboxSpec,
    },
};

pub(super) const LABEL_INSTALL: &str = "anchorhold.install";
const LABEL_SESSION: &str = "anchorhold.session";
const LABEL_GENERATION: &str = "anchorhold.generation";
pub(super) const LABEL_LOG: &str = "anchorhold.log";

/// What the engine is asked to create for `spec`.
pub(super) fn body(spec: &SandboxSpec) -> Result<ContainerCreateBody, RuntimeError> {
    let Root::Image(image) = &spec.root else {
        return Err(RuntimeError::refused(
            "the docker runtime starts images only",
        ));
    };
    let Some((program, arguments)) = spec.command.split_first() else {
        return Err(RuntimeError::refused("the sandbox has no command"));
    };
    Ok(ContainerCreateBody {
        image: Some(image.clone()),
        // The image's own entry point is not part of the spec.
        entrypoint: Some(vec![program.clone()]),
        cmd: Some(arguments.to_vec()),
        env: Some(spec.env.iter().map(|(k, v)| format!("{k}={v}")).collect()),
        working_dir: Some(spec.workdir.to_string()),
        user: Some(format!("{}:{}", spec.user.uid, spec.user.gid)),
        hostname: Some("agent".to_owned()),
        labels: Some(labels(spec)),
        network_disabled: Some(spec.network == Network::None),
        attach_stdin: Some(false),
        tty: Some(false),
        host_config: Some(host_config(spec)),
        ..ContainerCreateBody::default()
    })
}

fn host_config(spec: &SandboxSpec) -> HostConfig {
    let Limits {
        memory_bytes,
        cpu_millis,
        pids,
        file_bytes,
        tmp_bytes,
    } = spec.limits;
    let memory = signed(memory_bytes);
    HostConfig {
        memory: Some(memory),
        // Equal to the memory: no swap on top.
        memory_swap: Some(memory),
        nano_cpus: Some(i64::from(cpu_millis) * 1_000_000),
        pids_limit: Some(i64::from(pids)),
        ulimits: Some(vec![ulimit("fsize", signed(file_bytes)), ulimit("core", 0)]),
        // An engine-side init reaps what the command leaves and passes signals on to it.
        init: Some(true),
        readonly_rootfs: Some(spec.root_access == RootAccess::ReadOnly),
        cap_drop: match spec.capabilities {
            Capabilities::None => Some(vec!["ALL".to_owned()]),
        },
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        privileged: Some(false),
        network_mode: match spec.network {
            Network::None => Some("none".to_owned()),
        },
        ipc_mode: Some("private".to_owned()),
        tmpfs: Some(HashMap::from([(
            "/tmp".to_owned(),
            // Its own user's, because the engine gives it the mode of the image's folder.
            format!(
                "rw,exec,nosuid,nodev,mode=1777,uid={},gid={},size={tmp_bytes}",
                spec.user.uid, spec.user.gid
            ),
        )])),
        mounts: Some(spec.mounts.iter().map(mount).collect()),
        // A sandbox that ended is the host's to restart, with a new generation.
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            maximum_retry_count: None,
        }),
        auto_remove: Some(false),
        log_config: Some(HostConfigLogConfig {
            typ: Some("json-file".to_owned()),
            config: Some(HashMap::from([
                ("max-size".to_owned(), "512k".to_owned()),
                ("max-file".to_owned(), "2".to_owned()),
            ])),
        }),
        ..HostConfig::default()
    }
}

/// A mount rather than a "bind": a source that is not there is an error, not a new root-owned folder.
fn mount(mount: &Mount) -> EngineMount {
    EngineMount {
        typ: Some(MountType::BIND),
        source: Some(mount.source.to_string()),
        target: Some(mount.target.to_string()),
        read_only: Some(mount.access == Access::ReadOnly),
        bind_options: Some(MountBindOptions {
            // What is mounted below the source would be writable even in a read-only mount.
            non_recursive: Some(true),
            ..MountBindOptions::default()
        }),
        ..EngineMount::default()
    }
}

fn labels(spec: &SandboxSpec) -> HashMap<String, String> {
    HashMap::from([
        (LABEL_INSTALL.to_owned(), spec.install.to_string()),
        (LABEL_SESSION.to_owned(), spec.session.to_string()),
        (LABEL_GENERATION.to_owned(), spec.generation.to_string()),
        (LABEL_LOG.to_owned(), spec.log.to_string()),
    ])
}

/// Which instance a container with these labels is; `None` if it is not one of ours.
pub(super) fn identity(labels: Option<&HashMap<String, String>>) -> Option<InstanceId> {
    let labels = labels?;
    Some(InstanceId {
        install: InstallId::parse(labels.get(LABEL_INSTALL)?).ok()?,
        session: SessionId::parse(labels.get(LABEL_SESSION)?).ok()?,
        generation: Generation(labels.get(LABEL_GENERATION)?.parse().ok()?),
    })
}

/// One line of the engine's list; `None` if it is not one of ours.
pub(super) fn status(found: &ContainerSummary) -> Option<InstanceStatus> {
    let id = identity(found.labels.as_ref())?;
    let over = matches!(
        found.state,
        Some(
            ContainerSummaryStateEnum::EXITED
                | ContainerSummaryStateEnum::DEAD
                | ContainerSummaryStateEnum::CREATED
        )
    );
    // A state that is missing or new to us is no proof of an end.
    Some(InstanceStatus::new(id, !over))
}

/// How a container that does not run any more ended.
pub(super) fn ended_as(state: &ContainerState) -> ExitStatus {
    // One that never started has exit code 0, which would be taken for an orderly end.
    if state.status == Some(ContainerStateStatusEnum::CREATED) {
        return ExitStatus::Unknown;
    }
    let code = state.exit_code.and_then(|code| i32::try_from(code).ok());
    exit_status(code, state.oom_killed == Some(true))
}

/// What to tell an operator whose image is missing.
pub(super) fn no_image(spec: &SandboxSpec) -> String {
    match &spec.root {
        Root::Image(image) => format!("no image {image}: make it with `cargo xtask image`"),
        Root::HostTools | Root::Directory(_) => "no image".to_owned(),
    }
}

fn ulimit(name: &str, value: i64) -> ResourcesUlimits {
    ResourcesUlimits {
        name: Some(name.to_owned()),
        soft: Some(value),
        hard: Some(value),
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
