//! One call of a model over the way out: asked, read event by event, classified where it fails.

use std::{collections::BTreeMap, fs::File, io::Read, time::Duration};

use anchorhold_core::{
    turn_failure::FailureClass,
    way_out::{MODEL_PREFIX, RULE_HEADER},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use hyper::{Request, header::CONTENT_TYPE};
use tokio::time::Instant;

use crate::{
    provider::{
        TurnIo,
        model::{
            Answered, Ask, Dialect, Reader, Why,
            failure::{Failure, Refused},
            history::{History, Part},
            prompt::SHOWN_LIMIT_BYTES,
            sse::Events,
        },
    },
    report,
    way_out::{Answer, Content, SILENCE, WayOut, WayOutError},
};

/// How much of an answer that is an error is read.
pub(in crate::provider) const ERROR_LIMIT_BYTES: usize = 64 * 1024;
/// The longest answer, in bytes of its stream.
const ANSWER_LIMIT_BYTES: usize = 32 * 1024 * 1024;
/// How much of files goes with one call, the newest first.
const FILES_LIMIT_BYTES: u64 = 15 * 1024 * 1024;
/// Signs of life while an answer comes are no more frequent than this.
const BEAT_EVERY: Duration = Duration::from_secs(1);

/// Asks once. `goes_on` is whether there is a conversation from before this turn.
pub(super) async fn ask<D: Dialect>(
    dialect: &D,
    (way_out, io): (&WayOut, &TurnIo),
    ask: &Ask<'_>,
    goes_on: bool,
) -> Result<Answered, Failure> {
    let content = dialect.request(ask).to_string();
    let mut request = Request::post(format!("{MODEL_PREFIX}{}", dialect.path()))
        .header(CONTENT_TYPE, "application/json");
    for (name, value) in dialect.headers() {
        request = request.header(*name, *value);
    }
    let request = request
        .body(Content::from(content))
        .map_err(|error| Failure::transient(&report(&error)))?;
    // A model may think for long before its first word.
    io.progress(Some(SILENCE));
    let mut answer = way_out
        .send(request)
        .await
        .map_err(|error| broken(&error))?;
    io.progress(Some(SILENCE));
    if !answer.status().is_success() {
        return Err(refused(&mut answer, goes_on).await);
    }
    let answered = read::<D::Reader>(answer, io).await?;
    io.progress(None);
    match answered.why {
        Why::Full => {
            let detail = "the model has read all it can";
            Err(Failure::new(FailureClass::ContextFull, detail))
        }
        Why::Refused => {
            let detail = "the model refuses to answer";
            Err(Failure::new(FailureClass::Rejected, detail))
        }
        Why::Done | Why::Length => Ok(answered),
    }
}

async fn read<R: Reader>(mut answer: Answer, io: &TurnIo) -> Result<Answered, Failure> {
    let (mut reader, mut events) = (R::default(), Events::default());
    let mut bytes = 0_usize;
    let mut beat = Instant::now();
    while let Some(part) = answer.part().await.map_err(|error| broken(&error))? {
        bytes = bytes.saturating_add(part.len());
        if bytes > ANSWER_LIMIT_BYTES {
            return Err(Failure::transient("the answer has no end"));
        }
        let malformed = |_| Failure::transient("the answer is no stream of events");
        for event in events.pass(&part).map_err(malformed)? {
            reader.event(&event.data)?;
        }
        if beat.elapsed() >= BEAT_EVERY {
            beat = Instant::now();
            io.progress(Some(SILENCE));
        }
    }
    reader.finish()
}

async fn refused(answer: &mut Answer, goes_on: bool) -> Failure {
    let content = match answer.beginning(ERROR_LIMIT_BYTES).await {
        Ok((content, _more)) => content,
        // The status says what is needed.
        Err(_broken) => Vec::new(),
    };
    failure(answer, &content, goes_on)
}

/// What an answer means that is no success.
pub(in crate::provider) fn failure(answer: &Answer, content: &[u8], goes_on: bool) -> Failure {
    let refused = Refused {
        status: answer.status().as_u16(),
        rule: answer.header(RULE_HEADER),
        retry_after: answer.header("retry-after"),
        date: answer.header("date"),
        retry_after_ms: answer.header("retry-after-ms"),
        content,
    };
    Failure::of(&refused, goes_on)
}

fn broken(error: &WayOutError) -> Failure {
    Failure::transient(&report(error))
}

/// The content of the files of a conversation, the newest first, as much as goes with one call.
pub(super) fn files(history: &History) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut room = FILES_LIMIT_BYTES;
    let parts = history.messages.iter().flat_map(|message| &message.parts);
    for part in parts.rev() {
        let Part::File { path, .. } = part else {
            continue;
        };
        if files.contains_key(path) {
            continue;
        }
        // silent: what is not there any more is told to the model as that.
        let Ok(content) = content(path) else { continue };
        let Some(left) = room.checked_sub(u64::try_from(content.len()).unwrap_or(u64::MAX)) else {
            return files;
        };
        room = left;
        files.insert(path.clone(), STANDARD.encode(content));
    }
    files
}

/// The content of one file that the model is to see.
pub(in crate::provider) fn content(path: &str) -> std::io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?
        .take(SHOWN_LIMIT_BYTES)
        .read_to_end(&mut content)?;
    Ok(content)
}
