//! The fake judged by what others wrote: the types of another library read all that it tells.

use serde_json::{Value, json};
use twilight_model::{
    application::interaction::Interaction,
    channel::{Channel, Message},
    gateway::payload::incoming::{
        GuildCreate, MessageCreate, MessageUpdate, ReactionAdd, ReactionRemove, Ready, ThreadCreate,
    },
    oauth::Application,
    user::CurrentUser,
};

use super::harness::ANN;
use crate::{
    buttons,
    fake::{FakeDiscord, GENERAL, POST},
};

fn read<T: serde::de::DeserializeOwned>(kind: &str, what: &Value) {
    if let Err(error) = serde_json::from_value::<T>(what.clone()) {
        panic!("{kind}: {error}: {what}");
    }
}

#[tokio::test]
async fn everything_that_is_told_can_be_read_by_others() {
    let fake = FakeDiscord::start().await.unwrap();
    let told = fake.with(|state| {
        state.begin(u64::MAX);
        let said = state.say(GENERAL, ANN, FakeDiscord::mention("hello"));
        let file = state.attachment("a.txt", b"a");
        let reference = json!({ "type": 0, "message_id": said.to_string() });
        let fields = json!({ "attachments": [file], "message_reference": reference });
        state.say(GENERAL, ANN, fields);
        let direct = state.direct(ANN);
        state.say(direct, ANN, json!({ "content": "here" }));
        state.revise(GENERAL, said, json!({ "content": "hello there" }));
        state.react("MESSAGE_REACTION_ADD", (GENERAL, said), ANN, "👍");
        state.react("MESSAGE_REACTION_REMOVE", (direct, said), ANN, "👍");
        state.open_thread(GENERAL);
        let id = buttons::id(anchorhold_channel::fake::question_id(1), 0);
        state.press(GENERAL, said, ANN, &id);
        state.press(direct, said, ANN, &id);
        state.sessions.remove(0).told
    });
    for (kind, what) in &told {
        match kind.as_str() {
            "READY" => read::<Ready>(kind, what),
            "GUILD_CREATE" => read::<GuildCreate>(kind, what),
            "MESSAGE_CREATE" => read::<MessageCreate>(kind, what),
            "MESSAGE_UPDATE" => read::<MessageUpdate>(kind, what),
            "MESSAGE_REACTION_ADD" => read::<ReactionAdd>(kind, what),
            "MESSAGE_REACTION_REMOVE" => read::<ReactionRemove>(kind, what),
            "THREAD_CREATE" => read::<ThreadCreate>(kind, what),
            "INTERACTION_CREATE" => read::<Interaction>(kind, what),
            other => panic!("{other} is read by nobody"),
        }
    }
    assert_eq!(told.len(), 11);
    let (channels, messages) = fake.with(|state| (state.channels.clone(), state.messages.clone()));
    for channel in channels.values() {
        read::<Channel>("channel", channel);
    }
    for message in messages.values() {
        read::<Message>("message", message);
    }
    assert!(channels.contains_key(&POST));
    read::<CurrentUser>("me", &crate::fake::objects_for_judges().0);
    read::<Application>("application", &crate::fake::objects_for_judges().1);
}
