//! The REST API: one request, one answer judged.
//!
//! `twilight-http` would try again by itself after a limit and has the body of an answer in its errors
//! (docs/adr/0033-discord-without-its-http-client.md), so requests are made with what all channels
//! share. What Discord says of an error can repeat what was sent; it reaches no error of ours.

use std::{fmt, time::Duration};

use anchorhold_channel::{ChannelError, LimitScope, Secret, error::Source};
use anchorhold_channel_kit::http::{
    Answer, CUSTOMARY_WAIT, Http, LONGEST_WAIT, harmless, retry_after,
};
use jiff::Timestamp;
use reqwest::{Method, RequestBuilder, header::HeaderMap, multipart::Form};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    config::{Settings, is_local},
    wire::{Application, Channel, Gateway, Member, Message, Snowflake, User},
};

/// The version of the API that this speaks.
const VERSION: &str = "v10";
/// How Discord wants clients to name themselves:
/// <https://discord.com/developers/docs/reference#user-agent>.
const AGENT: &str = concat!("DiscordBot (anchorhold, ", env!("CARGO_PKG_VERSION"), ")");
/// How much of what Discord says is repeated, in characters.
const SAYING_LIMIT: usize = 120;
/// How long an upload may take.
const UPLOAD_LIMIT: Duration = Duration::from_secs(55);
/// How many messages are read at once: the most that there can be.
const PAGE: usize = 100;

/// The message that was meant is not there:
/// <https://discord.com/developers/docs/topics/opcodes-and-status-codes#json>, as those below.
pub(crate) const UNKNOWN_MESSAGE: u32 = 10_008;
/// There is no such emoji, or not spelt like that.
pub(crate) const UNKNOWN_EMOJI: u32 = 10_014;

/// The way to what one bot can do.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    http: Http,
    base: String,
    /// Does all of it stay on this machine?
    local: bool,
    token: Secret,
}

/// Some of the messages of a channel, in order.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) messages: Vec<Message>,
    /// The last of the page, also where it can't be read, if there may be more behind it.
    pub(crate) rest: Option<Snowflake>,
}

/// What goes along with a request.
pub(crate) enum Body<'a> {
    /// Nothing.
    None,
    /// An object.
    Json(&'a Value),
    /// An object and files.
    Form(Form),
}

/// A request that did not do what it was for.
#[derive(Debug)]
pub(crate) enum Failed {
    /// There is no answer, or none that can be read.
    NoAnswer(ChannelError),
    /// Discord says no.
    No(No),
}

/// <https://discord.com/developers/docs/reference#error-messages>, and what goes with it.
#[derive(Debug)]
pub(crate) struct No {
    status: u16,
    /// What is wrong, as a number; 0 where it is not told.
    pub(crate) code: u32,
    /// In its words, which can repeat ours.
    words: String,
    limit: Option<Limit>,
}

/// A limit that was met: <https://discord.com/developers/docs/topics/rate-limits>.
#[derive(Clone, Copy, Debug)]
struct Limit {
    wait: Duration,
    /// Is it that of all requests of the bot?
    global: bool,
}

#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    code: u32,
    #[serde(default)]
    message: String,
    retry_after: Option<f64>,
    #[serde(default)]
    global: bool,
}

impl fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Json(_) => "Json",
            Self::Form(_) => "Form",
        })
    }
}

impl Api {
    /// What the bot with this token can do.
    pub(crate) fn new(settings: &Settings) -> Result<Self, ChannelError> {
        Ok(Self {
            http: Http::new(None)?,
            base: settings.api.clone(),
            local: is_local("http", &settings.api),
            token: settings.token.clone(),
        })
    }

    pub(crate) fn token(&self) -> &Secret {
        &self.token
    }

