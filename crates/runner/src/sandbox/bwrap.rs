//! The spec as arguments of bubblewrap.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};

use crate::spec::{Access, Capabilities, Network, Root, RootAccess, SandboxSpec};

/// Descriptors that the wrapper opens, by number, before bubblewrap runs.
///
/// A plain POSIX shell can name only 0 to 9.
pub(super) const FD_STATUS: &str = "3";
pub(super) const FD_ARGS: &str = "4";
const FD_SECCOMP: &str = "5";

/// The files of the sandbox's own `/etc`: name, descriptor, content.
pub(super) const ETC: [(&str, &str, &str); 4] = [
    (
        "passwd",
        "6",
        "root:x:0:0:root:/nonexistent:/usr/sbin/nologin\n\
         agent:x:1000:1000:agent:/workspace:/bin/sh\n\
         nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    ),
    ("group", "7", "root:x:0:\nagent:x:1000:\nnogroup:x:65534:\n"),
    (
        "hosts",
        "8",
        "127.0.0.1 localhost agent\n::1 localhost agent\n",
    ),
    (
        "nsswitch.conf",
        "9",
        "passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n",
    ),
];

/// What of the host's `/etc` programs need and what tells nothing about the host.
const HOST_ETC: [&str; 9] = [
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/pki/tls/certs",
    "/etc/pki/ca-trust/extracted",
    "/etc/alternatives",
    "/etc/localtime",
];

/// The folders beside `/usr` that hold programs; links into `/usr` on most systems.
const BESIDE_USR: [&str; 6] = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/// The name of the variable that says which sandbox this is; also how one is found among processes.
pub(super) const MARK: &str = "ANCHORHOLD_SANDBOX";

/// Shared memory inside; it counts against the memory limit too.
const SHM_BYTES: u64 = 16 * 1024 * 1024;

/// Where a folder of programs beside `/usr` comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Beside {
    /// It is a link with this target.
    Link(String),
    /// It is a folder of its own.
    Folder,
}

/// Looks up how the host lays out its program folders.
pub(super) fn host_layout() -> Vec<(String, Beside)> {
    let mut layout = Vec::new();
    for name in BESIDE_USR {
        let path = Utf8Path::new("/").join(name);
        match fs::read_link(&path) {
            Ok(target) => {
                let target = target.to_string_lossy().into_owned();
                layout.push((name.to_owned(), Beside::Link(target)));
            }
            Err(_not_a_link) if path.is_dir() => layout.push((name.to_owned(), Beside::Folder)),
            Err(_absent) => {}
        }
    }
    layout
}

/// The arguments that are visible in the host's process list: the name, and the command.
pub(super) fn visible(name: &str, command: &[String]) -> Vec<String> {
    let mut args: Vec<String> = [
        "--json-status-fd",
        FD_STATUS,
        "--clearenv",
        "--setenv",
        MARK,
        name,
        "--args",
        FD_ARGS,
        "--",
    ]
    .map(str::to_owned)
    .into();
    args.extend_from_slice(command);
    args
}

/// The arguments that go through a file: they may be long, and the environment is nobody's business.
pub(super) fn hidden(
    spec: &SandboxSpec,
    layout: &[(String, Beside)],
    seccomp: bool,
) -> Vec<String> {
    let mut args = Args::default();
    args.add(["--unshare-user", "--unshare-pid", "--unshare-ipc"]);
    args.add(["--unshare-uts", "--unshare-cgroup-try"]);
    match spec.network {
        Network::None => args.add(["--unshare-net"]),
    }
    match spec.capabilities {
        Capabilities::None => args.add(["--cap-drop", "ALL"]),
    }
    // Without it a process inside could get capabilities back in a namespace of its own.
    args.add(["--disable-userns"]);
    // Away from the host's terminal, so that nothing can be typed into it.
    args.add(["--new-session"]);
    args.add(["--hostname", "agent", "--uid", "1000", "--gid", "1000"]);
    for (name, value) in &spec.env {
        args.add(["--setenv", name, value]);
    }
    match &spec.root {
        Root::HostTools => host_tools(&mut args, layout),
        Root::Directory(path) => args.add(["--ro-bind", path.as_str(), "/"]),
        // Refused before it comes to this.
        Root::Image(_) => {}
    }
    args.add(["--proc", "/proc", "--dev", "/dev"]);
    // The writable file system that bubblewrap makes for /dev has no size limit of its own.
    args.add(["--size", &SHM_BYTES.to_string()]);
    args.add([
        "--perms",
        "1777",
        "--tmpfs",
        "/dev/shm",
        "--remount-ro",
        "/dev",
    ]);
    args.add(["--size", &spec.limits.tmp_bytes.to_string()]);
    args.add(["--perms", "1777", "--tmpfs", "/tmp"]);
    for mount in &spec.mounts {
        let option = match mount.access {
            Access::ReadOnly => "--ro-bind",
            Access::ReadWrite => "--bind",
        };
        args.add([option, mount.source.as_str(), mount.target.as_str()]);
    }
    match spec.root_access {
        RootAccess::ReadOnly => args.add(["--remount-ro", "/"]),
    }
    args.add(["--chdir", spec.workdir.as_str()]);
    if seccomp {
        args.add(["--seccomp", FD_SECCOMP]);
    }
    args.0
}

/// The host's programs and nothing else of it: no /home, no /var, no /usr/local, an /etc of its own.
fn host_tools(args: &mut Args, layout: &[(String, Beside)]) {
    args.add(["--ro-bind", "/usr", "/usr"]);
    args.add(["--size", "4096", "--tmpfs", "/usr/local"]);
    args.add(["--remount-ro", "/usr/local"]);
    for (name, beside) in layout {
        let path = Utf8PathBuf::from("/").join(name);
        match beside {
            Beside::Link(target) => args.add(["--symlink", target, path.as_str()]),
            Beside::Folder => args.add(["--ro-bind", path.as_str(), path.as_str()]),
        }
    }
    args.add(["--perms", "0755", "--dir", "/etc"]);
    for (name, descriptor, _) in ETC {
        let path = Utf8Path::new("/etc").join(name);
        args.add(["--perms", "0444", "--file", descriptor, path.as_str()]);
    }
    for path in HOST_ETC {
        args.add(["--ro-bind-try", path, path]);
    }
}

#[derive(Default)]
struct Args(Vec<String>);

impl Args {
    fn add<const N: usize>(&mut self, more: [&str; N]) {
        self.0.extend(more.map(str::to_owned));
    }
}

#[cfg(test)]
mod tests;
