//! The Web API: one method called, one answer judged: <https://docs.slack.dev/apis/web-api/>.
//!
//! Calls are forms, which every method takes. What Slack says of an error is a word of its own, without
//! anything that was sent.

use std::time::Duration;

use anchorhold_channel::{ChannelError, LimitScope, Secret, error::Source};
use anchorhold_channel_kit::http::{Answer, CUSTOMARY_WAIT, Http, harmless, retry_after};
use jiff::Timestamp;
use reqwest::{Method, RequestBuilder, Url};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{config::Settings, wire::Me};

/// The longest word of Slack that is repeated.
const WORD_LIMIT: usize = 60;
/// How long an upload may take.
const UPLOAD_LIMIT: Duration = Duration::from_mins(2);

/// The way to one app's methods.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    http: Http,
    base: String,
    bot_token: Secret,
}

/// What a method is called with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params(Vec<(&'static str, String)>);

/// A call that did not do what it was for.
#[derive(Debug)]
pub(crate) enum Failed {
    /// There is no answer, or none that can be read.
    NoAnswer(ChannelError),
    /// Slack says no.
    No(No),
}

/// Slack's refusal: <https://docs.slack.dev/apis/web-api/#responses>.
#[derive(Debug)]
pub(crate) struct No {
    /// Its word for it.
    pub(crate) word: String,
    /// The scope that is wanted.
    needed: Option<String>,
    /// For how long it asks to wait.
    pub(crate) retry_after: Option<Duration>,
}

#[derive(Deserialize)]
struct Judged {
    ok: bool,
    error: Option<String>,
    needed: Option<String>,
}

impl Params {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// With this one as well.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    /// With a list or an object, which are JSON in a form.
    pub(crate) fn with_json(self, name: &'static str, value: &Value) -> Self {
        self.with(name, value.to_string())
    }

    fn form(&self) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(&self.0);
        form.finish()
    }
}

impl Api {
    /// The methods of the app with this token.
    pub(crate) fn new(settings: &Settings) -> Result<Self, ChannelError> {
        Ok(Self {
            http: Http::new(settings.proxy.as_deref())?,
            base: settings.api.clone(),
            bot_token: settings.bot_token.clone(),
        })
    }

    /// Calls a method.
    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: &Params,
    ) -> Result<T, Failed> {
        let (read, _answer) = self.call_as(&self.bot_token, method, params).await?;
        Ok(read)
    }

    /// Calls a method that changes nothing for anybody.
    pub(crate) async fn asked<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: &Params,
    ) -> Result<T, ChannelError> {
        let failed = |failed: Failed| harmless(failed.into_error(method, LimitScope::Chat));
        self.call(method, params).await.map_err(failed)
    }

    async fn call_as<T: DeserializeOwned>(
        &self,
        token: &Secret,
        method: &'static str,
        params: &Params,
    ) -> Result<(T, Answer), Failed> {
        let request = self
            .http
            .client()
            .post(format!("{}/{method}", self.base))
            .bearer_auth(token.expose())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(params.form());
        let answer = self.http.ask(method, request).await;
        let answer = answer.map_err(Failed::NoAnswer)?;
        let read = read(method, &answer)?;
        Ok((read, answer))
    }

    /// Who the app is, and its scopes where Slack tells them:
    /// <https://docs.slack.dev/reference/methods/auth.test>.
    pub(crate) async fn who(&self) -> Result<(Me, Option<Vec<String>>), ChannelError> {
        const METHOD: &str = "auth.test";
        let called = self.call_as(&self.bot_token, METHOD, &Params::new()).await;
        let (me, answer) =
            called.map_err(|failed| harmless(failed.into_error(METHOD, LimitScope::Instance)))?;
        let scopes = answer.headers.get("x-oauth-scopes");
        let scopes = scopes.and_then(|scopes| scopes.to_str().ok());
        let each = |scopes: &str| scopes.split(',').map(|one| one.trim().to_owned()).collect();
        Ok((me, scopes.map(each)))
    }

    /// The address of a websocket of Socket Mode, good for one connection:
    /// <https://docs.slack.dev/reference/methods/apps.connections.open>.
    pub(crate) async fn open_connection(&self, app_token: &Secret) -> Result<Url, ChannelError> {
        const METHOD: &str = "apps.connections.open";
        let opened = self
            .call_as::<crate::wire::Opened>(app_token, METHOD, &Params::new())
            .await;
        let (opened, _answer) = opened.map_err(|failed| match failed {
            Failed::No(no) if no.is_about_token() => ChannelError::Unauthorized {
                reason: format!("Slack does not accept the app-level token ({})", no.word),
            },
            failed @ (Failed::No(_) | Failed::NoAnswer(_)) => {
                harmless(failed.into_error(METHOD, LimitScope::Instance))
            }
        })?;
        let url = Url::parse(&opened.url).ok();
        url.filter(|url| self.is_slack(url))
            .ok_or_else(|| ChannelError::Transient {
                doing: METHOD,
                source: "the websocket is not one of Slack's hosts".into(),
            })
    }

    /// The request for the content of a file; `None` where it is not on one of Slack's own hosts, which
    /// alone may see the token.
    pub(crate) fn file(&self, url: &str) -> Option<RequestBuilder> {
        let url = Url::parse(url).ok().filter(|url| self.is_slack(url))?;
        let token = self.bot_token.expose();
        Some(self.http.client().get(url).bearer_auth(token))
    }

    /// Hands the content of a file over. It is seen by nobody yet, so a second time does no harm.
    pub(crate) async fn upload(&self, url: &str, content: Vec<u8>) -> Result<(), ChannelError> {
        const DOING: &str = "uploading a file";
        let url = Url::parse(url).ok().filter(|url| self.is_slack(url));
        let url = url.ok_or_else(|| ChannelError::Transient {
            doing: DOING,
            source: "the place for it is not on one of Slack's hosts".into(),
        })?;
        let request = self.http.client().post(url).timeout(UPLOAD_LIMIT);
        let request = request
            .header("content-type", "application/octet-stream")
            .body(content);
        let answer = self.http.ask(DOING, request).await.map_err(harmless)?;
        let scope = (LimitScope::Chat, Timestamp::UNIX_EPOCH);
        match answer.failure(DOING, scope, "Slack does not take the file") {
            Some(error) => Err(harmless(error)),
            None => Ok(()),
        }
    }

    /// A request that becomes a websocket.
    pub(crate) fn websocket(&self, mut url: Url) -> RequestBuilder {
        let scheme = if url.scheme() == "wss" {
            "https"
        } else {
            "http"
        };
        // One web scheme can always take another one's place; `ws` is none of those to `set_scheme`.
        let rest = url.as_str().split_once("://").map(|(_, rest)| rest);
        if let Some(Ok(web)) = rest.map(|rest| Url::parse(&format!("{scheme}://{rest}"))) {
            url = web;
        }
        self.http.client().request(Method::GET, url)
    }

    /// Is it on the Web API's own domain, and reached so that nobody reads along? Only where the
    /// configuration has the Web API open to read may others be so, too.
    fn is_slack(&self, url: &Url) -> bool {
        let base = Url::parse(&self.base).ok();
        let (Some(base), Some(host)) = (base, url.host_str()) else {
            return false;
        };
        let own = base.host_str().unwrap_or_default();
        let secure = matches!(url.scheme(), "https" | "wss");
        let open = matches!(url.scheme(), "http" | "ws") && base.scheme() == "http";
        let there = host == own || host.ends_with(&format!(".{own}"));
        there && !own.is_empty() && (secure || open)
    }
}

