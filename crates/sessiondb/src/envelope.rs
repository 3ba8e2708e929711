//! What is said about an operation beside what it is: the second version of each kind's payload.

use serde::{Deserialize, Serialize};

use crate::{
    Emit, Error, Outbound, Undecodable,
    payload::{Encoded, parse},
};

/// An operation with what is said about it beside: where it goes, and whether somebody inside waits
/// for what becomes of it. One that has neither is written as the operation alone.
pub(crate) struct Envelope<'a> {
    pub(crate) to: Option<&'a str>,
    pub(crate) awaited: bool,
    pub(crate) op: &'a Outbound,
}

/// The longest name of a destination, in bytes.
const TO_LIMIT_BYTES: usize = 200;
/// The version of a payload that is in an envelope.
const IN_ENVELOPE: i64 = 2;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvelopeV2 {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(default)]
    awaited: bool,
    op: serde_json::Value,
}

/// What came out of an [`Envelope`].
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) to: Option<String>,
    pub(crate) awaited: bool,
    pub(crate) op: Outbound,
}

impl<'a> Envelope<'a> {
    pub(crate) fn of(emit: &'a Emit, awaited: bool) -> Self {
        Self {
            to: emit.to.as_deref(),
            awaited,
            op: &emit.op,
        }
    }

    pub(crate) fn encode(&self) -> Result<Encoded, Error> {
        self.encoded().map_err(|source| Error::Encode { source })
    }

    fn encoded(&self) -> Result<Encoded, serde_json::Error> {
        let plain = self.op.encode()?;
        if self.to.is_none() && !self.awaited {
            return Ok(plain);
        }
        let envelope = EnvelopeV2 {
            to: self.to.map(str::to_owned),
            awaited: self.awaited,
            op: serde_json::from_str(&plain.payload)?,
        };
        Ok(Encoded {
            kind: plain.kind,
            version: IN_ENVELOPE,
            payload: serde_json::to_string(&envelope)?,
        })
    }

    pub(crate) fn open(kind: &str, version: i64, payload: &str) -> Result<Opened, Undecodable> {
        if version != IN_ENVELOPE {
            return Ok(Opened {
                to: None,
                awaited: false,
                op: Outbound::decode(kind, version, payload)?,
            });
        }
        let bad = |what| Undecodable::Bad {
            kind: "envelope",
            what,
        };
        let EnvelopeV2 { to, awaited, op } = parse("envelope", payload)?;
        if to.as_ref().is_some_and(|to| to.len() > TO_LIMIT_BYTES) {
            return Err(bad("the name of the destination is too long"));
        }
        let op = Outbound::decode(kind, IN_ENVELOPE - 1, &op.to_string())?;
        Ok(Opened { to, awaited, op })
    }
}
