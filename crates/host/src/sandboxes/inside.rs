//! What one sandbox is made of.

use anchorhold_core::{
    entity::AgentGroup,
    ids::SessionId,
    sandbox::{BIN_DIR, Generation, HARNESS_DIR, IN_DIR, OUT_DIR, WORKSPACE_DIR},
};
use anchorhold_runner::{
    runtime::RuntimeKind,
    spec::{Access, Capabilities, Limits, Mount, Network, Root, RootAccess, SandboxSpec},
};
use camino::Utf8Path;
use serde_json::json;

use crate::sandboxes::{Sandboxes, surroundings::environment};

/// The private `/tmp` of a sandbox.
const TMP_BYTES: u64 = 256 * 1024 * 1024;

impl Sandboxes {
    pub(super) fn spec(
        &self,
        session: SessionId,
        generation: Generation,
        group: &AgentGroup,
        (runtime, workspace): (RuntimeKind, &Utf8Path),
    ) -> SandboxSpec {
        let files = self.base.files(session);
        let mount = |source: &Utf8Path, target: &str, access| Mount {
            source: source.to_owned(),
            target: target.into(),
            access,
        };
        let mut command = vec![
            format!("{BIN_DIR}/agent-runner"),
            "--generation".to_owned(),
            generation.to_string(),
        ];
        let mut mounts = vec![
            mount(files.in_dir(), IN_DIR, Access::ReadOnly),
            mount(files.out_dir(), OUT_DIR, Access::ReadWrite),
            mount(workspace, WORKSPACE_DIR, Access::ReadWrite),
            mount(&self.fixed.runner_dir, BIN_DIR, Access::ReadOnly),
        ];
        let harness = self.base.models.harness(group);
        if let Some(harness) = &harness {
            let folder = harness.folder.as_deref();
            mounts.extend(folder.map(|folder| mount(folder, HARNESS_DIR, Access::ReadOnly)));
            let told = json!({ "command": harness.command, "environment": harness.environment });
            command.extend(["--harness".to_owned(), told.to_string()]);
        }
        SandboxSpec {
            install: self.fixed.install,
            session,
            generation,
            root: match runtime {
                RuntimeKind::Docker => Root::Image(self.fixed.image.clone()),
                RuntimeKind::Sandbox => Root::HostTools,
            },
            command,
            env: environment(harness.is_some()),
            workdir: WORKSPACE_DIR.into(),
            mounts,
            user: self.fixed.user,
            limits: Limits {
                memory_bytes: group.limits.memory_bytes,
                cpu_millis: group.limits.cpu_millis,
                pids: group.limits.pids,
                file_bytes: group.limits.file_bytes,
                tmp_bytes: TMP_BYTES,
            },
            capabilities: Capabilities::None,
            root_access: RootAccess::ReadOnly,
            network: Network::None,
            log: self.base.dirs.session_log(session),
        }
    }
}
