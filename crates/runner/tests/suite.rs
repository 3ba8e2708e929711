//! What every real runtime must do, run against each of them.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    sync::Arc,
    time::Duration,
};

use anchorhold_core::{
    ids::{InstallId, SessionId},
    sandbox::{ExitStatus, Generation},
};
use anchorhold_runner::{
    runtime::Runtime,
    spec::{
        Access, Capabilities, InstanceId, Limits, Mount, Network, Root, RootAccess, SandboxSpec,
        SandboxUser,
    },
};
use camino::Utf8PathBuf;
use jiff::Timestamp;

pub(crate) mod ends;
pub(crate) mod limits;
pub(crate) mod root;
pub(crate) mod sharing;
pub(crate) mod walls;

pub(crate) const MIB: u64 = 1024 * 1024;
/// How long a test waits for something that must happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// One runtime, set up for one test.
pub(crate) struct Bench {
    /// Another value over the same engine or state, as the next host would make it.
    pub(crate) fresh: Box<dyn Fn() -> Arc<dyn Runtime> + Send + Sync>,
    pub(crate) root: Root,
    pub(crate) dir: tempfile::TempDir,
    pub(crate) install: InstallId,
}

/// A fresh install id for each test.
pub(crate) fn install() -> InstallId {
    InstallId::mint(Timestamp::UNIX_EPOCH, random())
}

fn session() -> SessionId {
    SessionId::mint(Timestamp::UNIX_EPOCH, random())
}

/// Ten bytes that no other test has: from the kernel, because tests run in many processes.
fn random() -> [u8; 10] {
    let mut bytes = [0; 10];
    let mut source = fs::File::open("/dev/urandom").unwrap();
    std::io::Read::read_exact(&mut source, &mut bytes).unwrap();
    bytes
}

/// A directory that any user may pass through.
pub(crate) fn temp_dir() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

/// Who the sandboxes write as: somebody else where the tests are root, else ourselves.
pub(crate) fn user() -> SandboxUser {
    let (uid, gid) = (rustix::process::getuid(), rustix::process::getgid());
    if uid.is_root() {
        return SandboxUser {
            uid: 12345,
            gid: 12346,
        };
    }
    SandboxUser {
        uid: uid.as_raw(),
        gid: gid.as_raw(),
    }
}

impl Bench {
    pub(crate) fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8PathBuf::from_path_buf(self.dir.path().join(name)).unwrap()
    }

    /// A sandbox that runs `script`, with an `in/` and an `out/` of its own.
    pub(crate) fn spec(&self, script: &str) -> SandboxSpec {
        let session = session();
        let base = self.path(&session.to_string());
        let user = user();
        for part in ["in", "out"] {
            fs::create_dir_all(base.join(part)).unwrap();
        }
        fs::write(base.join("in/hello"), "hello\n").unwrap();
        if rustix::process::getuid().is_root() {
            chown(base.join("out"), Some(user.uid), Some(user.gid)).unwrap();
        }
        let mount = |part: &str, access| Mount {
            source: base.join(part),
            target: Utf8PathBuf::from("/anchorhold").join(part),
            access,
        };
        SandboxSpec {
            install: self.install,
            session,
            generation: Generation(1),
            root: self.root.clone(),
            command: ["/bin/sh", "-c", script].map(str::to_owned).into(),
            env: vec![
                ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
                ("OUT".to_owned(), "/anchorhold/out".to_owned()),
            ],
            workdir: "/anchorhold/out".into(),
            mounts: vec![
                mount("in", Access::ReadOnly),
                mount("out", Access::ReadWrite),
            ],
            user,
            limits: Limits {
                memory_bytes: 128 * MIB,
                cpu_millis: 1000,
                pids: 64,
                file_bytes: 16 * MIB,
                tmp_bytes: 8 * MIB,
            },
            capabilities: Capabilities::None,
            root_access: RootAccess::ReadOnly,
            network: Network::None,
            log: base.join("log"),
        }
    }

    /// By what means the runtime says that the wall `what` stands here.
    pub(crate) async fn enforced(&self, what: &str) -> String {
        let info = (self.fresh)().ping().await.unwrap();
        let found = info.enforcement.into_iter().find(|line| line.what == what);
        found.expect("each runtime tells about each wall").how
    }

    /// Runs `spec` to its end.
    pub(crate) async fn run(&self, spec: &SandboxSpec) -> ExitStatus {
        let runtime = (self.fresh)();
        let id = runtime.start(spec).await.unwrap();
        finish(runtime.as_ref(), &id).await
    }

    /// Runs `script` to its end; gives what it wrote to `report` in `out/`.
    pub(crate) async fn report(&self, script: &str) -> String {
        let spec = self.spec(&format!("{{ {script}\n}} >report"));
        let status = self.run(&spec).await;
        assert_eq!(status, ExitStatus::Code(0), "log: {}", log(&spec));
        output(&spec, "report")
    }
}

/// Waits for the end of `id`, and checks whose end it is.
pub(crate) async fn finish(runtime: &dyn Runtime, id: &InstanceId) -> ExitStatus {
    let exited = tokio::time::timeout(PATIENCE, runtime.wait(id))
        .await
        .expect("the sandbox ends")
        .unwrap();
    assert_eq!(
        (exited.session(), exited.generation()),
        (id.session, id.generation)
    );
    exited.status()
}

/// What the sandbox wrote to the file `name` in `out/`; empty if it is not there.
pub(crate) fn output(spec: &SandboxSpec, name: &str) -> String {
    let out = &spec.mounts.last().unwrap().source;
    fs::read_to_string(out.join(name)).unwrap_or_default()
}

pub(crate) fn log(spec: &SandboxSpec) -> String {
    fs::read_to_string(&spec.log).unwrap_or_default()
}

/// Waits until `holds`.
pub(crate) async fn until(what: &str, holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect(what);
}

/// The processes of this host that have `argument` in their command line.
pub(crate) fn processes_with(argument: &str) -> Vec<i32> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0)
            .any(|part| part == argument.as_bytes())
    })
    .collect()
}

/// A time to sleep that no other test sleeps: to find a sandbox's process among the host's.
pub(crate) fn long_sleep() -> String {
    let bytes = random();
    format!("9{:05}", u32::from(bytes[0]) * 256 + u32::from(bytes[1]))
}

/// Makes one test of the calling file for each function of the suite.
#[macro_export]
macro_rules! suite {
    ($bench:expr => $($module:ident::{$($name:ident),* $(,)?}),* $(,)?) => {$($(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            suite::$module::$name($bench.await).await;
        }
    )*)*};
}
