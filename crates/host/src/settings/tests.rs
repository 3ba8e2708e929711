//! From the file to what the host is built from.

use std::{collections::BTreeMap, fs, io};

use anchorhold_channel::fake::{FakeClock, FakeEntropy};
use anchorhold_core::{
    entity::{
        AdminScope, EngageMode, GroupLimits, IgnoredPolicy, RuntimeChoice, SenderScope,
        SessionMode, UnknownSenderPolicy,
    },
    ids::{AgentGroupId, ChatId, ConversationId, FolderName, Handle, UserId, WiringId},
    inbound::ChatKind,
};
use anchorhold_store::reconcile::desired::{
    DesiredConversation, DesiredDestination, DesiredGroup, DesiredPerson, DesiredPolicy,
    DesiredRole, DesiredTarget, DesiredWiring, FileConfig,
};
use jiff::Timestamp;
use tempfile::TempDir;

use super::*;

const SAMPLE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../channels.toml"));

struct Place {
    dir: TempDir,
    path: Utf8PathBuf,
}

impl Place {
    fn with(text: &[u8]) -> Self {
        let dir = TempDir::new().unwrap();
        let path = Utf8PathBuf::from_path_buf(dir.path().join("channels.toml")).unwrap();
        fs::write(&path, text).unwrap();
        Self { dir, path }
    }

    fn around(&self) -> Surroundings {
        Surroundings {
            data_dir: Utf8PathBuf::from_path_buf(self.dir.path().to_owned()).unwrap(),
            clock: FakeClock::new(),
            entropy: FakeEntropy::new(),
            secrets: Arc::new(SecretSource {
                env: Box::new(|_name| None),
                file: Box::new(|_path| Err(io::ErrorKind::NotFound.into())),
            }),
        }
    }

    /// What is wrong with the file, without its own name.
    fn problems(&self) -> Vec<String> {
        let failure = match read(&self.path) {
            Ok((config, _text)) => match build_channels(&config, &self.around()) {
                Ok(_) => return Vec::new(),
                Err(failure) => failure,
            },
            Err(failure) => failure,
        };
        let prefix = format!("{}: ", self.path);
        let text = failure.to_string();
        text.lines().map(|line| line.replace(&prefix, "")).collect()
    }
}

#[test]
fn the_sample_builds() {
    let place = Place::with(SAMPLE.as_bytes());
    let (config, text) = read(&place.path).unwrap();
    assert_eq!(text, SAMPLE.as_bytes());
    let built = build_channels(&config, &place.around()).unwrap();
    let names: Vec<_> = built.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["cli"]);
    let instance = &built[0].1;
    assert_eq!(instance.unknown_senders, UnknownSenderPolicy::Public);
    assert_eq!(instance.table, toml::Table::new());
    assert_eq!(
        instance.health.get().connection,
        anchorhold_channel::Connection::Starting
    );
    assert!(!instance.shutdown.is_cancelled());
}

#[track_caller]
fn check_problems(text: &str, expect: &[&str]) {
    assert_eq!(Place::with(text.as_bytes()).problems(), expect, "{text}");
}

#[test]
fn what_a_channel_finds_wrong_is_said_with_its_line() {
    check_problems("[channels.a]\ntype = \"cli\"\n", &[]);
    check_problems(
        "[channels.a]\ntype = \"cli\"\nsocket = 3\n\n[channels.b]\ntype = \"cli\"\nsokcet = \"x\"\n",
        &[
            "channels.a.socket: has to be a path, not this whole number (line 3)",
            "channels.b.sokcet: is not a key here, did you mean `socket`? (line 7)",
        ],
    );
    // What the file itself has wrong comes first, and alone.
    check_problems(
        "[channels.a]\ntype = \"clj\"\n\n[channels.b]\ntype = \"cli\"\nsocket = 3\n",
        &["channels.a.type: there is no channel type \"clj\"; did you mean \"cli\"? (line 2)"],
    );
}

#[test]
fn a_file_that_can_not_be_read_is_named() {
    let check = |place: &Place, kind: io::ErrorKind| match read(&place.path) {
        Err(SettingsError::Read { path, source }) => {
            assert_eq!((path, source.kind()), (place.path.clone(), kind));
        }
        other => panic!("{other:?}"),
    };
    let place = Place::with(b"");
    fs::remove_file(&place.path).unwrap();
    check(&place, io::ErrorKind::NotFound);
    check(&Place::with(b"[channels.\xff]"), io::ErrorKind::InvalidData);
    // A file without an end is not read to it.
    let long = Place::with(&vec![b'\n'; FILE_LIMIT_BYTES * 3]);
    assert!(matches!(read(&long.path), Err(SettingsError::Wrong(_))));
}

