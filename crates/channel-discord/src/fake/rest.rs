//! The REST API's one door: `/api/v10/...`, and files.

use std::{io, sync::Arc};

use anchorhold_channel::{LimitScope, conformance::Trouble};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State as Shared},
    http::{HeaderValue, Method, StatusCode, header},
    response::Response,
};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{BOT, GUILD, TOKEN, objects, params::Params, state::State};

type Tx = Arc<watch::Sender<State>>;

/// What a request comes to: an object, or a refusal.
pub(super) type Outcome = Result<Value, Refusal>;

/// A refusal as Discord words it.
#[derive(Debug)]
pub(super) struct Refusal {
    status: u16,
    code: u32,
    words: String,
}

impl Refusal {
    pub(super) fn of(status: u16, code: u32, words: &str) -> Self {
        let words = words.to_owned();
        Self {
            status,
            code,
            words,
        }
    }
}

pub(super) fn router(state_tx: Tx) -> Router {
    Router::new().fallback(serve).with_state(state_tx)
}

/// What is asked for.
struct Asked {
    method: Method,
    /// Without what is before it, percent-encoding undone.
    path: String,
    query: String,
}

impl Asked {
    fn number(&self, name: &str) -> Option<u64> {
        let mut pairs = self
            .query
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(key, _)| *key == name)
            .and_then(|(_, value)| value.parse().ok())
    }

    /// Does it do something that a test may disturb?
    fn is_sending(&self) -> bool {
        self.method != Method::GET && self.path.starts_with("/channels/")
    }
}

