//! What the fields of a request become, or why they become nothing.

use anchorhold_channel::{
    fake::{FakeClock, FakeEntropy, FakePlatform, all_caps},
    health,
};
use anchorhold_core::{
    access::Role,
    clock::{Clock, Entropy},
    entity::{
        AgentGroup, EngageMode, GroupLimits, IgnoredPolicy, ManagedBy, RuntimeChoice, SenderScope,
        SessionMode, UnknownSenderPolicy,
    },
    guard::act::{ConversationChange, GroupChange, NewGroup, NewWiring, Target, WiringRules},
    ids::{ChannelName, ChatId, ConversationId, FolderName, Handle, UserId},
    inbound::ChatKind,
};
use anchorhold_store::{Store, conversations::NewConversation, people::NewUser};
use camino::Utf8PathBuf;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{base::mint, dirs::Dirs, registry::Instance};

/// A store with one agent `helper`, one known chat `c`, and one person `u`, and a channel `one`.
struct Place {
    base: Base,
    registry: Registry,
    group: AgentGroupId,
    conversation: ConversationId,
    user: UserId,
    _dir: TempDir,
}

fn folder(name: &str) -> FolderName {
    FolderName::parse(name).unwrap()
}

fn one() -> ChannelName {
    ChannelName::parse("one").unwrap()
}

impl Place {
    async fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let root = Utf8PathBuf::from_path_buf(dir.path().join("data")).unwrap();
        let dirs = Dirs::open(&root).unwrap();
        let store = Store::open(dirs.database().as_std_path()).await.unwrap();
        let clock: Arc<dyn Clock> = FakeClock::new();
        let entropy: Arc<dyn Entropy> = FakeEntropy::new();
        let (bell, _rings) = inside::bell();
        let base = Base::new(store, dirs, (None, bell), Arc::clone(&clock), entropy);
        let (reporter, health) = health::pair(clock);
        let registry = Registry::default();
        let instance = Instance {
            adapter: FakePlatform::new(all_caps()).adapter(one()),
            health,
            reporter,
            unknown_senders: UnknownSenderPolicy::Strict,
            kind: "fake".to_owned(),
            table: toml::Table::new(),
            shutdown: CancellationToken::new(),
        };
        registry.add(one(), instance);
        let (now, random) = base.seed();
        let group = AgentGroup {
            id: AgentGroupId::mint(now, random),
            name: "Helper".to_owned(),
            folder: folder("helper"),
            provider: "offline".to_owned(),
            model: None,
            runtime: RuntimeChoice::Auto,
            limits: GroupLimits::USUAL,
            managed_by: ManagedBy::Runtime,
        };
        base.store.add_group(&group, now).await.unwrap();
        let chat = NewConversation {
            id: mint!(base, ConversationId),
            channel: one(),
            chat: ChatId::parse("-100").unwrap(),
            kind: ChatKind::Group,
            name: None,
            unknown_senders: UnknownSenderPolicy::Strict,
        };
        let person = NewUser {
            id: mint!(base, UserId),
            channel: one(),
            handle: Handle::parse("u").unwrap(),
            display_name: None,
        };
        let conversation = base.store.ensure_conversation(&chat, now).await.unwrap().id;
        let user = base.store.ensure_user(&person, now).await.unwrap();
        Self {
            base,
            registry,
            group: group.id,
            conversation,
            user,
            _dir: dir,
        }
    }

    async fn act(&self, resource: &str, verb: &str, args: &[(&str, &str)]) -> Result<Act, Refusal> {
        let args = args.iter();
        let request = Request {
            resource: resource.to_owned(),
            verb: verb.to_owned(),
            args: args
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        };
        let checked = request.check().unwrap();
        let lookup = Lookup {
            base: &self.base,
            registry: &self.registry,
            checked: &checked,
        };
        lookup.act().await
    }

    async fn check(&self, resource: &str, verb: &str, args: &[(&str, &str)], expect: Act) {
        let act = self.act(resource, verb, args).await.unwrap();
        assert_eq!(act, expect, "{resource} {verb} {args:?}");
    }

    async fn refuse(
        &self,
        (resource, verb): (&str, &str),
        args: &[(&str, &str)],
        (code, says): (FailCode, &str),
    ) {
        match self.act(resource, verb, args).await {
            Err(Refusal::Said(said, what)) => {
                assert_eq!(said, code, "{resource} {verb} {args:?}: {what}");
                assert!(what.contains(says), "{what}");
            }
            other => panic!("{resource} {verb} {args:?}: {other:?}"),
        }
    }
}