    /// Does a URL that Discord gave lead to where the token may go? That is Discord itself, or in tests
    /// this machine.
    pub(crate) fn trusts(&self, scheme: &str, url: &str) -> bool {
        if self.local {
            return is_local(scheme, url);
        }
        let rest = url
            .strip_prefix(scheme)
            .and_then(|rest| rest.strip_prefix("s://"));
        let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
        host.is_some_and(|host| {
            let known = [
                "discord.com",
                "discord.gg",
                "discordapp.com",
                "discordapp.net",
            ];
            known.iter().any(|domain| {
                host.strip_suffix(domain)
                    .is_some_and(|before| before.is_empty() || before.ends_with('.'))
            })
        })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}/{VERSION}{path}", self.base);
        let request = self.http.client().request(method, url);
        request.header("user-agent", AGENT)
    }

    /// Asks for something to be done, as the bot.
    pub(crate) async fn ask(
        &self,
        doing: &'static str,
        (method, path): (Method, &str),
        body: Body<'_>,
    ) -> Result<Answer, Failed> {
        let authorization = format!("Bot {}", self.token.expose());
        let request = self
            .request(method, path)
            .header("authorization", authorization);
        self.send(doing, request, body).await
    }

    /// Answers what somebody did, for which the path has a proof of its own:
    /// <https://discord.com/developers/docs/interactions/receiving-and-responding#interaction-response>.
    pub(crate) async fn respond(
        &self,
        doing: &'static str,
        path: &str,
        body: &Value,
    ) -> Result<(), ChannelError> {
        let request = self.request(Method::POST, path);
        let answer = self.send(doing, request, Body::Json(body)).await;
        let failed = |failed: Failed| failed.into_error(doing, LimitScope::Instance);
        answer.map(|_done| ()).map_err(failed)
    }

    async fn send(
        &self,
        doing: &'static str,
        request: RequestBuilder,
        body: Body<'_>,
    ) -> Result<Answer, Failed> {
        let request = match body {
            Body::None => request,
            Body::Json(value) => request
                .header("content-type", "application/json")
                .body(value.to_string()),
            Body::Form(form) => request.multipart(form).timeout(UPLOAD_LIMIT),
        };
        let answer = self.http.ask(doing, request).await;
        judge(doing, answer.map_err(Failed::NoAnswer)?)
    }

    /// Asks for something that changes nothing for anybody.
    async fn read<T: DeserializeOwned>(
        &self,
        doing: &'static str,
        path: &str,
    ) -> Result<T, ChannelError> {
        let answer = self.ask(doing, (Method::GET, path), Body::None).await;
        let read = match answer {
            Ok(answer) => answer.json(doing),
            Err(failed) => Err(failed.into_error(doing, LimitScope::Instance)),
        };
        read.map_err(harmless)
    }

    /// Who the bot is: <https://discord.com/developers/docs/resources/user#get-current-user>.
    pub(crate) async fn me(&self) -> Result<User, ChannelError> {
        self.read("asking who the bot is", "/users/@me").await
    }

    /// What the application that the bot belongs to may do:
    /// <https://discord.com/developers/docs/resources/application#get-current-application>.
    pub(crate) async fn application(&self) -> Result<Application, ChannelError> {
        let doing = "asking what the bot may do";
        self.read(doing, "/applications/@me").await
    }

    /// The names of servers that the bot is in, at most 200:
    /// <https://discord.com/developers/docs/resources/user#get-current-user-guilds>.
    pub(crate) async fn guilds(&self) -> Result<Vec<String>, ChannelError> {
        #[derive(Deserialize)]
        struct Named {
            #[serde(default)]
            name: String,
        }
        let doing = "asking where the bot is";
        let guilds: Vec<Named> = self.read(doing, "/users/@me/guilds").await?;
        Ok(guilds.into_iter().map(|guild| guild.name).collect())
    }

    /// Where the gateway is, and how many sessions may begin there. The token goes there as well, so an
    /// address that is not Discord's is refused.
    pub(crate) async fn gateway(&self) -> Result<Gateway, ChannelError> {
        let doing = "asking for the gateway";
        let gateway: Gateway = self.read(doing, "/gateway/bot").await?;
        if !self.trusts("ws", &gateway.url) {
            return Err(ChannelError::Permanent {
                reason: "the gateway that the API names is not Discord's".to_owned(),
            });
        }
        Ok(gateway)
    }

    /// A channel or a thread: <https://discord.com/developers/docs/resources/channel#get-channel>.
    pub(crate) async fn channel(&self, id: Snowflake) -> Result<Channel, ChannelError> {
        let path = format!("/channels/{id}");
        self.read("asking for a channel", &path).await
    }

    /// What somebody is in a server:
    /// <https://discord.com/developers/docs/resources/guild#get-guild-member>.
    pub(crate) async fn member(
        &self,
        (guild, user): (Snowflake, Snowflake),
    ) -> Result<Member, ChannelError> {
        let path = format!("/guilds/{guild}/members/{user}");
        self.read("asking for the bot's roles", &path).await
    }

    /// The first messages behind `after`, at most 100:
    /// <https://discord.com/developers/docs/resources/message#get-channel-messages>.
    pub(crate) async fn messages(
        &self,
        channel: Snowflake,
        after: Snowflake,
    ) -> Result<Page, ChannelError> {
        let path = format!("/channels/{channel}/messages?limit={PAGE}&after={after}");
        let values: Vec<Value> = self.read("reading messages", &path).await?;
        let count = values.len();
        let ids = values.iter().filter_map(|value| value.get("id")?.as_str());
        let last = ids.filter_map(Snowflake::parse).max();
        // silent: said below, with how many
        let read = |value| serde_json::from_value::<Message>(value).ok();
        let mut messages: Vec<Message> = values.into_iter().filter_map(read).collect();
        if messages.len() < count {
            tracing::warn!(
                left = count - messages.len(),
                "messages can't be read, ignored"
            );
        }
        messages.sort_by_key(|message| message.id);
        let rest = last.filter(|_| count >= PAGE);
        Ok(Page { messages, rest })
    }

    /// The direct chat with a person, made where there is none:
    /// <https://discord.com/developers/docs/resources/user#create-dm>.
    pub(crate) async fn direct(&self, person: Snowflake) -> Result<Channel, ChannelError> {
        let doing = "opening a direct chat";
        let body = serde_json::json!({ "recipient_id": person });
        let route = (Method::POST, "/users/@me/channels");
        let answer = self.ask(doing, route, Body::Json(&body)).await;
        let read = match answer {
            Ok(answer) => answer.json(doing),
            Err(failed) => Err(failed.into_error(doing, LimitScope::Instance)),
        };
        read.map_err(harmless)
    }

    /// The request for a file that came with a message; `None` where it lies with somebody else.
    pub(crate) fn file(&self, url: &str) -> Option<RequestBuilder> {
        let request = || self.http.client().get(url).header("user-agent", AGENT);
        self.trusts("http", url).then(request)
    }
}

