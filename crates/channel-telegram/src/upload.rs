//! A file on its way out: as what it is sent, by what it is and not by its name.

use anchorhold_channel::ChannelError;
use anchorhold_core::outbound::OutboundFile;
use reqwest::multipart::{Form, Part};
use serde_json::Value;

/// The largest picture that is shown as one: <https://core.telegram.org/bots/api#sendphoto>.
const PHOTO_LIMIT_BYTES: usize = 10 * 1024 * 1024;

/// A file and the method that sends it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Upload<'a> {
    file: &'a OutboundFile,
    kind: Kind,
}

/// As what a file is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Photo,
    Animation,
    Video,
    Audio,
    Voice,
    Document,
}

impl<'a> Upload<'a> {
    /// The file as what its content shows it to be.
    pub(crate) fn of(file: &'a OutboundFile) -> Self {
        let seen = infer::get(&file.content).map(|seen| seen.mime_type());
        let kind = match seen {
            Some("image/jpeg" | "image/png" | "image/webp")
                if file.content.len() <= PHOTO_LIMIT_BYTES =>
            {
                Kind::Photo
            }
            Some("image/gif") => Kind::Animation,
            Some("video/mp4") => Kind::Video,
            Some("audio/mpeg" | "audio/m4a") => Kind::Audio,
            Some("audio/ogg" | "audio/opus") => Kind::Voice,
            Some(_) | None => Kind::Document,
        };
        Self { file, kind }
    }

    /// The same as a mere file; `None` if it is sent as one already.
    pub(crate) fn as_document(&self) -> Option<Self> {
        let kind = Kind::Document;
        (self.kind != kind).then_some(Self { kind, ..*self })
    }

    /// The method that sends it.
    pub(crate) fn method(&self) -> &'static str {
        match self.kind {
            Kind::Photo => "sendPhoto",
            Kind::Animation => "sendAnimation",
            Kind::Video => "sendVideo",
            Kind::Audio => "sendAudio",
            Kind::Voice => "sendVoice",
            Kind::Document => "sendDocument",
        }
    }

    /// The parameter that the content is in.
    fn field(&self) -> &'static str {
        match self.kind {
            Kind::Photo => "photo",
            Kind::Animation => "animation",
            Kind::Video => "video",
            Kind::Audio => "audio",
            Kind::Voice => "voice",
            Kind::Document => "document",
        }
    }

    /// The call's body: the parameters, each in a part of its own, and the content.
    pub(crate) fn form(&self, params: &Value) -> Result<Form, ChannelError> {
        let mut form = Form::new();
        for (name, value) in params.as_object().into_iter().flatten() {
            let text = match value {
                Value::Null => continue,
                Value::String(text) => text.clone(),
                value
                @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                    value.to_string()
                }
            };
            form = form.text(name.clone(), text);
        }
        let seen = infer::get(&self.file.content).map(|seen| seen.mime_type());
        let part = Part::bytes(self.file.content.clone())
            .file_name(self.file.name.clone())
            .mime_str(seen.unwrap_or("application/octet-stream"))
            .map_err(|error| ChannelError::Permanent {
                reason: error.without_url().to_string(),
            })?;
        Ok(form.part(self.field(), part))
    }
}

#[cfg(test)]
mod tests;