/// What an answer says.
fn read<T: DeserializeOwned>(method: &'static str, answer: &Answer) -> Result<T, Failed> {
    if answer.status.as_u16() == 429 {
        return Err(Failed::No(No {
            word: "ratelimited".to_owned(),
            needed: None,
            retry_after: retry_after(&answer.headers, Timestamp::UNIX_EPOCH),
        }));
    }
    let scope = (LimitScope::Instance, Timestamp::UNIX_EPOCH);
    if let Some(failure) = answer.failure(method, scope, "it was not Slack that answered") {
        return Err(Failed::NoAnswer(failure));
    }
    let judged: Judged = answer.json(method).map_err(Failed::NoAnswer)?;
    if !judged.ok {
        return Err(Failed::No(No {
            word: judged.error.unwrap_or_default(),
            needed: judged.needed,
            retry_after: None,
        }));
    }
    answer.json(method).map_err(Failed::NoAnswer)
}

impl No {
    /// Is it one of these?
    pub(crate) fn is(&self, words: &[&str]) -> bool {
        words.contains(&self.word.as_str())
    }

    /// Is it a limit?
    pub(crate) fn is_limit(&self) -> bool {
        self.is(&["ratelimited", "rate_limited"])
    }

    fn is_about_token(&self) -> bool {
        self.is(&[
            "account_inactive",
            "invalid_auth",
            "not_allowed_token_type",
            "not_authed",
            "token_expired",
            "token_revoked",
        ])
    }

    fn into_error(self, doing: &'static str, scope: LimitScope) -> ChannelError {
        let source = || Source::from(format!("Slack says: {}", said(&self.word)));
        if self.is_limit() {
            return ChannelError::RateLimited {
                retry_after: self.retry_after.unwrap_or(CUSTOMARY_WAIT),
                scope,
            };
        }
        if self.is_about_token() {
            let reason = format!("Slack does not accept the bot's token ({})", self.word);
            return ChannelError::Unauthorized { reason };
        }
        match self.word.as_str() {
            // "It's possible some aspect of the operation succeeded before the error was raised."
            "fatal_error" | "internal_error" => ChannelError::Ambiguous {
                doing,
                source: source(),
            },
            "request_timeout" | "service_unavailable" | "team_added_to_org" => {
                ChannelError::Transient {
                    doing,
                    source: source(),
                }
            }
            "missing_scope" => {
                let scope = said(self.needed.as_deref().unwrap_or("that it needs"));
                ChannelError::Permanent {
                    reason: format!(
                        "the app lacks the scope {scope}: add it under OAuth & Permissions and \
                         install the app anew"
                    ),
                }
            }
            word => ChannelError::Permanent {
                reason: format!("Slack says: {}", said(word)),
            },
        }
    }
}

/// A word of Slack's own, and nothing that could be anything else.
fn said(word: &str) -> &str {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_:.,".contains(c);
    if !word.is_empty() && word.len() <= WORD_LIMIT && word.chars().all(plain) {
        word
    } else {
        "something else"
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

    /// Is it one of these words of Slack?
    pub(crate) fn is(&self, words: &[&str]) -> bool {
        matches!(self, Self::No(no) if no.is(words))
    }

    /// Can nobody say whether it was done?
    pub(crate) fn is_ambiguous(&self) -> bool {
        match self {
            Self::NoAnswer(error) => matches!(error, ChannelError::Ambiguous { .. }),
            Self::No(no) => no.is(&["fatal_error", "internal_error"]),
        }
    }
}

#[cfg(test)]
mod tests;
