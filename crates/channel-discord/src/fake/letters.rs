//! Messages that the bot sends and changes, and what Discord refuses of them.

use serde_json::{Value, json};

use super::{
    BOT, objects,
    params::Params,
    rest::{Outcome, Refusal},
    state::State,
};

/// The longest text, in characters.
const TEXT_LIMIT: usize = 2_000;

impl State {
    /// <https://discord.com/developers/docs/resources/message#create-message>
    pub(super) fn create(&mut self, channel: u64, params: Params) -> Outcome {
        let Params { object, files } = params;
        let at = self.place(channel)?;
        if at["type"] == 15 {
            let words = "Cannot send messages in a non-text channel";
            return Err(Refusal::of(400, 50_008, words));
        }
        check(&object, files.len())?;
        let nonce = object["nonce"].as_str().unwrap_or_default().to_owned();
        if object["enforce_nonce"] == true
            && let Some(before) = self.nonces.get(&nonce)
        {
            let before = self.message(channel, *before).cloned();
            return before.ok_or_else(|| Refusal::of(400, 0, "The nonce is of another channel"));
        }
        let (id, now) = self.tick();
        let mut message = objects::message((id, &at), &objects::bot(), &now);
        message["content"] = object["content"].as_str().unwrap_or_default().trim().into();
        message["flags"] = object["flags"].as_u64().unwrap_or(0).into();
        if object["components"].is_array() {
            message["components"] = object["components"].clone();
        }
        if !nonce.is_empty() {
            message["nonce"] = nonce.clone().into();
            self.nonces.insert(nonce, id);
        }
        let attachments = files
            .iter()
            .map(|file| self.attachment(&file.name, &file.content));
        message["attachments"] = attachments.collect();
        let answered = object["message_reference"]["message_id"].as_str();
        if let Some(answered) = answered {
            let there = answered
                .parse()
                .is_ok_and(|id| self.message(channel, id).is_some());
            if !there && object["message_reference"]["fail_if_not_exists"] != false {
                return Err(Refusal::of(400, 50_035, "Unknown message"));
            }
            if there {
                message["message_reference"] = json!({
                    "type": 0, "message_id": answered, "channel_id": channel.to_string(),
                });
            }
        }
        self.refer(channel, &mut message);
        self.sent.insert(id, (files, object));
        self.put(channel, id, message.clone());
        Ok(message)
    }

    /// <https://discord.com/developers/docs/resources/message#edit-message>
    pub(super) fn change(&mut self, (channel, id): (u64, u64), object: &Value) -> Outcome {
        self.mine((channel, id))?;
        check_text(object)?;
        let (_, now) = self.tick();
        let Some(message) = self.messages.get_mut(&(channel, id)) else {
            return Err(Refusal::of(404, 10_008, "Unknown Message"));
        };
        for field in ["content", "components", "flags"] {
            if !object[field].is_null() {
                message[field] = object[field].clone();
            }
        }
        message["edited_timestamp"] = now.into();
        let message = message.clone();
        self.dispatch("MESSAGE_UPDATE", &message);
        Ok(message)
    }

    /// <https://discord.com/developers/docs/resources/message#delete-message>
    pub(super) fn delete(&mut self, (channel, id): (u64, u64)) -> Outcome {
        self.mine((channel, id))?;
        self.messages.remove(&(channel, id));
        let gone = json!({ "id": id.to_string(), "channel_id": channel.to_string() });
        self.dispatch("MESSAGE_DELETE", &gone);
        Ok(Value::Null)
    }

    /// <https://discord.com/developers/docs/resources/message#create-reaction>
    pub(super) fn put_reaction(&mut self, at: (u64, u64), emoji: &str) -> Outcome {
        self.known(at)?;
        // What every server has is no word, and a heart is one only when it is said to be an emoji.
        if emoji.is_ascii() || emoji.contains(|c: char| c.is_ascii_alphabetic()) || emoji == "❤" {
            return Err(Refusal::of(400, 10_014, "Unknown Emoji"));
        }
        let there = self.reactions.entry(at).or_default();
        if !there.iter().any(|put| put == emoji) {
            there.push(emoji.to_owned());
        }
        Ok(Value::Null)
    }

    /// The messages of a channel behind one of them, the newest first:
    /// <https://discord.com/developers/docs/resources/message#get-channel-messages>.
    pub(super) fn page(&self, channel: u64, after: u64, limit: usize) -> Outcome {
        self.place(channel)?;
        let behind = self
            .messages
            .range((channel, after.saturating_add(1))..=(channel, u64::MAX));
        let mut page: Vec<Value> = behind
            .take(limit.min(100))
            .map(|(_, message)| read_back(message))
            .collect();
        page.reverse();
        Ok(page.into())
    }

    pub(super) fn place(&self, channel: u64) -> Outcome {
        let at = self.channels.get(&channel).cloned();
        at.ok_or_else(|| Refusal::of(404, 10_003, "Unknown Channel"))
    }

    fn known(&self, (channel, id): (u64, u64)) -> Outcome {
        self.place(channel)?;
        let message = self.message(channel, id).cloned();
        message.ok_or_else(|| Refusal::of(404, 10_008, "Unknown Message"))
    }

    fn mine(&self, at: (u64, u64)) -> Outcome {
        let message = self.known(at)?;
        if objects::is(&message["author"]["id"], BOT) {
            return Ok(message);
        }
        let words = "Cannot edit a message authored by another user";
        Err(Refusal::of(403, 50_005, words))
    }
}

/// A message as it is read later: of the server it says nothing, nor of the nonce.
fn read_back(message: &Value) -> Value {
    let mut message = message.clone();
    if let Some(fields) = message.as_object_mut() {
        for told in ["guild_id", "channel_type", "member", "nonce"] {
            fields.remove(told);
        }
    }
    message
}

fn check(object: &Value, files: usize) -> Result<(), Refusal> {
    check_text(object)?;
    let text = object["content"].as_str().unwrap_or_default();
    if text.trim().is_empty() && files == 0 {
        return Err(Refusal::of(400, 50_006, "Cannot send an empty message"));
    }
    if files > 10 {
        return Err(Refusal::of(400, 50_035, "Invalid Form Body"));
    }
    if object["nonce"]
        .as_str()
        .is_some_and(|nonce| nonce.len() > 25)
    {
        return Err(Refusal::of(400, 50_035, "Invalid Form Body"));
    }
    let named = object["attachments"].as_array().map_or(0, Vec::len);
    if named != files {
        return Err(Refusal::of(400, 50_035, "Invalid Form Body"));
    }
    Ok(())
}

fn check_text(object: &Value) -> Result<(), Refusal> {
    let text = object["content"].as_str().unwrap_or_default();
    let rows = object["components"].as_array();
    let each_row = |row: &Value| {
        let buttons = row["components"].as_array();
        let each_button = |button: &Value| {
            let label = button["label"].as_str().unwrap_or_default();
            let id = button["custom_id"].as_str().unwrap_or_default();
            (1..=80).contains(&label.encode_utf16().count()) && (1..=100).contains(&id.len())
        };
        buttons.is_some_and(|buttons| {
            (1..=5).contains(&buttons.len()) && buttons.iter().all(each_button)
        })
    };
    let fine = rows.is_none_or(|rows| rows.len() <= 5 && rows.iter().all(each_row));
    if text.chars().count() > TEXT_LIMIT || !fine {
        return Err(Refusal::of(400, 50_035, "Invalid Form Body"));
    }
    Ok(())
}
