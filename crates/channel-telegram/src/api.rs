//! The Bot API: one method called, one answer judged.
//!
//! The token is part of each URL (<https://core.telegram.org/bots/api#making-requests>), and what
//! Telegram says of an error can repeat what was sent. So neither reaches an error of ours.

use std::time::Duration;

use anchorhold_channel::{ChannelError, LimitScope, Secret, error::Source};
use anchorhold_channel_kit::http::{Answer, CUSTOMARY_WAIT, Http, LONGEST_WAIT, harmless};
use jiff::Timestamp;
use reqwest::{RequestBuilder, multipart::Form};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    config::Settings,
    wire::{File, User},
};

/// How much of what Telegram says is repeated, in characters.
const SAYING_LIMIT: usize = 120;
/// How long an upload may take.
const UPLOAD_LIMIT: Duration = Duration::from_secs(55);

/// The updates that are asked for: <https://core.telegram.org/bots/api#getupdates>. Reactions come
/// only when they are named.
pub(crate) const ALLOWED_UPDATES: &[&str] = &[
    "message",
    "edited_message",
    "channel_post",
    "edited_channel_post",
    "callback_query",
    "message_reaction",
];

/// The way to one bot's methods.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    http: Http,
    base: String,
    token: Secret,
}

/// A call that did not do what it was for.
#[derive(Debug)]
pub(crate) enum Failed {
    /// There is no answer, or none that can be read.
    NoAnswer(ChannelError),
    /// Telegram says no.
    No(No),
}

/// <https://core.telegram.org/bots/api#responseparameters>, and what goes with it.
#[derive(Debug)]
pub(crate) struct No {
    /// As a status of HTTP.
    pub(crate) code: u16,
    /// In its words, which can repeat ours.
    words: String,
    /// For how long it asks to wait.
    pub(crate) retry_after: Option<Duration>,
    /// The id of the supergroup that the group has become.
    pub(crate) moved_to: Option<i64>,
}

#[derive(Deserialize)]
struct Envelope {
    ok: bool,
    result: Option<Value>,
    error_code: Option<u16>,
    #[serde(default)]
    description: String,
    #[serde(default)]
    parameters: Parameters,
}

#[derive(Default, Deserialize)]
struct Parameters {
    retry_after: Option<u64>,
    migrate_to_chat_id: Option<i64>,
}

impl Api {
    /// The methods of the bot with this token.
    pub(crate) fn new(settings: &Settings) -> Result<Self, ChannelError> {
        Ok(Self {
            http: Http::new(settings.proxy.as_deref())?,
            base: settings.api.clone(),
            token: settings.token.clone(),
        })
    }

    fn url(&self, method: &str) -> String {
        format!("{}/bot{}/{method}", self.base, self.token.expose())
    }

    /// A secret that both sides know, made of the token, for calls of a webhook.
    pub(crate) fn token(&self) -> &Secret {
        &self.token
    }

    /// Calls a method.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: &(impl Serialize + Sync),
    ) -> Result<T, Failed> {
        let body = serde_json::to_vec(params).map_err(|error| {
            // Texts, numbers and flags always serialize.
            Failed::NoAnswer(ChannelError::Permanent {
                reason: error.to_string(),
            })
        })?;
        let request = self
            .http
            .client()
            .post(self.url(method))
            .header("content-type", "application/json")
            .body(body);
        self.ask(method, request).await
    }

    /// Calls a method with a file.
    pub(crate) async fn upload<T: DeserializeOwned>(
        &self,
        method: &'static str,
        form: Form,
    ) -> Result<T, Failed> {
        let request = self.http.client().post(self.url(method));
        self.ask(method, request.multipart(form).timeout(UPLOAD_LIMIT))
            .await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: &'static str,
        request: RequestBuilder,
    ) -> Result<T, Failed> {
        let answer = self.http.ask(method, request).await;
        read(method, &answer.map_err(Failed::NoAnswer)?)
    }

    /// Who the bot is: <https://core.telegram.org/bots/api#getme>.
    pub(crate) async fn get_me(&self) -> Result<User, ChannelError> {
        self.asked("getMe", &json!({})).await
    }

    /// Calls a method that changes nothing for anybody.
    pub(crate) async fn asked<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: &Value,
    ) -> Result<T, ChannelError> {
        let failed = |failed: Failed| harmless(failed.into_error(method, LimitScope::Instance));
        self.call(method, params).await.map_err(failed)
    }

    /// The next updates from `offset` on; those before it are never offered again. Stays open for
    /// `wait` while there are none: <https://core.telegram.org/bots/api#getupdates>.
    pub(crate) async fn get_updates(
        &self,
        offset: Option<i64>,
        wait: Duration,
    ) -> Result<Vec<Value>, Failed> {
        let mut params = json!({
            "timeout": wait.as_secs(),
            "limit": 100,
            "allowed_updates": ALLOWED_UPDATES,
        });
        if let Some(offset) = offset {
            params["offset"] = offset.into();
        }
        let request = self
            .http
            .client()
            .post(self.url("getUpdates"))
            .header("content-type", "application/json")
            .timeout(wait + Duration::from_secs(15))
            .body(params.to_string());
        self.ask("getUpdates", request).await
    }

    /// The request for the content of a file; `None` where it is not given out:
    /// <https://core.telegram.org/bots/api#getfile>.
    pub(crate) async fn file(&self, file_id: &str) -> Result<Option<RequestBuilder>, ChannelError> {
        let file: Result<File, Failed> = self.call("getFile", &json!({ "file_id": file_id })).await;
        let path = match file {
            Ok(file) => file.file_path,
            Err(Failed::No(no)) if no.code == 400 => None,
            Err(failed) => {
                return Err(harmless(failed.into_error("getFile", LimitScope::Instance)));
            }
        };
        // It becomes part of a URL with the token in it.
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
        let path = path.filter(|path| {
            path.chars().all(plain) && !path.starts_with('/') && !path.contains("..")
        });
        Ok(path.map(|path| {
            let url = format!("{}/file/bot{}/{path}", self.base, self.token.expose());
            self.http.client().get(url)
        }))
    }
}

