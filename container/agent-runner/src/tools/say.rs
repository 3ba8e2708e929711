//! How tools say something at once, and tell the agent what became of it.

use std::time::Duration;

use anchorhold_sessiondb::{Emit, Outbound, OutboxFile, Outcome, Seq};

use crate::{
    desk::Enough,
    provider::TurnIo,
    tools::{ToolError, check_text},
};

/// How long a tool waits for what becomes of what it said.
const PATIENCE: Duration = Duration::from_secs(15);

/// Something to say.
#[derive(Debug)]
pub(super) struct Saying {
    pub(super) op: Outbound,
    pub(super) files: Vec<OutboxFile>,
    /// The name of the destination, if not the conversation that asked.
    pub(super) to: Option<String>,
}

impl Saying {
    /// For the conversation that asked.
    pub(super) fn here(op: Outbound) -> Self {
        Self {
            op,
            files: Vec::new(),
            to: None,
        }
    }

    pub(super) fn emit(self) -> Emit {
        Emit {
            in_reply_to: None,
            op: self.op,
            files: self.files,
            to: self.to,
        }
    }
}

/// Says it, and gives its number with what is to be added to the account of it: nothing where it
/// arrived. An error where it will not, or nobody can say.
pub(super) async fn say(io: &TurnIo, saying: Saying) -> Result<(Seq, String), ToolError> {
    io.progress(Some(PATIENCE));
    let (seq, _place) = io.desk().say(saying.emit()).await?;
    let known = io.desk().outcome(seq, PATIENCE, Enough::Any).await;
    let later = "you are told if it is given up";
    match known {
        Some(Outcome::Sent) => Ok((seq, String::new())),
        Some(Outcome::Waits(why)) => Ok((
            seq,
            format!(", but not yet ({why}): it is tried again, and {later}"),
        )),
        None => Ok((seq, format!(", but the host has not said so yet: {later}"))),
        Some(failure) => Err(undelivered(seq, failure)),
    }
}

/// The error for what did not arrive.
pub(super) fn undelivered(seq: Seq, failure: Outcome) -> ToolError {
    let why = match failure {
        Outcome::Refused(why) => why,
        Outcome::Dead(why) => format!("it could not be sent: {why}"),
        Outcome::Unknown(why) => format!("nobody can say whether it was sent: {why}"),
        Outcome::Waits(why) => format!("it is not sent yet: {why}"),
        // No failure; whoever calls this has none of it.
        Outcome::Sent => "it was sent".to_owned(),
    };
    ToolError::Undelivered { seq, why }
}

/// Checks a text that is about to be posted.
pub(super) fn post(tool: &'static str, text: String) -> Result<Outbound, ToolError> {
    check_text(tool, &text)?;
    if text.trim().is_empty() {
        let what = "the text is empty".to_owned();
        return Err(ToolError::Value { tool, what });
    }
    Ok(Outbound::Post {
        text,
        files: Vec::new(),
    })
}