fn plain_rules() -> WiringRules {
    WiringRules {
        engage: EngageMode::Pattern,
        pattern: Some(".".to_owned()),
        sender_scope: SenderScope::All,
        ignored: IgnoredPolicy::Drop,
        session_mode: SessionMode::Shared,
        priority: 0,
    }
}

#[tokio::test]
async fn what_is_asked_about_agents() {
    let place = Place::new().await;
    let group = place.group;
    let bare = NewGroup {
        folder: folder("new"),
        name: None,
        provider: None,
        model: None,
        runtime: None,
        admin_scope: None,
    };
    // An empty model is none.
    for args in [
        &[("folder", "new")][..],
        &[("folder", "new"), ("model", "")],
    ] {
        let expect = Act::CreateGroup(bare.clone());
        place.check("groups", "create", args, expect).await;
    }
    let full = NewGroup {
        name: Some("New one".to_owned()),
        provider: Some("offline".to_owned()),
        model: Some("m".to_owned()),
        runtime: Some(RuntimeChoice::Docker),
        admin_scope: Some(AdminScope::Global),
        ..bare
    };
    let args = [
        ("folder", "new"),
        ("name", "New one"),
        ("provider", "offline"),
        ("model", "m"),
        ("runtime", "docker"),
        ("admin-scope", "global"),
    ];
    place
        .check("groups", "create", &args, Act::CreateGroup(full))
        .await;
    let change = GroupChange {
        prompt_messages: Some(3),
        tries: Some(2),
        assistant_name: Some(String::new()),
        ..GroupChange::default()
    };
    let id = group.to_string();
    // By folder and by id.
    for name in ["helper", &id] {
        let args = [
            ("id", name),
            ("prompt-messages", "3"),
            ("tries", "2"),
            ("assistant-name", ""),
        ];
        let change = change.clone();
        let expect = Act::UpdateGroup { group, change };
        place.check("groups", "update", &args, expect).await;
        let gone = Act::DeleteGroup { group };
        place.check("groups", "delete", &[("id", name)], gone).await;
    }
    let message = Some("a\nb".to_owned());
    let args = [("id", "helper"), ("message", "a\nb")];
    let expect = Act::RestartGroup { group, message };
    place.check("groups", "restart", &args, expect).await;
    let nobody = (FailCode::NotFound, "there is no such group (GROUP)");
    for verb in ["delete", "restart"] {
        let args = [("id", "nobody")];
        place.refuse(("groups", verb), &args, nobody).await;
    }
    let args = [("folder", "new"), ("provider", "x")];
    let says = (FailCode::Usage, "--provider");
    place.refuse(("groups", "create"), &args, says).await;
}

