//! The parameters of a call, in each of the forms that the Web API takes.

use axum::{
    body::to_bytes,
    extract::Request,
    http::{HeaderMap, header::CONTENT_TYPE},
};
use serde_json::{Map, Value};

/// The longest body that is taken, in bytes.
pub(super) const LIMIT_BYTES: usize = 60 * 1024 * 1024;

/// What a method is called with.
#[derive(Debug, Default)]
pub(super) struct Params(Map<String, Value>);

impl Params {
    /// Reads a request; nothing of one that can't be read.
    pub(super) async fn read(request: Request) -> Self {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let json = is_json(request.headers());
        let body = to_bytes(request.into_body(), LIMIT_BYTES)
            .await
            .unwrap_or_default();
        let mut values = pairs(query.as_bytes());
        if json {
            let read: Map<String, Value> = serde_json::from_slice(&body).unwrap_or_default();
            values.extend(read);
        } else {
            values.extend(pairs(&body));
        }
        Self(values)
    }

    /// All of them, for who looks at what was called.
    pub(super) fn all(&self) -> Value {
        Value::Object(self.0.clone())
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    pub(super) fn number(&self, name: &str) -> Option<usize> {
        let value = self.0.get(name)?;
        let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
        usize::try_from(number?).ok()
    }

    /// Is a flag set?
    pub(super) fn flag(&self, name: &str) -> bool {
        let value = self.0.get(name);
        value.is_some_and(|value| *value == true || *value == "true" || *value == "1")
    }

    /// An object or a list: as it is, or as JSON in a text. `None` where it is neither.
    pub(super) fn object(&self, name: &str) -> Option<Value> {
        let value = self.0.get(name)?;
        let value = match value.as_str() {
            Some(text) => serde_json::from_str(text).ok()?,
            None => value.clone(),
        };
        (value.is_object() || value.is_array()).then_some(value)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.starts_with("application/json")
}

fn pairs(text: &[u8]) -> Map<String, Value> {
    let pairs = form_urlencoded::parse(text);
    pairs
        .map(|(name, value)| (name.into_owned(), Value::from(value.into_owned())))
        .collect()
}
