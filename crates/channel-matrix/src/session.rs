//! Logging in, and what of it lasts: a device that was logged in once stays the same device, with its
//! keys in a file of its own.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    sync::Arc,
};

use anchorhold_channel::{ChannelError, LimitScope, Secret};
use anchorhold_channel_kit::http::{Http, harmless};
use anchorhold_core::clock::{Clock, Entropy};
use camino::{Utf8Path, Utf8PathBuf};
use matrix_sdk::{
    Client, SessionMeta, SessionTokens,
    authentication::matrix::MatrixSession,
    config::{RequestConfig, StoreConfig},
    encryption::{BackupDownloadStrategy, EncryptionSettings},
    ruma::UserId,
};
use matrix_sdk_common::cross_process_lock::CrossProcessLockConfig;
use matrix_sdk_crypto::store::CryptoStoreError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    blocking,
    config::{Login, Settings},
    failure::{self, refused, transient},
    keys::{FileError, Keys},
};

/// What people see in the list of the account's devices.
const DEVICE_NAME: &str = "Anchorhold";
const LOGIN: &str = "logging in";

/// Who is logged in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Who {
    pub(crate) user_id: String,
    pub(crate) device_id: String,
}

/// What is written down of a login.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    /// The account as the configuration has it.
    user: String,
    /// Chosen before the first try, so that a login that is tried again is the same device.
    device_id: String,
    /// There once the login was answered.
    #[serde(default)]
    access_token: Option<String>,
}

/// What logging in needs.
pub(crate) struct Door<'a> {
    pub(crate) http: &'a Http,
    pub(crate) settings: &'a Settings,
    pub(crate) folder: &'a Utf8Path,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) entropy: &'a dyn Entropy,
}

