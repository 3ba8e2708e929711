//! Files on their way out, in three steps of which only the last shows them to anybody:
//! <https://docs.slack.dev/messaging/working-with-files#upload>.

use anchorhold_channel::{ChannelError, PartKey, Sent};
use anchorhold_core::outbound::OutboundFile;
use serde_json::{Value, json};

use crate::{adapter::SlackAdapter, api::Params, place::Place, wire::UploadPlace};

impl SlackAdapter {
    /// Shows files, with the text that goes with them as one message.
    pub(crate) async fn share(
        &self,
        place: &Place,
        (text, files): (Option<String>, &[OutboundFile]),
        key: PartKey,
    ) -> Result<Sent, ChannelError> {
        const METHOD: &str = "files.completeUploadExternal";
        if let Some(sent) = self.already(place, key).await? {
            return Ok(sent);
        }
        let mut ids = Vec::new();
        for file in files {
            ids.push(self.hand_over(place, file).await?);
        }
        let titles: Vec<Value> = ids
            .iter()
            .zip(files)
            .map(|(id, file)| json!({ "id": id, "title": file.name }))
            .collect();
        let mut params = Params::new()
            .with("channel_id", &place.chat)
            .with_json("files", &Value::Array(titles));
        if let Some(thread) = &place.thread {
            params = params.with("thread_ts", thread);
        }
        if let Some(text) = text {
            params = params.with("initial_comment", text);
        }
        self.ledger(|ledger| ledger.begin(key, ids));
        let shown = self.api.call::<Value>(METHOD, &params).await;
        // Slack does not say the message's id: it makes the message a moment later.
        self.settled(place, (METHOD, key), shown.map(|_files| None))
    }

    /// Hands one file over to Slack, where nobody sees it yet; gives its id.
    async fn hand_over(&self, place: &Place, file: &OutboundFile) -> Result<String, ChannelError> {
        const METHOD: &str = "files.getUploadURLExternal";
        let params = Params::new()
            .with("filename", &file.name)
            .with("length", file.content.len().to_string());
        let upload: Result<UploadPlace, _> = self.api.call(METHOD, &params).await;
        let upload = upload.map_err(|failed| {
            anchorhold_channel_kit::http::harmless(self.failed(place, METHOD, failed))
        })?;
        self.api
            .upload(&upload.upload_url, file.content.clone())
            .await?;
        Ok(upload.file_id)
    }
}
