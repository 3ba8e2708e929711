//! A homeserver: Synapse, on a port of its own, with its files in a folder of its own. It ends with the
//! last test that uses it, or with the process.

use std::{
    fs::{self, File},
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc, LazyLock, Weak,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use anchorhold_channel::conformance::Failure;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{sync::Mutex, time};

/// What the server is called in ids.
pub(crate) const SERVER: &str = "mx.test";
pub(crate) const PASSWORD: &str = "not-a-secret-of-anybody";
const START_LIMIT: Duration = Duration::from_mins(1);

/// Ends with what starts it: its input is a pipe, which closes when this process is gone.
const PROGRAM: &str = "
import os, sys, threading
def wait():
    sys.stdin.buffer.read()
    os._exit(0)
threading.Thread(target=wait, daemon=True).start()
from synapse.app.homeserver import main
sys.argv = ['synapse', '-c', sys.argv[1]]
main()
";

static SHARED: LazyLock<Mutex<Weak<Synapse>>> = LazyLock::new(Mutex::default);

#[derive(Debug)]
pub(crate) struct Synapse {
    child: Child,
    dir: TempDir,
    pub(crate) base: String,
    people: AtomicU32,
    http: reqwest::Client,
}

impl Drop for Synapse {
    fn drop(&mut self) {
        // silent: it may have ended by itself
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A new account, and a login of it.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) user: String,
    pub(crate) device: String,
    pub(crate) token: String,
}

/// Where `cargo xtask synapse` puts it: beside the builds.
fn python() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().nth(3).unwrap();
    target.join("xtask/synapse/bin/python")
}

impl Synapse {
    /// The server of this process.
    pub(crate) async fn shared() -> Result<Arc<Self>, Failure> {
        let mut shared = SHARED.lock().await;
        if let Some(running) = shared.upgrade() {
            return Ok(running);
        }
        let started = Arc::new(Self::start().await?);
        *shared = Arc::downgrade(&started);
        Ok(started)
    }

    async fn start() -> Result<Self, Failure> {
        let python = python();
        if !python.exists() {
            let what = format!("{} is missing: run `cargo xtask synapse`", python.display());
            return Err(Failure::new(what));
        }
        // In memory where there is such a place: it writes through at each event.
        let memory = PathBuf::from("/dev/shm");
        let mut builder = tempfile::Builder::new();
        let builder = builder.prefix("ah-synapse-");
        let dir = if memory.is_dir() {
            builder.tempdir_in(memory).unwrap()
        } else {
            builder.tempdir().unwrap()
        };
        let port = free_port();
        let config = dir.path().join("homeserver.yaml");
        fs::write(&config, configuration(&dir, port)).unwrap();
        let key = "ed25519 a_test AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n";
        fs::write(dir.path().join("signing.key"), key).unwrap();
        let log = File::create(dir.path().join("log")).unwrap();
        let child = Command::new(python)
            .args(["-c", PROGRAM])
            .arg(&config)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let synapse = Self {
            child,
            dir,
            base: format!("http://127.0.0.1:{port}"),
            people: AtomicU32::new(0),
            // Each test has a runtime of its own, with which its connections end.
            http: reqwest::Client::builder()
                .no_proxy()
                .pool_max_idle_per_host(0)
                .build()
                .unwrap(),
        };
        synapse.ready().await?;
        Ok(synapse)
    }

    async fn ready(&self) -> Result<(), Failure> {
        let url = format!("{}/_matrix/client/versions", self.base);
        let look = async {
            while self.http.get(&url).send().await.is_err() {
                time::sleep(Duration::from_millis(50)).await;
            }
        };
        if time::timeout(START_LIMIT, look).await.is_err() {
            let log = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            return Err(Failure::new(format!("Synapse does not start: {log}")));
        }
        Ok(())
    }

    /// A number that no other test has: people are named with it.
    pub(crate) fn number(&self) -> u32 {
        self.people.fetch_add(1, Ordering::Relaxed)
    }

    /// Makes an account.
    pub(crate) async fn register(&self, name: &str) -> Account {
        let body = json!({
            "username": name,
            "password": PASSWORD,
            "auth": { "type": "m.login.dummy" },
        });
        self.account("register", body).await
    }

    /// Another login of an account.
    pub(crate) async fn log_in(&self, user: &str) -> Account {
        let body = json!({
            "type": "m.login.password",
            "identifier": { "type": "m.id.user", "user": user },
            "password": PASSWORD,
        });
        self.account("login", body).await
    }

    async fn account(&self, path: &str, body: Value) -> Account {
        let made = self.call("POST", path, None, body).await;
        let text = |key: &str| {
            made[key]
                .as_str()
                .unwrap_or_else(|| panic!("{made}"))
                .to_owned()
        };
        Account {
            user: text("user_id"),
            device: text("device_id"),
            token: text("access_token"),
        }
    }

    /// One call; gives its answer, whatever it is.
    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Value,
    ) -> Value {
        let url = format!("{}/_matrix/client/v3/{path}", self.base);
        let mut request = self.http.request(method.parse().unwrap(), url);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if method != "GET" {
            request = request.json(&body);
        }
        request.send().await.unwrap().json().await.unwrap()
    }
}

/// A port that nobody uses; it is let go for the server.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn configuration(dir: &TempDir, port: u16) -> String {
    let dir = dir.path().display();
    let limit = "{ per_second: 10000, burst_count: 10000 }";
    format!(
        "server_name: \"{SERVER}\"
pid_file: {dir}/pid
signing_key_path: {dir}/signing.key
media_store_path: {dir}/media
report_stats: false
macaroon_secret_key: test
form_secret: test
enable_registration: true
enable_registration_without_verification: true
suppress_key_server_warning: true
trusted_key_servers: []
bcrypt_rounds: 4
presence: {{ enabled: false }}
listeners:
  - port: {port}
    type: http
    bind_addresses: [\"127.0.0.1\"]
    resources: [{{ names: [client] }}]
database:
  name: sqlite3
  args: {{ database: {dir}/homeserver.db }}
rc_message: {limit}
rc_registration: {limit}
rc_login: {{ address: {limit}, account: {limit}, failed_attempts: {limit} }}
rc_joins: {{ local: {limit}, remote: {limit} }}
rc_invites: {{ per_room: {limit}, per_user: {limit}, per_issuer: {limit} }}
rc_room_creation: {limit}
rc_joins_per_room: {limit}
rc_key_requests: {limit}
rc_media_create: {limit}
"
    )
}