impl Door<'_> {
    /// Proves that the login works and says whose it is; leaves nothing behind.
    pub(crate) async fn knock(&self) -> Result<Who, ChannelError> {
        let (user, password) = match &self.settings.login {
            Login::Token(token) => return self.whoami(token.expose()).await,
            Login::Password { user, password } => (user, password),
        };
        if let Some(written) = self.read(user).await?
            && let Some(token) = &written.access_token
        {
            match self.whoami(token).await {
                Err(ChannelError::Unauthorized { .. }) => {}
                known => return known,
            }
        }
        let device = self.new_device();
        let token = self.log_in(user, password, &device).await?;
        let who = self.whoami(&token).await?;
        let url = self.url("logout");
        let request = self.http.client().post(url).bearer_auth(&token);
        self.http.ask("logging out", request).await?;
        Ok(who)
    }

    /// A client that is logged in, with its keys. Logs in where that was not done before.
    pub(crate) async fn enter(&self) -> Result<Client, ChannelError> {
        let (who, token) = match &self.settings.login {
            Login::Token(token) => {
                let token = token.expose().to_owned();
                (self.whoami(&token).await?, token)
            }
            Login::Password { user, password } => self.log_in_once(user, password).await?,
        };
        let keys = self.keys(&who).await?;
        let client = self.client(keys).await?;
        let user_id = UserId::parse(&who.user_id);
        let session = MatrixSession {
            meta: SessionMeta {
                user_id: user_id.map_err(|_none| refused("the server gave no user id"))?,
                device_id: who.device_id.as_str().into(),
            },
            tokens: SessionTokens {
                access_token: token,
                refresh_token: None,
            },
        };
        Box::pin(client.restore_session(session))
            .await
            .map_err(|error| failure::of(LOGIN, error))?;
        Ok(client)
    }

    async fn client(&self, keys: Keys) -> Result<Client, ChannelError> {
        let stores = StoreConfig::new(CrossProcessLockConfig::SingleProcess);
        let building = Client::builder()
            .homeserver_url(&self.settings.homeserver)
            .http_client(self.http.client().clone())
            .store_config(stores.crypto_store(Arc::new(keys)))
            .request_config(RequestConfig::new().disable_retry())
            .with_encryption_settings(EncryptionSettings {
                auto_enable_cross_signing: true,
                backup_download_strategy: BackupDownloadStrategy::AfterDecryptionFailure,
                auto_enable_backups: false,
            })
            .build();
        Box::pin(building)
            .await
            .map_err(|_error| transient(LOGIN, "the homeserver's address can't be used"))
    }

    async fn keys(&self, who: &Who) -> Result<Keys, ChannelError> {
        // A device's id is any text; its file's name is plain.
        let name: String = who
            .device_id
            .bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
                other => format!("%{other:02x}"),
            })
            .collect();
        let path = self.folder.join(format!("{name}.keys"));
        let opened = Keys::open(&path).await;
        opened.map_err(|error| {
            if let CryptoStoreError::Backend(error) = &error
                && matches!(error.downcast_ref(), Some(FileError::InUse))
            {
                let what = "another process has the bot's keys open: one account takes one host";
                return transient(LOGIN, what);
            }
            let what = format!("the keys in {path} can't be opened: {}", report(&error));
            transient(LOGIN, &what)
        })
    }

    async fn log_in_once(
        &self,
        user: &str,
        password: &Secret,
    ) -> Result<(Who, String), ChannelError> {
        let mut device_id = self.new_device();
        match self.read(user).await? {
            Some(Written {
                access_token: Some(token),
                ..
            }) => match self.whoami(&token).await {
                // Somebody has removed the device, and its keys are worth nothing any more.
                Err(ChannelError::Unauthorized { .. }) => {}
                known => return Ok((known?, token)),
            },
            Some(written) => device_id = written.device_id,
            None => {}
        }
        let mut written = Written {
            user: user.to_owned(),
            device_id,
            access_token: None,
        };
        self.write(&written).await?;
        let token = self.log_in(user, password, &written.device_id).await?;
        written.access_token = Some(token.clone());
        self.write(&written).await?;
        Ok((self.whoami(&token).await?, token))
    }

    fn new_device(&self) -> String {
        let letter = |byte: &u8| char::from(b'A' + byte % 26);
        self.entropy.bytes().iter().map(letter).collect()
    }

    fn url(&self, path: &str) -> String {
        format!("{}/_matrix/client/v3/{path}", self.settings.homeserver)
    }

    /// <https://spec.matrix.org/latest/client-server-api/#post_matrixclientv3login>
    async fn log_in(
        &self,
        user: &str,
        password: &Secret,
        device: &str,
    ) -> Result<String, ChannelError> {
        let body = json!({
            "type": "m.login.password",
            "identifier": { "type": "m.id.user", "user": user },
            "password": password.expose(),
            "device_id": device,
            "initial_device_display_name": DEVICE_NAME,
        });
        let request = self.http.client().post(self.url("login"));
        let request = request
            .header("content-type", "application/json")
            .body(body.to_string());
        let answer = self.http.ask(LOGIN, request).await.map_err(harmless)?;
        if answer.status.as_u16() == 403 {
            let reason = "the server does not accept the password".to_owned();
            return Err(ChannelError::Unauthorized { reason });
        }
        let limits = (LimitScope::Instance, self.clock.now());
        if let Some(error) = answer.failure(LOGIN, limits, "the server refuses the login") {
            return Err(harmless(error));
        }
        let answer: Value = answer.json(LOGIN).map_err(harmless)?;
        let token = answer["access_token"].as_str().map(str::to_owned);
        token.ok_or_else(|| transient(LOGIN, "the server gave no access token"))
    }

    /// <https://spec.matrix.org/latest/client-server-api/#get_matrixclientv3accountwhoami>
    async fn whoami(&self, token: &str) -> Result<Who, ChannelError> {
        const DOING: &str = "asking who the bot is";
        let request = self.http.client().get(self.url("account/whoami"));
        let answer = self.http.ask(DOING, request.bearer_auth(token)).await;
        let answer = answer.map_err(harmless)?;
        let limits = (LimitScope::Instance, self.clock.now());
        if let Some(error) = answer.failure(DOING, limits, "the server does not say who the bot is")
        {
            return Err(harmless(error));
        }
        answer.json(DOING).map_err(harmless)
    }

    fn path(&self) -> Utf8PathBuf {
        self.folder.join("session.json")
    }

    /// What was written down, if it is this account's.
    async fn read(&self, user: &str) -> Result<Option<Written>, ChannelError> {
        let path = self.path();
        let read = blocking::run(move || fs::read_to_string(path)).await;
        match read {
            Some(Ok(text)) => {
                let written = serde_json::from_str::<Written>(&text);
                // silent: one that can't be read is replaced by a login
                Ok(written.ok().filter(|written| written.user == user))
            }
            Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Some(Err(error)) => Err(transient(
                LOGIN,
                &format!("{} can't be read: {error}", self.path()),
            )),
            None => Err(transient(LOGIN, "the host is ending")),
        }
    }

    async fn write(&self, written: &Written) -> Result<(), ChannelError> {
        let path = self.path();
        let text = serde_json::to_string(written)
            .map_err(|_error| transient(LOGIN, "the login can't be written down"))?;
        match blocking::run(move || write_down(&path, &text)).await {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(transient(
                LOGIN,
                &format!("{} can't be written: {error}", self.path()),
            )),
            None => Err(transient(LOGIN, "the host is ending")),
        }
    }
}

/// Replaces a file as a whole, readable by its owner alone.
fn write_down(path: &Utf8Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let beside = path.with_extension("tmp");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    match path.parent() {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// An error with all that caused it. Those of the keys' file have no key in them.
fn report(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        said = format!("{said}: {error}");
        cause = error.source();
    }
    said
}
