//! Matrix, on a homeserver that others wrote.

use std::{sync::Arc, time::Duration};

use anchorhold_channel::{
    ChannelAdapter, ChannelContext, Cursor, CursorStore, FactoryContext, Inbox, Intake,
    SecretSource,
    fake::{FakeClock, FakeCursorStore, FakeEntropy, FakeIntake, part_key},
    health,
};
use anchorhold_core::{
    address::Address,
    ids::{ChannelName, ChatId, Handle},
    outbound::{OutboundOp, Voice},
};
use camino::Utf8Path;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::{
    harness::{PATIENCE, Place},
    synapse::{Account, PASSWORD, Synapse},
};

const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The bot on a running host, and a person in a direct chat with it.
struct Scene {
    synapse: Arc<Synapse>,
    place: Place,
    bot: Account,
    ann: Account,
    room: String,
}

async fn start() -> Scene {
    let synapse = Synapse::shared().await.unwrap();
    let number = synapse.number();
    let bot = synapse.register(&format!("bot{number}")).await;
    let ann = synapse.register(&format!("ann{number}")).await;
    let channel = format!(
        "type = \"matrix\"\nhomeserver = \"{}\"\nuser = \"{}\"\npassword = \"env:MATRIX_PASSWORD\"\n\
         invites = [\"{}\"]",
        synapse.base, bot.user, ann.user
    );
    let mut place = Place::new(&channel, &[("MATRIX_PASSWORD", PASSWORD)]);
    place.start();
    let request = json!({
        "preset": "trusted_private_chat", "invite": [bot.user], "is_direct": true,
    });
    let made = synapse
        .call("POST", "createRoom", Some(&ann.token), request)
        .await;
    let room = made["room_id"].as_str().unwrap().to_owned();
    Scene {
        synapse,
        place,
        bot,
        ann,
        room,
    }
}

impl Scene {
    async fn say(&self, transaction: &str, content: Value) -> String {
        let path = format!("rooms/{}/send/m.room.message/{transaction}", self.room);
        let sent = self
            .synapse
            .call("PUT", &path, Some(&self.ann.token), content)
            .await;
        sent["event_id"]
            .as_str()
            .unwrap_or_else(|| panic!("{sent}"))
            .to_owned()
    }

    /// What the bot has said, oldest first.
    async fn said(&self) -> Vec<Value> {
        let path = format!("rooms/{}/messages?dir=b&limit=200", self.room);
        let page = self
            .synapse
            .call("GET", &path, Some(&self.ann.token), Value::Null)
            .await;
        let mut events = page["chunk"].as_array().cloned().unwrap_or_default();
        events.retain(|event| {
            event["type"] == "m.room.message" && event["sender"] == self.bot.user.as_str()
        });
        events.reverse();
        events
    }

    /// Waits until the bot has said something of which this holds, and gives it.
    async fn hears(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let look = async {
            loop {
                let found = self.said().await.into_iter().find(|event| is(event));
                if let Some(event) = found {
                    return event;
                }
                time::sleep(LOOK_AGAIN).await;
            }
        };
        let heard = time::timeout(PATIENCE, look).await;
        heard.unwrap_or_else(|elapsed| {
            panic!("never came ({elapsed}): {what}\n{}", self.place.log())
        })
    }

    async fn hears_words(&self, words: &str) -> Value {
        let has = |event: &Value| {
            let body = event["content"]["body"].as_str();
            body.is_some_and(|body| body.contains(words))
        };
        self.hears(words, has).await
    }
}

fn text(body: &str) -> Value {
    json!({ "msgtype": "m.text", "body": body })
}

#[tokio::test]
async fn a_message_is_answered_and_what_came_meanwhile_after_a_restart() {
    let mut scene = start().await;
    let first = scene.say("1", text("hello")).await;
    let answer = scene.hears_words("You wrote: “hello”").await;
    let replied = &answer["content"]["m.relates_to"]["m.in_reply_to"]["event_id"];
    assert_eq!(*replied, first.as_str());
    let mut edit = text("* hello there");
    edit["m.new_content"] = text("hello there");
    edit["m.relates_to"] = json!({ "rel_type": "m.replace", "event_id": first });
    scene.say("2", edit).await;
    scene
        .hears_words("You changed message #2 to: “hello there”")
        .await;
    scene.place.stop().await;
    scene.say("3", text("while you were away")).await;
    scene.place.start();
    scene.hears_words("“while you were away”").await;
    scene.place.stop().await;
    assert_eq!(scene.said().await.len(), 3);
    let log = scene.place.log();
    assert!(!log.contains(PASSWORD), "the password is in the log");
    assert!(!log.contains("syt_"), "a token is in the log");
    assert!(!log.contains("while you were away"), "words are in the log");
}

#[tokio::test]
async fn a_thread_a_question_and_a_long_answer_go_the_whole_way() {
    let mut scene = start().await;
    let root = scene.say("1", text("hello")).await;
    scene.hears_words("You wrote: “hello”").await;
    let mut threaded = text("in the thread");
    threaded["m.relates_to"] = json!({ "rel_type": "m.thread", "event_id": root });
    scene.say("2", threaded).await;
    let answer = scene.hears_words("“in the thread”").await;
    assert_eq!(answer["content"]["m.relates_to"]["event_id"], root.as_str());

    let ask = "!tool ask_question {\"title\": \"Deploy?\", \"options\": [\"yes\", \"no\"]}";
    scene.say("3", text(ask)).await;
    let asked = scene.hears_words("Deploy?").await;
    let asked = asked["content"]["body"].as_str().unwrap();
    let code = asked.split("`/answer ").nth(1).unwrap();
    let code = code.split(' ').next().unwrap();
    scene.say("4", text(&format!("/answer {code} 2"))).await;
    scene.hears_words(": no").await;

    scene.say("5", text("!big 30000")).await;
    let look = async {
        loop {
            let said = scene.said().await;
            let bodies = said
                .iter()
                .filter_map(|event| event["content"]["body"].as_str());
            let digits: usize = bodies.filter(|body| body.len() > 1_000).map(str::len).sum();
            if digits == 30_000 {
                return;
            }
            time::sleep(LOOK_AGAIN).await;
        }
    };
    let came = time::timeout(PATIENCE, look).await;
    came.expect("thirty thousand digits come");
    scene.place.stop().await;
}

