//! The one decision about a request: what is known of it, and what the session may do, lead to what
//! is done or to the rule that refuses it. No input or output, no clock.

use anchorhold_core::way_out::{FETCH_PATH, MODEL_PREFIX, ModelApi};

use crate::{
    egress::{Destination, Host},
    refusal::{Refusal, Rule},
    ways::Ways,
};

/// The longest query that is passed on, in bytes.
const QUERY_LIMIT_BYTES: usize = 128;

/// What is known of a request before its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts<'a> {
    /// The method as it was sent.
    pub method: &'a str,
    /// What it is for.
    pub target: Target<'a>,
    /// All `host` headers.
    pub hosts: Vec<&'a str>,
    /// The URL of a fetch, split, where there is one that can be read.
    pub fetch: Option<FetchUrl<'a>>,
}

/// What a request line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// A path on the broker itself.
    Path {
        /// The path.
        path: &'a str,
        /// What stands after `?`.
        query: Option<&'a str>,
    },
    /// `host:port`, as in `CONNECT`.
    Authority(&'a str),
    /// A whole URL, as for a proxy of plain HTTP.
    Absolute,
}

/// The parts of a URL that rules look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchUrl<'a> {
    /// Its scheme.
    pub scheme: &'a str,
    /// Its host.
    pub host: &'a str,
    /// Its port, where it has one.
    pub port: Option<u16>,
    /// Does it carry a name or password?
    pub credentials: bool,
}

/// What is done with a request that no rule refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// The model is called; its content has to pass `body.rs`, too.
    Model(Call),
    /// A tunnel is made; the addresses have to pass [`crate::egress::Egress::reaches`], too.
    Tunnel(Destination),
    /// A page is fetched; as with a tunnel.
    Fetch(Destination),
}

/// One call of a model's API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Which.
    pub kind: CallKind,
    /// The query to pass on.
    pub query: Option<String>,
}

/// The calls that are relayed. An API key can do more: delete files, list what others stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallKind {
    /// A turn over the Messages API.
    Messages,
    /// How many tokens such a turn would take.
    CountTokens,
    /// A turn over Chat Completions.
    ChatCompletions,
    /// A turn over Responses.
    Responses,
}

impl CallKind {
    const ALL: [Self; 4] = [
        Self::Messages,
        Self::CountTokens,
        Self::ChatCompletions,
        Self::Responses,
    ];

    /// The API it belongs to.
    pub fn api(self) -> ModelApi {
        match self {
            Self::Messages | Self::CountTokens => ModelApi::Anthropic,
            Self::ChatCompletions | Self::Responses => ModelApi::OpenAi,
        }
    }

    /// Its path below the base URL.
    pub fn path(self) -> &'static str {
        match self {
            Self::Messages => "/v1/messages",
            Self::CountTokens => "/v1/messages/count_tokens",
            Self::ChatCompletions => "/chat/completions",
            Self::Responses => "/responses",
        }
    }
}

/// Judges one request.
pub fn judge(facts: &Facts<'_>, ways: &Ways) -> Result<Allowed, Refusal> {
    if facts.hosts.len() > 1 {
        return Err(Rule::Malformed.refuses("more than one host header"));
    }
    match &facts.target {
        Target::Absolute => Err(Rule::PlainHttp.refuses("")),
        Target::Authority(authority) if facts.method == "CONNECT" => {
            tunnel(authority, &facts.hosts, ways)
        }
        Target::Authority(_) => Err(Rule::Malformed.refuses("a target without a path")),
        Target::Path { .. } if facts.method == "CONNECT" => {
            Err(Rule::Malformed.refuses("CONNECT to a path"))
        }
        Target::Path { path, query } => match path.strip_prefix(MODEL_PREFIX) {
            Some(below) => model(facts.method, below, *query, ways),
            None if *path == FETCH_PATH => fetch(facts, ways),
            None => Err(Rule::NoSuchPlace.refuses("")),
        },
    }
}

fn tunnel(authority: &str, hosts: &[&str], ways: &Ways) -> Result<Allowed, Refusal> {
    let to = Destination::parse(authority)
        .map_err(|_bad| Rule::Malformed.refuses("CONNECT to something that is no host and port"))?;
    let port_less = |host: &str| match &to.host {
        Host::Name(name) => host.eq_ignore_ascii_case(name),
        Host::Address(_) => false,
    };
    let same = |host: &&str| host.eq_ignore_ascii_case(authority) || port_less(host);
    if !hosts.iter().all(same) {
        return Err(Rule::Malformed.refuses("the host header names another host"));
    }
    listed(&to, ways)?;
    Ok(Allowed::Tunnel(to))
}

fn fetch(facts: &Facts<'_>, ways: &Ways) -> Result<Allowed, Refusal> {
    if facts.method != "GET" {
        return Err(Rule::Malformed.refuses("pages are fetched by GET only"));
    }
    let bad = || Rule::Malformed.refuses("the URL to fetch is missing, or is none");
    let url = facts.fetch.ok_or_else(bad)?;
    if url.scheme != "https" {
        return Err(Rule::PlainHttp.refuses(""));
    }
    if url.credentials {
        return Err(Rule::Malformed.refuses("a URL with a name or password in it"));
    }
    let to = Destination::of_https(url.host, url.port).map_err(|_bad| bad())?;
    listed(&to, ways)?;
    Ok(Allowed::Fetch(to))
}

fn listed(to: &Destination, ways: &Ways) -> Result<(), Refusal> {
    if ways.egress.lists(to) {
        return Ok(());
    }
    Err(Rule::EgressList.refuses(to.to_string()))
}

fn model(method: &str, below: &str, query: Option<&str>, ways: &Ways) -> Result<Allowed, Refusal> {
    let Some(model) = &ways.model else {
        return Err(Rule::NoModel.refuses(""));
    };
    let of_api = || {
        CallKind::ALL
            .into_iter()
            .filter(|kind| kind.api() == model.api)
    };
    let kind = of_api().find(|kind| method == "POST" && kind.path() == below);
    let Some(kind) = kind else {
        let calls: Vec<String> = of_api()
            .map(|kind| format!("POST {}", kind.path()))
            .collect();
        return Err(Rule::ModelCall.refuses(calls.join(", ")));
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"=&_.-".contains(&byte);
    let query = query.filter(|query| !query.is_empty());
    if !query.is_none_or(|query| query.len() <= QUERY_LIMIT_BYTES && query.bytes().all(plain)) {
        return Err(Rule::Malformed.refuses("a query that is not passed on"));
    }
    let query = query.map(str::to_owned);
    Ok(Allowed::Model(Call { kind, query }))
}

#[cfg(test)]
mod tests;