async fn serve(Shared(state_tx): Shared<Tx>, request: Request) -> Response {
    let path = decoded(request.uri().path());
    if path.starts_with("/attachments/") {
        let content = state_tx.borrow().attachments.get(&path).cloned();
        return match content {
            Some(content) => bytes(content),
            None => answer(Err(Refusal::of(404, 0, "Not Found"))),
        };
    }
    let Some(path) = path.strip_prefix("/api/v10").map(str::to_owned) else {
        return answer(Err(Refusal::of(404, 0, "404: Not Found")));
    };
    let asked = Asked {
        method: request.method().clone(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        path,
    };
    let proved = asked.path.starts_with("/interactions/") || asked.path.starts_with("/webhooks/");
    let authorization = request.headers().get(header::AUTHORIZATION);
    let known = authorization.is_some_and(|given| given == &format!("Bot {TOKEN}"));
    if !proved && (!known || state_tx.borrow().revoked) {
        return answer(Err(Refusal::of(401, 0, "401: Unauthorized")));
    }
    let named = request.headers().get(header::USER_AGENT);
    let named = named
        .and_then(|name| name.to_str().ok())
        .unwrap_or_default();
    if !named.starts_with("DiscordBot (") {
        return answer(Err(Refusal::of(403, 40_333, "internal network error")));
    }
    let params = Params::read(request).await;
    let called = format!("{} {}", asked.method, asked.path);
    let (object, mut trouble) = (params.object.clone(), None);
    state_tx.send_modify(|state| {
        state.calls.push((called, object));
        if asked.is_sending() {
            trouble = state.troubles.pop_front();
        }
    });
    let is_done = matches!(
        trouble,
        None | Some(Trouble::LoseAnswer | Trouble::GarbleAnswer)
    );
    let mut outcome = Err(Refusal::of(500, 0, "500: Internal Server Error"));
    if is_done {
        state_tx.send_modify(|state| outcome = state.ask(&asked, params));
    }
    match trouble {
        Some(trouble) => troubled(trouble),
        None => answer(outcome),
    }
}

impl State {
    fn ask(&mut self, asked: &Asked, params: Params) -> Outcome {
        let parts: Vec<&str> = asked.path.split('/').skip(1).collect();
        let id = |text: &str| text.parse().unwrap_or(0);
        match (asked.method.as_str(), parts.as_slice()) {
            ("GET", ["users", "@me"]) => Ok(objects::me()),
            ("GET", ["users", "@me", "guilds"]) => {
                Ok(json!([{ "id": GUILD.to_string(), "name": "The server" }]))
            }
            ("POST", ["users", "@me", "channels"]) => {
                let person = params.object["recipient_id"].as_str().map_or(0, id);
                let chat = self.direct(person);
                self.place(chat)
            }
            ("GET", ["applications", "@me"]) => Ok(objects::application(self.content_allowed)),
            ("GET", ["gateway", "bot"]) => Ok(json!({
                "url": self.gateway, "shards": 1,
                "session_start_limit": {
                    "total": 1000, "remaining": self.starts, "reset_after": 86_000_000,
                    "max_concurrency": 1,
                },
            })),
            ("GET", ["guilds", guild, "members", user])
                if id(guild) == GUILD && id(user) == BOT =>
            {
                Ok(objects::my_membership())
            }
            ("GET", ["channels", channel]) => self.place(id(channel)),
            ("GET", ["channels", channel, "messages"]) => {
                let (after, limit) = (asked.number("after"), asked.number("limit"));
                let limit = usize::try_from(limit.unwrap_or(50)).unwrap_or(50);
                self.page(id(channel), after.unwrap_or(0), limit)
            }
            ("GET", ["channels", channel, "messages", message]) => {
                let message = self.message(id(channel), id(message)).cloned();
                message.ok_or_else(|| Refusal::of(404, 10_008, "Unknown Message"))
            }
            ("POST", ["channels", channel, "messages"]) => self.create(id(channel), params),
            ("PATCH", ["channels", channel, "messages", message]) => {
                self.change((id(channel), id(message)), &params.object)
            }
            ("DELETE", ["channels", channel, "messages", message]) => {
                self.delete((id(channel), id(message)))
            }
            (
                "PUT",
                [
                    "channels",
                    channel,
                    "messages",
                    message,
                    "reactions",
                    emoji,
                    "@me",
                ],
            ) => self.put_reaction((id(channel), id(message)), emoji),
            ("POST", ["channels", channel, "typing"]) => {
                self.place(id(channel)).map(|_at| Value::Null)
            }
            ("POST", ["interactions", click, proof, "callback"]) => {
                self.answer_click(id(click), proof, &params.object)
            }
            ("POST", ["webhooks", _application, proof]) => self.follow_up(proof, params.object),
            ("PATCH", ["webhooks", _application, _proof, "messages", "@original"]) => {
                Ok(Value::Null)
            }
            _ => Err(Refusal::of(404, 0, "404: Not Found")),
        }
    }

    /// <https://discord.com/developers/docs/interactions/receiving-and-responding#create-interaction-response>
    fn answer_click(&mut self, click: u64, proof: &str, object: &Value) -> Outcome {
        let unknown = || Refusal::of(404, 10_062, "Unknown interaction");
        let answers = self.answers.get_mut(&click).ok_or_else(unknown)?;
        if proof != format!("proof-{click}") {
            return Err(unknown());
        }
        if !answers.is_empty() {
            let words = "Interaction has already been acknowledged.";
            return Err(Refusal::of(400, 40_060, words));
        }
        answers.push(object.clone());
        if object["type"] == 7 {
            self.update(click, &object["data"]);
        }
        Ok(Value::Null)
    }

    /// An answer that changes the message the button is under.
    fn update(&mut self, click: u64, data: &Value) {
        let told = self.sessions.iter().flat_map(|session| &session.told);
        let mut clicks = told.filter(|(_, what)| objects::is(&what["id"], click));
        let of = clicks.next().map(|(_, what)| what["message"].clone());
        let id = |value: &Value| value.as_str().and_then(|id| id.parse().ok()).unwrap_or(0);
        if let Some(of) = of {
            let at = (id(&of["channel_id"]), id(&of["id"]));
            // silent: a message that is gone is not changed
            drop(self.change(at, data));
        }
    }

    fn follow_up(&mut self, proof: &str, object: Value) -> Outcome {
        let click = proof
            .strip_prefix("proof-")
            .and_then(|id| id.parse::<u64>().ok());
        let answers = click.and_then(|click| self.answers.get_mut(&click));
        match answers {
            Some(answers) if !answers.is_empty() => {
                answers.push(object);
                Ok(json!({ "id": "1" }))
            }
            Some(_) | None => Err(Refusal::of(404, 10_015, "Unknown Webhook")),
        }
    }
}

/// A path with its percent-encoding undone.
fn decoded(path: &str) -> String {
    let mut pieces = path.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2).unwrap_or((piece, ""));
        bytes.extend(u8::from_str_radix(digits, 16));
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What is answered in trouble.
fn troubled(trouble: Trouble) -> Response {
    match trouble {
        Trouble::Limit(scope, wait) => limited(scope, wait.as_secs_f64()),
        Trouble::ServerError => {
            let mut response = bytes(b"error code: 502".to_vec());
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            response
        }
        Trouble::Refuse => answer(Err(Refusal::of(403, 50_001, "Missing Access"))),
        Trouble::Unauthorized => answer(Err(Refusal::of(401, 0, "401: Unauthorized"))),
        Trouble::LoseAnswer => broken(),
        Trouble::GarbleAnswer => bytes(b"{\"id\":\"1\",\"chan".to_vec()),
    }
}

/// <https://discord.com/developers/docs/topics/rate-limits#exceeding-a-rate-limit>
fn limited(scope: LimitScope, seconds: f64) -> Response {
    let global = scope == LimitScope::Instance;
    let body = json!({
        "message": "You are being rate limited.", "retry_after": seconds, "global": global,
    });
    let mut response = bytes(body.to_string().into_bytes());
    *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
    let scope = if global { "global" } else { "user" };
    let headers = response.headers_mut();
    headers.insert("x-ratelimit-scope", HeaderValue::from_static(scope));
    // Here only whole seconds are told.
    if let Ok(wait) = HeaderValue::from_str(&format!("{:.0}", seconds.ceil())) {
        headers.insert(header::RETRY_AFTER, wait);
    }
    response
}

fn answer(outcome: Outcome) -> Response {
    let (status, body) = match outcome {
        Ok(Value::Null) => (204, Vec::new()),
        Ok(object) => (200, object.to_string().into_bytes()),
        Err(refusal) => {
            let body = json!({ "message": refusal.words, "code": refusal.code });
            (refusal.status, body.to_string().into_bytes())
        }
    };
    let nothing = body.is_empty();
    let mut response = bytes(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    if !nothing {
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
    }
    response
}

fn bytes(body: Vec<u8>) -> Response {
    Response::new(Body::from(body))
}

/// An answer whose connection breaks before it is over.
fn broken() -> Response {
    let lost = io::Error::from(io::ErrorKind::ConnectionReset);
    Response::new(Body::from_stream(stream::iter([
        Ok(Bytes::from_static(b"{\"id\":")),
        Err(lost),
    ])))
}
