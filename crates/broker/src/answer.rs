//! Answers towards the inside, and the record that each of them leaves.

use std::{io, sync::Arc, time::Instant};

use anchorhold_core::{clock::Clock, way_out::RULE_HEADER};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::{
    Response, StatusCode,
    header::{CONNECTION, CONTENT_TYPE, HeaderValue},
};
use tokio::sync::mpsc::OwnedPermit;

use crate::{
    record::{Outcome, Record},
    refusal::Refusal,
    usage::Usage,
    ways::Model,
};

pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Something whole as content.
pub(crate) fn whole(content: Bytes) -> Body {
    Full::new(content)
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// The answer to what a rule refuses; the connection is closed after it.
pub(crate) fn refused(refusal: &Refusal) -> Response<Body> {
    let status = StatusCode::from_u16(refusal.rule.status()).unwrap_or(StatusCode::FORBIDDEN);
    let mut response = error(status, "refused_by_host", &refusal.to_string());
    response
        .headers_mut()
        .insert(RULE_HEADER, HeaderValue::from_static(refusal.rule.name()));
    response
}

/// The answer where the other side can't be reached.
pub(crate) fn unreachable(what: &str) -> Response<Body> {
    error(StatusCode::BAD_GATEWAY, "unreachable", what)
}

/// An error in a form that clients of all the APIs can read.
fn error(status: StatusCode, kind: &str, message: &str) -> Response<Body> {
    let told = serde_json::json!({
        "type": "error",
        "error": { "type": kind, "message": message },
    });
    let mut response = Response::new(whole(Bytes::from(told.to_string())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The record of a request while it goes on. However it ends, also when it is dropped, it is handed
/// over: the place for it was reserved before anything was done.
pub(crate) struct Entry {
    record: Option<(OwnedPermit<Record>, Record)>,
    started: Instant,
    clock: Arc<dyn Clock>,
}

impl Entry {
    pub(crate) fn new(permit: OwnedPermit<Record>, record: Record, clock: Arc<dyn Clock>) -> Self {
        let started = clock.mono();
        let record = Some((permit, record));
        Self {
            record,
            started,
            clock,
        }
    }

    pub(crate) fn outcome(&mut self, outcome: Outcome) {
        self.change(|record| record.outcome = outcome);
    }

    pub(crate) fn toward(&mut self, host: &str) {
        self.change(|record| record.host = crate::record::bounded(host));
    }

    pub(crate) fn of_model(&mut self, model: &Model) {
        self.change(|record| record.model = Some(crate::record::bounded(&model.id)));
    }

    pub(crate) fn sent(&mut self, bytes: u64) {
        self.change(|record| record.sent_bytes = record.sent_bytes.saturating_add(bytes));
    }

    pub(crate) fn received(&mut self, bytes: u64) {
        self.change(|record| record.received_bytes = record.received_bytes.saturating_add(bytes));
    }

    pub(crate) fn used(&mut self, usage: Usage, cost_micros: Option<u64>) {
        self.change(|record| {
            record.usage = Some(usage);
            record.cost_micros = cost_micros;
        });
    }

    fn change(&mut self, change: impl FnOnce(&mut Record)) {
        if let Some((_, record)) = &mut self.record {
            change(record);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if let Some((permit, mut record)) = self.record.take() {
            record.took = self.clock.mono().saturating_duration_since(self.started);
            permit.send(record);
        }
    }
}
