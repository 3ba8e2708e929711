//! Verification by emoji, between a person's client and the operator's terminal.

use std::sync::{Arc, Mutex};

use anchorhold_channel::{ChannelAdapter as _, ChannelError, Talk};
use async_trait::async_trait;
use camino::{Utf8Path, Utf8PathBuf};
use matrix_sdk::{
    encryption::verification::{Emoji, SasVerification},
    ruma::{OwnedUserId, UserId},
};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use super::{
    bench::{self, Memory, Running, table},
    people::{Person, text},
    sees,
    synapse::Synapse,
};
use crate::MatrixAdapter;

/// An operator who sees the same pictures, or does not.
struct Operator {
    sees_the_same: bool,
    said: Mutex<Vec<String>>,
}

#[async_trait]
impl Talk for Operator {
    async fn say(&self, line: &str) {
        self.said.lock().unwrap().push(line.to_owned());
    }

    async fn agrees(&self, question: &str) -> bool {
        self.said.lock().unwrap().push(question.to_owned());
        self.sees_the_same || !question.contains("same")
    }
}

/// A person in a direct chat with the bot, whose host is stopped, and an operator who waits.
struct Scene {
    _synapse: Arc<Synapse>,
    _dir: TempDir,
    ann: Person,
    bot: OwnedUserId,
    operator: Arc<Operator>,
    verifying: JoinHandle<Result<(), ChannelError>>,
}

async fn scene(sees_the_same: bool) -> Scene {
    let synapse = Synapse::shared().await.unwrap();
    let number = synapse.number();
    let account = synapse.register(&format!("bot{number}")).await;
    let ann = Person::new(&synapse, &format!("ann{number}")).await;
    let bot = UserId::parse(&account.user).unwrap();
    let encryption = ann.client.encryption();
    Box::pin(encryption.bootstrap_cross_signing(None))
        .await
        .unwrap();
    let dir = TempDir::new().unwrap();
    let path: Utf8PathBuf = Utf8Path::from_path(dir.path()).unwrap().to_owned();
    let table = table(&synapse.base, &account.user);
    let running = Running::start(&path, &table, &Memory::new()).await;
    let room = Box::pin(ann.client.create_dm(&bot)).await.unwrap();
    let here = room.room_id().as_str();
    sees("the bot in the room", async || {
        let member = Box::pin(room.get_member(&bot)).await.unwrap();
        member.is_some_and(|member| member.membership().as_str() == "join")
    })
    .await;
    ann.look_at(&account.user).await;
    ann.send(here, text("hello"), "1").await.unwrap();
    running.stored(1).await;
    running.stop().await;
    let cx = bench::context(&path);
    let settings = bench::settings(&cx, &table);
    let adapter = MatrixAdapter::new(&cx, settings).unwrap();
    let operator = Arc::new(Operator {
        sees_the_same,
        said: Mutex::default(),
    });
    let verifying = {
        let operator = Arc::clone(&operator);
        TaskTracker::new().spawn(async move { adapter.verify(operator.as_ref()).await })
    };
    Scene {
        _synapse: synapse,
        _dir: dir,
        ann,
        bot,
        operator,
        verifying,
    }
}

impl Scene {
    /// The person begins, and comes as far as to the pictures.
    async fn begin(&mut self) -> SasVerification {
        sees("that the operator is told to wait", async || {
            !self.said().is_empty() || self.verifying.is_finished()
        })
        .await;
        let ended_at_once = self.said().is_empty();
        assert!(!ended_at_once, "{:?}", (&mut self.verifying).await);
        let encryption = self.ann.client.encryption();
        let identity = Box::pin(encryption.request_user_identity(&self.bot)).await;
        let identity = identity.unwrap().expect("the bot has an identity");
        let request = Box::pin(identity.request_verification()).await.unwrap();
        sees("that the bot goes along", async || request.is_ready()).await;
        let sas = Box::pin(request.start_sas()).await.unwrap().unwrap();
        sees("the pictures", async || sas.can_be_presented()).await;
        sas
    }

    fn said(&self) -> Vec<String> {
        self.operator.said.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn who_sees_the_same_pictures_trusts_the_bot() {
    let mut scene = scene(true).await;
    let sas = scene.begin().await;
    let shown: Vec<String> = sas
        .emoji()
        .unwrap()
        .iter()
        .map(
            |Emoji {
                 symbol,
                 description,
                 ..
             }| format!("{symbol} {description}"),
        )
        .collect();
    let shown = shown.join("  ");
    sees("the same pictures", async || scene.said().contains(&shown)).await;
    Box::pin(sas.confirm()).await.unwrap();
    sees("the end", async || sas.is_done()).await;
    scene.verifying.await.unwrap().unwrap();
    // The bot's identity vouches for its device.
    let is_trusted = async || {
        scene.ann.look_at(scene.bot.as_str()).await;
        let encryption = scene.ann.client.encryption();
        let identity = encryption.get_user_identity(&scene.bot).await;
        let devices = encryption.get_user_devices(&scene.bot).await.unwrap();
        identity.unwrap().unwrap().is_verified()
            && devices.devices().any(|device| device.is_verified())
    };
    sees("that the bot is trusted", is_trusted).await;
}

#[tokio::test]
async fn who_sees_others_does_not() {
    let mut scene = scene(false).await;
    let sas = scene.begin().await;
    let refused = scene.verifying.await.unwrap().unwrap_err();
    assert!(refused.to_string().contains("not the same"), "{refused}");
    sees("that it is off", async || sas.is_cancelled()).await;
    let encryption = scene.ann.client.encryption();
    let identity = encryption.get_user_identity(&scene.bot).await;
    assert!(!identity.unwrap().unwrap().is_verified());
}
