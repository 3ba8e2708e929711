//! What an engine says it can enforce.

use bollard::models::{SystemInfo, SystemInfoCgroupVersionEnum, SystemVersion};

use crate::runtime::{Enforcement, RuntimeInfo, RuntimeKind};

/// Every engine has these walls and none reports them; only a container could see them.
const NOT_PROBED: &str = "asked of the engine, not probed";

/// Puts the engine's answers together. What it does not say is not claimed.
pub(super) fn describe(api: &str, version: &SystemVersion, info: &SystemInfo) -> RuntimeInfo {
    let cgroup = match info.cgroup_version {
        Some(SystemInfoCgroupVersionEnum::_1) => "cgroup v1",
        Some(SystemInfoCgroupVersionEnum::_2) => "cgroup v2",
        Some(SystemInfoCgroupVersionEnum::EMPTY) | None => "cgroup",
    };
    let by = |supported: Option<bool>| match supported {
        Some(true) => cgroup,
        Some(false) | None => "none",
    };
    let swap = match info.swap_limit {
        Some(true) => "",
        Some(false) | None => ", swap not limited",
    };
    let memory = match by(info.memory_limit) {
        "none" => "none".to_owned(),
        means => format!("{means}{swap}"),
    };
    let security = |wanted: &str| {
        info.security_options
            .iter()
            .flatten()
            .find(|option| option.starts_with(&format!("name={wanted}")))
    };
    let seccomp = security("seccomp").map_or("none".to_owned(), |option| {
        let profile = option.split("profile=").nth(1).unwrap_or("default");
        format!("engine's profile {profile:?}")
    });
    let apparmor = security("apparmor").map_or("none", |_| "engine's profile");
    let user_namespace = match (security("userns"), security("rootless")) {
        (None, None) => "",
        _ => " user",
    };
    RuntimeInfo {
        kind: RuntimeKind::Docker,
        version: version
            .version
            .clone()
            .unwrap_or_else(|| "unknown".to_owned()),
        api: api.to_owned(),
        enforcement: vec![
            Enforcement::new("memory limit", memory),
            Enforcement::new("pids limit", by(info.pids_limit)),
            Enforcement::new("cpu limit", by(info.cpu_cfs_quota)),
            Enforcement::new("file size limit", "rlimit"),
            Enforcement::new("namespaces", format!("mnt pid ipc uts net{user_namespace}")),
            Enforcement::new("seccomp", seccomp),
            Enforcement::new("apparmor", apparmor),
            Enforcement::new("no-new-privileges", NOT_PROBED),
            Enforcement::new("capabilities", NOT_PROBED),
            Enforcement::new("read-only root", NOT_PROBED),
            Enforcement::new("network none", NOT_PROBED),
        ],
    }
}

#[cfg(test)]
mod tests;
