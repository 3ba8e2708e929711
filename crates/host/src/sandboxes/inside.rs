//! What one sandbox is made of.

use anchorhold_core::{
    entity::AgentGroup,
    ids::SessionId,
    sandbox::{BIN_DIR, Generation, IN_DIR, OUT_DIR, WORKSPACE_DIR},
};
use anchorhold_runner::{
    runtime::RuntimeKind,
    spec::{Access, Capabilities, Limits, Mount, Network, Root, RootAccess, SandboxSpec},
};
use camino::Utf8Path;

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
        SandboxSpec {
            install: self.fixed.install,
            session,
            generation,
            root: match runtime {
                RuntimeKind::Docker => Root::Image(self.fixed.image.clone()),
                RuntimeKind::Sandbox => Root::HostTools,
            },
            command: vec![
                format!("{BIN_DIR}/agent-runner"),
                "--generation".to_owned(),
                generation.to_string(),
            ],
            env: environment(),
            workdir: WORKSPACE_DIR.into(),
            mounts: vec![
                mount(files.in_dir(), IN_DIR, Access::ReadOnly),
                mount(files.out_dir(), OUT_DIR, Access::ReadWrite),
                mount(workspace, WORKSPACE_DIR, Access::ReadWrite),
                mount(&self.fixed.runner_dir, BIN_DIR, Access::ReadOnly),
            ],
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
