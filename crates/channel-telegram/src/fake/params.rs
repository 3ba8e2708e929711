//! The parameters of a call, in each of the forms that the Bot API takes:
//! <https://core.telegram.org/bots/api#making-requests>.

use axum::{
    body::to_bytes,
    extract::{FromRequest as _, Multipart, Request},
    http::header::CONTENT_TYPE,
};
use reqwest::Url;
use serde_json::{Map, Value};

use super::state::File;

/// The longest body that is taken, in bytes.
const LIMIT_BYTES: usize = 60 * 1024 * 1024;

/// What a method is called with.
#[derive(Debug, Default)]
pub(super) struct Params {
    values: Map<String, Value>,
    pub(super) files: Vec<File>,
}

impl Params {
    /// Reads a request; nothing of one that can't be read.
    pub(super) async fn read(request: Request) -> Self {
        let kind = request.headers().get(CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if kind.starts_with("multipart/form-data") {
            return Self::of_form(request).await;
        }
        let json = kind.starts_with("application/json");
        let body = to_bytes(request.into_body(), LIMIT_BYTES)
            .await
            .unwrap_or_default();
        let values = if json {
            let values: Map<String, Value> = serde_json::from_slice(&body).unwrap_or_default();
            // What is no text is taken as the text that it is, also `null`.
            let taken = |(name, value): (String, Value)| {
                let value = if value.is_null() {
                    "null".into()
                } else {
                    value
                };
                (name, value)
            };
            values.into_iter().map(taken).collect()
        } else {
            let query = String::from_utf8_lossy(&body);
            let url = Url::parse(&format!("http://form/?{query}"));
            let pairs = |url: &Url| {
                let pair = |(name, value): (_, std::borrow::Cow<'_, str>)| {
                    (std::borrow::Cow::into_owned(name), Value::from(&*value))
                };
                url.query_pairs().map(pair).collect()
            };
            url.as_ref().map(pairs).unwrap_or_default()
        };
        let files = Vec::new();
        Self { values, files }
    }

    async fn of_form(request: Request) -> Self {
        let mut params = Self::default();
        let (mut parts, body) = request.into_parts();
        // The server itself sets no limit on bodies; the files of a bot have theirs.
        parts
            .extensions
            .insert(axum::extract::DefaultBodyLimit::disable());
        let request = Request::from_parts(parts, body);
        let Ok(mut form) = Multipart::from_request(request, &()).await else {
            return params;
        };
        while let Ok(Some(field)) = form.next_field().await {
            let kind = field.name().unwrap_or_default().to_owned();
            let Some(name) = field.file_name().map(str::to_owned) else {
                let text = field.text().await.unwrap_or_default();
                params.values.insert(kind, text.into());
                continue;
            };
            let content = field.bytes().await.unwrap_or_default().to_vec();
            params.files.push(File {
                kind,
                name,
                content,
            });
        }
        params
    }

    /// All of them, for who looks at what was called.
    pub(super) fn all(&self) -> Value {
        Value::Object(self.values.clone())
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        let value = self.values.get(name)?;
        let in_words = || value.as_str()?.parse().ok();
        value.as_i64().or_else(in_words)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name)?.as_str()
    }

    /// An object or a list: as it is, or as JSON in a text.
    pub(super) fn object(&self, name: &str) -> Value {
        match self.values.get(name) {
            Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_default(),
            Some(value) => value.clone(),
            None => Value::Null,
        }
    }
}
