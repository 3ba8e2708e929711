//! Verification by emoji: a person in their client and the operator at the terminal see the same seven
//! pictures, or somebody is between them:
//! <https://spec.matrix.org/latest/client-server-api/#short-authentication-string-sas-verification>.

use std::time::Duration;

use anchorhold_channel::{ChannelError, Talk};
use anchorhold_channel_kit::http::harmless;
use matrix_sdk::{
    Client,
    config::{SyncSettings, SyncToken},
    encryption::verification::{
        SasState, SasVerification, Verification, VerificationRequest, VerificationRequestState,
    },
    ruma::UserId,
    sync::SyncResponse,
};
use serde_json::Value;

use crate::{
    failure::{self, refused},
    receive::value,
};

const DOING: &str = "verifying";
/// How long one look at the server takes.
const POLL: Duration = Duration::from_secs(1);
/// After so many looks nobody is waited for any more.
const LOOKS_LIMIT: u32 = 600;

/// Waits for a person who begins, and goes with them to the end.
pub(crate) async fn verify(client: &Client, operator: &dyn Talk) -> Result<(), ChannelError> {
    let me = client
        .user_id()
        .map(ToString::to_string)
        .unwrap_or_default();
    let words =
        format!("Begin the verification in your client now: open {me} there, and choose Verify.");
    operator.say(&words).await;
    let mut token = SyncToken::NoToken;
    let mut dance = Dance::default();
    for _look in 0..LOOKS_LIMIT {
        let settings = SyncSettings::new().timeout(POLL).token(token);
        let response = Box::pin(client.sync_once(settings)).await;
        let response = response.map_err(|error| harmless(failure::of(DOING, error)))?;
        if dance.request.is_none() {
            dance.request = find(client, &response).await;
        }
        token = SyncToken::Specific(response.next_batch);
        if dance.step(operator).await? {
            operator.say("Done: the device is verified.").await;
            return Ok(());
        }
    }
    Err(refused(
        "nobody has begun, or gone on with, a verification in time",
    ))
}

/// A request that came with this answer.
async fn find(client: &Client, response: &SyncResponse) -> Option<VerificationRequest> {
    let mut asked: Vec<(Value, &str)> = Vec::new();
    for event in &response.to_device {
        // silent: what can't be read is no request
        if let Ok(event) = serde_json::from_str(event.to_raw().json().get()) {
            asked.push((event, "transaction_id"));
        }
    }
    for update in response.rooms.joined.values() {
        let events = update.timeline.events.iter().filter_map(value);
        asked.extend(events.map(|event| (event, "event_id")));
    }
    for (event, key) in asked {
        let flow = event["content"][key].as_str().or(event[key].as_str());
        let sender = event["sender"]
            .as_str()
            .and_then(|id| UserId::parse(id).ok());
        if let (Some(flow), Some(sender)) = (flow, sender) {
            let request = client
                .encryption()
                .get_verification_request(&sender, flow)
                .await;
            if let Some(request) = request.filter(|request| !request.we_started()) {
                return Some(request);
            }
        }
    }
    None
}

/// One verification under way.
#[derive(Default)]
struct Dance {
    request: Option<VerificationRequest>,
    has_accepted: bool,
    has_answered: bool,
}

impl Dance {
    /// Goes one step where it is our turn; `true` at the end.
    async fn step(&mut self, operator: &dyn Talk) -> Result<bool, ChannelError> {
        let Some(request) = self.request.clone() else {
            return Ok(false);
        };
        match request.state() {
            VerificationRequestState::Requested { .. } if !self.has_accepted => {
                let who = request.other_user_id();
                let question = format!("{who} asks to verify this bot. Go on?");
                if !operator.agrees(&question).await {
                    // silent: the other side sees soon enough that nobody goes on
                    drop(Box::pin(request.cancel()).await);
                    return Err(refused("it was not wanted"));
                }
                self.has_accepted = true;
                let accepted = Box::pin(request.accept()).await;
                accepted.map_err(|error| harmless(failure::of(DOING, error)))?;
                Ok(false)
            }
            VerificationRequestState::Transitioned {
                verification: Verification::SasV1(sas),
            } => self.compare(&sas, operator).await,
            VerificationRequestState::Done => Ok(true),
            VerificationRequestState::Cancelled(info) => Err(refused(&format!(
                "the verification was broken off: {}",
                info.reason()
            ))),
            VerificationRequestState::Created { .. }
            | VerificationRequestState::Requested { .. }
            | VerificationRequestState::Ready { .. }
            | VerificationRequestState::Transitioned { .. } => Ok(false),
        }
    }

    async fn compare(
        &mut self,
        sas: &SasVerification,
        operator: &dyn Talk,
    ) -> Result<bool, ChannelError> {
        let failed = |error| harmless(failure::of(DOING, error));
        match sas.state() {
            SasState::Started { .. } => {
                Box::pin(sas.accept()).await.map_err(failed)?;
                Ok(false)
            }
            SasState::KeysExchanged { emojis, decimals } if !self.has_answered => {
                let shown = match emojis {
                    Some(emojis) => {
                        let names = emojis.emojis.iter();
                        let names =
                            names.map(|emoji| format!("{} {}", emoji.symbol, emoji.description));
                        names.collect::<Vec<_>>().join("  ")
                    }
                    None => format!("{} {} {}", decimals.0, decimals.1, decimals.2),
                };
                operator.say(&shown).await;
                self.has_answered = true;
                if operator
                    .agrees("Does your client show the same, in this order?")
                    .await
                {
                    Box::pin(sas.confirm()).await.map_err(failed)?;
                    return Ok(false);
                }
                Box::pin(sas.mismatch()).await.map_err(failed)?;
                Err(refused(
                    "they are not the same: somebody may be between you",
                ))
            }
            SasState::Done { .. } => Ok(true),
            SasState::Cancelled(info) => Err(refused(&format!(
                "the verification was broken off: {}",
                info.reason()
            ))),
            SasState::Created { .. }
            | SasState::Accepted { .. }
            | SasState::KeysExchanged { .. }
            | SasState::Confirmed => Ok(false),
        }
    }
}
