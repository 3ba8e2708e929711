//! The administration command's way to the host: one request, one reply.
//!
//! It runs in a process of its own, as a tool of the agent, beside the agent-runner.

use std::time::Duration;

use anchorhold_admin::{
    client::AskError,
    request::{Reply, Request},
};
use anchorhold_sessiondb::{self as sessiondb, Requests};
use camino::Utf8Path;
use jiff::Timestamp;
use tokio::{
    runtime::Builder,
    time::{sleep, timeout},
};

use crate::{Error, report};

/// How long to wait for the reply.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// How often to look for it, and to try again while a file is in use.
const POLL: Duration = Duration::from_millis(50);

/// Asks the host for `request`, and waits for its reply; see [`exchange`].
pub fn ask(
    in_dir: &Utf8Path,
    out_dir: &Utf8Path,
    request: &Request,
    now: Timestamp,
) -> Result<Reply, AskError> {
    let refused = |why: serde_json::Error| AskError::Unavailable(why.to_string());
    let json = serde_json::to_string(request).map_err(refused)?;
    let reply = exchange(in_dir, out_dir, &json, now).map_err(|error| ask_error(&error))?;
    parse(&reply)
}

/// As [`ask`], for asynchronous code.
pub(crate) async fn ask_async(
    in_dir: &Utf8Path,
    out_dir: &Utf8Path,
    request: &Request,
    now: Timestamp,
) -> Result<Reply, AskError> {
    let refused = |why: serde_json::Error| AskError::Unavailable(why.to_string());
    let json = serde_json::to_string(request).map_err(refused)?;
    let reply = ask_and_wait(in_dir, out_dir, &json, now, PATIENCE).await;
    parse(&reply.map_err(|error| ask_error(&error))?)
}

fn parse(reply: &str) -> Result<Reply, AskError> {
    serde_json::from_str(reply)
        .map_err(|_why| AskError::Unanswered("the reply is not understood".to_owned()))
}

/// Where the files fail, it is not known whether the request was written before.
fn ask_error(error: &Error) -> AskError {
    let why = report(error);
    match error {
        Error::NoReply { .. } | Error::Session { .. } => AskError::Unanswered(why),
        Error::UnknownArgument { .. }
        | Error::MissingValue { .. }
        | Error::MissingGeneration
        | Error::BadGeneration { .. }
        | Error::BadHarness { .. }
        | Error::Finish { .. }
        | Error::NotAsked
        | Error::Runtime { .. }
        | Error::Signals { .. } => AskError::Unavailable(why),
    }
}

/// Asks the host for what `request_json` says, and waits up to half a minute for its reply. `now` is
/// noted beside the request.
///
/// Blocks; not to be called in asynchronous code. Without a reply in time the request stays where
/// it is, and the host may still carry it out.
pub fn exchange(
    in_dir: &Utf8Path,
    out_dir: &Utf8Path,
    request_json: &str,
    now: Timestamp,
) -> Result<String, Error> {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|source| Error::Runtime { source })?;
    runtime.block_on(ask_and_wait(in_dir, out_dir, request_json, now, PATIENCE))
}

async fn ask_and_wait(
    in_dir: &Utf8Path,
    out_dir: &Utf8Path,
    request_json: &str,
    now: Timestamp,
    patience: Duration,
) -> Result<String, Error> {
    let mut asked = false;
    let exchange = async {
        let mut requests = patient(|| Requests::open(in_dir, out_dir)).await?;
        let id = patient(|| requests.ask(request_json, now)).await?;
        asked = true;
        loop {
            if let Some(reply) = requests.reply(id).map_err(session)? {
                return Ok(reply);
            }
            sleep(POLL).await;
        }
    };
    match timeout(patience, exchange).await {
        Ok(ended) => ended,
        Err(_elapsed) if asked => Err(Error::NoReply {
            seconds: patience.as_secs(),
        }),
        Err(_elapsed) => Err(Error::NotAsked),
    }
}

/// Does `what` again for as long as a file is in use.
async fn patient<T>(mut what: impl FnMut() -> Result<T, sessiondb::Error>) -> Result<T, Error> {
    loop {
        match what() {
            Err(error) if error.is_later() => sleep(POLL).await,
            ended => return ended.map_err(session),
        }
    }
}

fn session(source: sessiondb::Error) -> Error {
    Error::Session { source }
}

#[cfg(test)]
mod tests;