#[tokio::test]
async fn a_probe_says_who_the_bot_is_also_beside_a_running_host() {
    let mut scene = start().await;
    scene.say("1", text("hello")).await;
    scene.hears_words("You wrote: “hello”").await;
    let probed = scene.place.cli(&["channels", "probe", "c"]).await;
    let said = String::from_utf8(probed.stdout).unwrap();
    assert!(
        said.starts_with(&format!("c is {}\n", scene.bot.user)),
        "{said}"
    );
    assert!(said.contains(&scene.ann.user), "{said}");
    // The keys are the running host's alone.
    let refused = scene.place.cli(&["channels", "verify", "c"]).await;
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(
        said.contains("another process has the bot's keys open"),
        "{said}"
    );
    assert!(!refused.status.success());
    scene.place.stop().await;
}

/// A person who reads and writes encrypted: their client is an adapter too.
struct Client {
    adapter: Arc<dyn ChannelAdapter>,
    intake: Arc<FakeIntake>,
    chat: ChatId,
    _dir: TempDir,
    _stop: DropGuard,
}

fn phone() -> ChannelName {
    ChannelName::parse("phone").unwrap()
}

impl Client {
    /// Logs the person in and begins a direct chat with the bot.
    async fn start(scene: &Scene) -> Self {
        let dir = TempDir::new().unwrap();
        let cx = FactoryContext {
            name: phone(),
            data_dir: Utf8Path::from_path(dir.path()).unwrap().to_owned(),
            clock: FakeClock::new(),
            entropy: FakeEntropy::new(),
            secrets: Arc::new(SecretSource {
                env: Box::new(|_name| Some(PASSWORD.to_owned())),
                file: Box::new(|_path| Err(std::io::ErrorKind::NotFound.into())),
            }),
        };
        let table = format!(
            "homeserver = \"{}\"\nuser = \"{}\"\npassword = \"env:PASSWORD\"",
            scene.synapse.base, scene.ann.user
        );
        let factory = anchorhold_channel_matrix::FACTORY;
        let adapter = (factory.build)(&cx, table.parse().unwrap()).unwrap();
        let intake = FakeIntake::new();
        let hears: Arc<dyn Intake> = Arc::<FakeIntake>::clone(&intake);
        let cursors: Arc<dyn CursorStore> = FakeCursorStore::new();
        let (health, _view) = health::pair(FakeClock::new());
        let stop = CancellationToken::new();
        let context = ChannelContext {
            inbox: Inbox::new(phone(), hears),
            cursor: Cursor::new(phone(), cursors),
            health,
            shutdown: stop.clone(),
        };
        let running = Arc::clone(&adapter);
        TaskTracker::new().spawn(async move { running.run(context).await });
        let bot = Handle::parse(&scene.bot.user).unwrap();
        let chat = adapter.open_direct(&bot).await.unwrap();
        Self {
            adapter,
            intake,
            chat,
            _dir: dir,
            _stop: stop.drop_guard(),
        }
    }

    async fn say(&self, words: &str, key: u32) {
        let to = Address {
            channel: phone(),
            chat: self.chat.clone(),
            thread: None,
        };
        let post = OutboundOp::Post {
            text: words.to_owned(),
            files: Vec::new(),
            reply_to: None,
            voice: Voice::Agent,
        };
        self.adapter.send(&to, &post, part_key(key)).await.unwrap();
    }

    /// Waits for the answers so far.
    async fn hears(&self, answers: &[&str], place: &Place) {
        let count = answers.len();
        let came = self.intake.until(PATIENCE, |now| now.events.len() >= count);
        assert!(came.await, "answers were expected\n{}", place.log());
        let events = self.intake.events();
        assert_eq!(events.len(), count);
        for (event, answer) in events.iter().zip(answers) {
            assert!(event.text.contains(answer), "{}", event.text);
        }
    }
}

#[tokio::test]
async fn an_encrypted_chat_stays_one_over_a_restart() {
    let mut scene = start().await;
    let client = Client::start(&scene).await;
    let path = format!("rooms/{}/joined_members", client.chat);
    let joined = async {
        loop {
            let token = Some(scene.ann.token.as_str());
            let members = scene.synapse.call("GET", &path, token, Value::Null).await;
            if members["joined"].get(&scene.bot.user).is_some() {
                return;
            }
            time::sleep(LOOK_AGAIN).await;
        }
    };
    let joined = time::timeout(PATIENCE, joined).await;
    joined.unwrap_or_else(|elapsed| panic!("nobody joined ({elapsed})\n{}", scene.place.log()));
    client.say("a secret", 1).await;
    client.hears(&["You wrote: “a secret”"], &scene.place).await;
    scene.place.stop().await;
    client.say("while you were away", 2).await;
    scene.place.start();
    let answers = ["You wrote: “a secret”", "You wrote: “while you were away”"];
    client.hears(&answers, &scene.place).await;
    scene.place.stop().await;
    // Nothing of it is in the open.
    scene.room = client.chat.to_string();
    assert_eq!(scene.said().await, Vec::<Value>::new());
    let log = scene.place.log();
    assert!(!log.contains("a secret"), "words are in the log");
}
