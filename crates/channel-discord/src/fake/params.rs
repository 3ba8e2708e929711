//! What goes along with a request: an object, alone or in a form with files.

use axum::{
    body::to_bytes,
    extract::{FromRequest as _, Multipart, Request},
    http::header::CONTENT_TYPE,
};
use serde_json::Value;

use super::state::File;

/// The most that is read of a request, in bytes.
const LIMIT: usize = 64 * 1024 * 1024;

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Params {
    pub(super) object: Value,
    pub(super) files: Vec<File>,
}

impl Params {
    /// Reads it; what can't be read is not there.
    pub(super) async fn read(request: Request) -> Self {
        let kind = request.headers().get(CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if kind.starts_with("multipart/form-data") {
            return Self::form(request).await.unwrap_or_default();
        }
        let body = to_bytes(request.into_body(), LIMIT)
            .await
            .unwrap_or_default();
        let object = serde_json::from_slice(&body).unwrap_or_default();
        let files = Vec::new();
        Self { object, files }
    }

    async fn form(request: Request) -> Option<Self> {
        let mut form = Multipart::from_request(request, &()).await.ok()?;
        let mut params = Self::default();
        while let Some(field) = form.next_field().await.ok()? {
            if field.name() == Some("payload_json") {
                params.object = serde_json::from_str(&field.text().await.ok()?).ok()?;
                continue;
            }
            let name = field.file_name().unwrap_or_default().to_owned();
            let content = field.bytes().await.ok()?.to_vec();
            params.files.push(File { name, content });
        }
        Some(params)
    }
}