/// What an answer says.
fn judge(doing: &'static str, answer: Answer) -> Result<Answer, Failed> {
    if answer.status.is_success() {
        return Ok(answer);
    }
    let status = answer.status.as_u16();
    match answer.json::<Refusal>(doing) {
        Ok(refusal) => {
            let limit = (status == 429).then(|| Limit::of(&answer.headers, &refusal));
            Err(Failed::No(No {
                status,
                code: refusal.code,
                words: refusal.message,
                limit,
            }))
        }
        // Something on the way speaks only HTTP.
        Err(_unreadable) => {
            let scope = (LimitScope::Instance, Timestamp::UNIX_EPOCH);
            let refused = "it was not Discord that answered";
            let failure = answer.failure(doing, scope, refused);
            Err(Failed::NoAnswer(failure.unwrap_or_else(|| {
                ChannelError::Ambiguous {
                    doing,
                    source: Source::from("the answer can't be read"),
                }
            })))
        }
    }
}

impl Limit {
    fn of(headers: &HeaderMap, refusal: &Refusal) -> Self {
        let told = refusal
            .retry_after
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let wait = told.or_else(|| retry_after(headers, Timestamp::UNIX_EPOCH));
        let scope = headers.get("x-ratelimit-scope");
        Self {
            wait: wait.unwrap_or(CUSTOMARY_WAIT).min(LONGEST_WAIT),
            global: refusal.global || scope.is_some_and(|scope| scope == "global"),
        }
    }
}

impl No {
    /// In its words, without anything that it may repeat of what was sent.
    fn saying(&self) -> String {
        let plain = match self.code {
            10_003 => Some("there is no such channel, or the bot can't see it"),
            50_001 => Some("the bot can't see this channel: give it View Channel there"),
            50_007 => Some("this person takes no direct messages from the bot"),
            50_013 => Some("the bot lacks a permission in this channel"),
            _ => None,
        };
        let said = plain.map_or_else(
            || {
                let unquoted: Vec<&str> = self.words.split('"').step_by(2).collect();
                unquoted.join("…").chars().take(SAYING_LIMIT).collect()
            },
            str::to_owned,
        );
        format!(
            "Discord says: {said} (status {}, code {})",
            self.status, self.code
        )
    }

    fn into_error(self, doing: &'static str, scope: LimitScope) -> ChannelError {
        if let Some(Limit { wait, global }) = self.limit {
            let scope = if global { LimitScope::Instance } else { scope };
            return ChannelError::RateLimited {
                retry_after: wait,
                scope,
            };
        }
        let source = || Source::from(format!("status {}", self.status));
        match self.status {
            401 => ChannelError::Unauthorized {
                reason: REFUSED_TOKEN.to_owned(),
            },
            503 => ChannelError::Transient {
                doing,
                source: source(),
            },
            408 | 500.. => ChannelError::Ambiguous {
                doing,
                source: source(),
            },
            _ => ChannelError::Permanent {
                reason: self.saying(),
            },
        }
    }
}

/// What is wrong where the token is.
pub(crate) const REFUSED_TOKEN: &str = "Discord does not accept the bot's token";

impl Failed {
    /// What it means to the host; `scope` is whom a limit is about that is not about everything.
    pub(crate) fn into_error(self, doing: &'static str, scope: LimitScope) -> ChannelError {
        match self {
            Self::NoAnswer(error) => error,
            Self::No(no) => no.into_error(doing, scope),
        }
    }

    /// Does Discord say no with this code?
    pub(crate) fn is(&self, code: u32) -> bool {
        matches!(self, Self::No(no) if no.code == code)
    }
}

#[cfg(test)]
mod tests;
