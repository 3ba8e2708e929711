//! Files on their way out: all of a message in one request,
//! <https://discord.com/developers/docs/reference#uploading-files>.

use anchorhold_channel::ChannelError;
use anchorhold_core::outbound::OutboundFile;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

/// The request's body: what is said, and each file in a part of its own.
pub(crate) fn form(params: &Value, files: &[OutboundFile]) -> Result<Form, ChannelError> {
    let mut params = params.clone();
    let named = (0_u32..).zip(files);
    params["attachments"] = named
        .map(|(at, file)| json!({ "id": at, "filename": file.name }))
        .collect();
    let mut form = Form::new().part("payload_json", part(params.to_string().into_bytes(), JSON)?);
    for (at, file) in (0_u32..).zip(files) {
        let part = part(file.content.clone(), UNKNOWN)?.file_name(file.name.clone());
        form = form.part(format!("files[{at}]"), part);
    }
    Ok(form)
}

const JSON: &str = "application/json";
/// Discord finds out by itself what a file is.
const UNKNOWN: &str = "application/octet-stream";

fn part(content: Vec<u8>, media_type: &str) -> Result<Part, ChannelError> {
    let part = Part::bytes(content).mime_str(media_type);
    part.map_err(|error| ChannelError::Permanent {
        reason: error.without_url().to_string(),
    })
}