const FULL: &str = r#"
[channels.one]
type = "cli"
unknown_senders = "strict"
[agents.helper]
name = "Helper"
assistant_name = "Hal"
admin_scope = "disabled"
provider = "offline"
[agents.helper.limits]
tries = 2
[[wirings]]
channel = "one"
chat = "c"
agent = "helper"
engage = "mention"
senders = "known"
ignored = "accumulate"
session = "shared"
priority = -3
[[conversations]]
channel = "one"
chat = "c"
kind = "direct"
declined = true
[[people]]
channel = "one"
handle = "a:b"
name = "Ann"
roles = ["owner", "admin", "admin:helper"]
member_of = ["helper"]
[[destinations]]
agent = "helper"
name = "there"
channel = "one"
chat = "c"
[[destinations]]
agent = "helper"
name = "self"
to_agent = "helper"
"#;

#[test]
fn the_database_is_to_hold_what_the_file_says() {
    let place = Place::with(FULL.as_bytes());
    let (config, _text) = read(&place.path).unwrap();
    let mut count = 0;
    let seed = || {
        count += 1;
        (Timestamp::UNIX_EPOCH, [count; 10])
    };
    let file = desired(&config, seed);
    let limits = file.groups[0].limits;
    assert_eq!(limits.tries, 2);
    assert_eq!(file, full(limits));
}

fn full(limits: GroupLimits) -> FileConfig {
    let folder = FolderName::parse("helper").unwrap();
    let one = ChannelName::parse("one").unwrap();
    let chat = ChatId::parse("c").unwrap();
    FileConfig {
        groups: vec![DesiredGroup {
            fresh: AgentGroupId::mint(Timestamp::UNIX_EPOCH, [1; 10]),
            name: "Helper".to_owned(),
            folder: folder.clone(),
            provider: "offline".to_owned(),
            model: None,
            runtime: RuntimeChoice::Auto,
            limits,
            assistant_name: Some("Hal".to_owned()),
            admin_scope: AdminScope::Disabled,
        }],
        wirings: vec![DesiredWiring {
            fresh: WiringId::mint(Timestamp::UNIX_EPOCH, [2; 10]),
            channel: one.clone(),
            chat: Some(chat.clone()),
            group: folder.clone(),
            engage: EngageMode::Mention,
            pattern: None,
            sender_scope: SenderScope::Known,
            ignored: IgnoredPolicy::Accumulate,
            session_mode: SessionMode::Shared,
            priority: -3,
        }],
        policies: vec![DesiredPolicy {
            channel: one.clone(),
            unknown_senders: UnknownSenderPolicy::Strict,
        }],
        conversations: vec![DesiredConversation {
            fresh: ConversationId::mint(Timestamp::UNIX_EPOCH, [3; 10]),
            channel: one.clone(),
            chat: chat.clone(),
            kind: ChatKind::Direct,
            name: None,
            unknown_senders: None,
            declined: true,
        }],
        people: vec![DesiredPerson {
            fresh: UserId::mint(Timestamp::UNIX_EPOCH, [4; 10]),
            channel: one.clone(),
            handle: Handle::parse("a:b").unwrap(),
            name: Some("Ann".to_owned()),
            roles: vec![
                DesiredRole::Owner,
                DesiredRole::Admin,
                DesiredRole::AdminOf(folder.clone()),
            ],
            member_of: vec![folder.clone()],
        }],
        destinations: vec![
            DesiredDestination {
                group: folder.clone(),
                name: "there".to_owned(),
                target: DesiredTarget::Chat { channel: one, chat },
            },
            DesiredDestination {
                group: folder.clone(),
                name: "self".to_owned(),
                target: DesiredTarget::Agent(folder),
            },
        ],
    }
}

/// Each channel of this build can be built from nothing but its type, or says what it needs.
#[test]
fn a_channel_without_settings_is_built_or_says_what_is_missing() {
    let outcomes: BTreeMap<_, _> = compiled()
        .iter()
        .map(|one| {
            let name = one.factory.type_name;
            let text = format!("[channels.a]\ntype = \"{name}\"\n");
            (name, Place::with(text.as_bytes()).problems())
        })
        .collect();
    assert_eq!(outcomes["cli"], Vec::<String>::new());
    for (name, problems) in outcomes {
        let at_home = |line: &String| line.starts_with("channels.a.");
        assert!(problems.iter().all(at_home), "{name}: {problems:?}");
    }
}