/// What an answer says.
fn read<T: DeserializeOwned>(method: &'static str, answer: &Answer) -> Result<T, Failed> {
    let unreadable = || {
        // A proxy or a gateway on the way speaks only HTTP.
        let refused = "it was not Telegram that answered";
        let scope = (LimitScope::Instance, Timestamp::UNIX_EPOCH);
        let failure = answer.failure(method, scope, refused);
        failure.unwrap_or_else(|| ChannelError::Ambiguous {
            doing: method,
            source: Source::from("the answer can't be read"),
        })
    };
    let Ok(envelope) = answer.json::<Envelope>(method) else {
        return Err(Failed::NoAnswer(unreadable()));
    };
    if !envelope.ok {
        let code = envelope.error_code.unwrap_or(answer.status.as_u16());
        return Err(Failed::No(No {
            code,
            words: envelope.description,
            retry_after: envelope.parameters.retry_after.map(Duration::from_secs),
            moved_to: envelope.parameters.migrate_to_chat_id,
        }));
    }
    let result = envelope.result.unwrap_or(Value::Null);
    serde_json::from_value(result).map_err(|_not_the_type| Failed::NoAnswer(unreadable()))
}

impl No {
    /// Does it say this, whatever else it says?
    pub(crate) fn says(&self, what: &str) -> bool {
        self.words.to_ascii_lowercase().contains(what)
    }

    /// Can it not read the markup of what it was sent, or not have so much with it?
    pub(crate) fn is_about_markup(&self) -> bool {
        self.code == 400 && (self.says("can't parse") || self.says("is too long"))
    }

    /// In its words, without anything that it may repeat of what was sent.
    fn saying(&self) -> String {
        let words = self
            .words
            .strip_prefix("Bad Request: ")
            .unwrap_or(&self.words);
        let unquoted: Vec<&str> = words.split('"').step_by(2).collect();
        let saying: String = unquoted.join("…").chars().take(SAYING_LIMIT).collect();
        format!("Telegram says: {saying}")
    }

    fn into_error(self, doing: &'static str, scope: LimitScope) -> ChannelError {
        let passing = |code: u16| Source::from(format!("status {code}"));
        match self.code {
            // A token in another form than tokens have leads to no method at all.
            401 | 404 => ChannelError::Unauthorized {
                reason: "Telegram does not accept the bot's token".to_owned(),
            },
            429 => ChannelError::RateLimited {
                retry_after: self.retry_after.unwrap_or(CUSTOMARY_WAIT).min(LONGEST_WAIT),
                scope,
            },
            503 => ChannelError::Transient {
                doing,
                source: passing(503),
            },
            code @ 500.. => ChannelError::Ambiguous {
                doing,
                source: passing(code),
            },
            _ => ChannelError::Permanent {
                reason: self.saying(),
            },
        }
    }
}

impl Failed {
    /// What it means to the host; `scope` is whom a limit is about.
    pub(crate) fn into_error(self, doing: &'static str, scope: LimitScope) -> ChannelError {
        match self {
            Self::NoAnswer(error) => error,
            Self::No(no) => no.into_error(doing, scope),
        }
    }
}

#[cfg(test)]
mod tests;