#[tokio::test]
async fn what_is_asked_about_wirings() {
    let place = Place::new().await;
    let wire = |chat: Option<&str>, rules: WiringRules| {
        Act::CreateWiring(NewWiring {
            channel: one(),
            chat: chat.map(|chat| ChatId::parse(chat).unwrap()),
            group: place.group,
            rules,
        })
    };
    let ends = [
        ("channel", "one"),
        ("conversation", "-100"),
        ("group", "helper"),
    ];
    let with = |more: &[(&'static str, &'static str)]| [&ends[..], more].concat();
    let expect = wire(Some("-100"), plain_rules());
    place.check("wirings", "create", &with(&[]), expect).await;
    let everywhere = [
        ("channel", "one"),
        ("conversation", "*"),
        ("group", "helper"),
    ];
    let expect = wire(None, plain_rules());
    place.check("wirings", "create", &everywhere, expect).await;
    for (engage, mode) in [
        ("mention", EngageMode::Mention),
        ("mention-sticky", EngageMode::MentionSticky),
    ] {
        let rules = WiringRules {
            engage: mode,
            pattern: None,
            ..plain_rules()
        };
        let args = with(&[("engage", engage)]);
        place
            .check("wirings", "create", &args, wire(Some("-100"), rules))
            .await;
    }
    let rules = WiringRules {
        pattern: Some("^x".to_owned()),
        sender_scope: SenderScope::Known,
        ignored: IgnoredPolicy::Accumulate,
        session_mode: SessionMode::AgentShared,
        priority: -3,
        ..plain_rules()
    };
    let args = with(&[
        ("pattern", "^x"),
        ("senders", "known"),
        ("ignored", "accumulate"),
        ("session", "agent-shared"),
        ("priority", "-3"),
    ]);
    place
        .check("wirings", "create", &args, wire(Some("-100"), rules))
        .await;
    let bad = with(&[("pattern", "(")]);
    let says = (FailCode::Usage, "`wirings create`: --pattern: ");
    place.refuse(("wirings", "create"), &bad, says).await;
    let elsewhere = [
        ("channel", "two"),
        ("conversation", "x"),
        ("group", "helper"),
    ];
    let says = (FailCode::NotFound, "there is no such channel (--channel)");
    place.refuse(("wirings", "create"), &elsewhere, says).await;
}

#[tokio::test]
async fn what_is_asked_about_people() {
    let place = Place::new().await;
    let (group, user) = (place.group, place.user);
    let id = user.to_string();
    let named: [&[(&str, &str)]; 2] = [&[("user", &id)], &[("channel", "one"), ("handle", "u")]];
    for person in named {
        let with = |more: &[(&'static str, &'static str)]| {
            let mut args = person.to_vec();
            args.extend_from_slice(more);
            args
        };
        let role = Role::GroupAdmin(group);
        let args = with(&[("role", "admin"), ("group", "helper")]);
        place
            .check("roles", "grant", &args, Act::GrantRole { user, role })
            .await;
        let role = Role::Owner;
        let args = with(&[("role", "owner")]);
        place
            .check("roles", "revoke", &args, Act::RevokeRole { user, role })
            .await;
        let args = with(&[("group", "helper")]);
        place
            .check("members", "add", &args, Act::AddMember { user, group })
            .await;
    }
    let nobody = place.conversation.to_string();
    let nobody = [("user", nobody.as_str()), ("group", "helper")];
    let says = (FailCode::NotFound, "there is no such user (--user)");
    place.refuse(("members", "add"), &nobody, says).await;
}

#[tokio::test]
async fn what_is_asked_about_places() {
    let place = Place::new().await;
    let (group, conversation) = (place.group, place.conversation);
    let change = ConversationChange {
        declined: Some(false),
        unknown_senders: Some(UnknownSenderPolicy::Public),
        name: None,
    };
    let known = conversation.to_string();
    let args = [
        ("id", known.as_str()),
        ("declined", "false"),
        ("unknown-senders", "public"),
    ];
    let expect = Act::UpdateConversation {
        conversation,
        change,
    };
    place.check("conversations", "update", &args, expect).await;
    let args = [
        ("group", "helper"),
        ("name", "team"),
        ("channel", "one"),
        ("conversation", "-100"),
    ];
    let name = folder("team");
    let expect = Act::AddDestination {
        group,
        name: name.clone(),
        target: Target::Conversation(conversation),
    };
    place.check("destinations", "add", &args, expect).await;
    let args = [
        ("group", "helper"),
        ("name", "team"),
        ("to-group", "helper"),
    ];
    let expect = Act::AddDestination {
        group,
        name,
        target: Target::Agent(group),
    };
    place.check("destinations", "add", &args, expect).await;
    let expect = Act::Restore { undo: 7 };
    place.check("undo", "restore", &[("id", "7")], expect).await;
    for id in ["x", known.as_str()] {
        let code = if id == "x" {
            FailCode::Usage
        } else {
            FailCode::NotFound
        };
        let args = [("id", id)];
        place
            .refuse(("sessions", "close"), &args, (code, "ID"))
            .await;
    }
}
