//! People for the tests: who writes, who may decide, what they are asked and what they choose.

use anchorhold_admin::request::{Reply, Request};
use anchorhold_channel::Answered;
use anchorhold_core::{
    access::Role,
    entity::AgentGroup,
    ids::{AgentGroupId, FolderName, QuestionId, UserId},
    inbound::{ChatKind, InboundAnswer, Sender},
    outbound::Question,
    sandbox::ExitStatus,
};
use anchorhold_store::people::NewUser;

use super::*;
use crate::{
    app::reload::{Watched, reload},
    control,
};

/// One channel and the agent `helper`, which hears nothing.
pub(super) const UNHEARD: &str = r#"
[channels.one]
type = "cli"
[agents.helper]
provider = "offline"
"#;

/// One channel that treats strangers by `policy`; the agent `helper` hears every chat of it by the
/// rules `wiring`.
pub(super) fn heard(policy: &str, wiring: &str) -> String {
    format!(
        "[channels.one]\ntype = \"cli\"\nunknown_senders = \"{policy}\"\n\
         [agents.helper]\nprovider = \"offline\"\n\
         [[wirings]]\nchannel = \"one\"\nchat = \"*\"\nagent = \"helper\"\n{wiring}\n"
    )
}

/// As [`heard`], with a second agent `second`, which hears by rules of its own.
pub(super) fn both_hear(policy: &str, helper: &str, second: &str) -> String {
    format!(
        "{}[agents.second]\nprovider = \"offline\"\n\
         [[wirings]]\nchannel = \"one\"\nchat = \"*\"\nagent = \"second\"\n{second}\n",
        heard(policy, helper)
    )
}

/// What a platform can do that has threads.
pub(super) fn threaded() -> ChannelCaps {
    ChannelCaps {
        threads: Support::Yes,
        ..quiet_caps()
    }
}

pub(super) fn handle(who: &str) -> Handle {
    Handle::parse(who).unwrap()
}

fn sender(who: &str) -> Sender {
    Sender {
        handle: handle(who),
        name: None,
    }
}

/// Somebody says something in the group chat `g` that is not meant for the bot.
pub(super) fn said(who: &str, id: &str) -> InboundEvent {
    InboundEvent {
        chat_kind: ChatKind::Group,
        addressed: false,
        sender: sender(who),
        ..event_in("g", id)
    }
}

/// Somebody addresses the bot in the group chat `g`.
pub(super) fn asked(who: &str, id: &str) -> InboundEvent {
    InboundEvent {
        addressed: true,
        ..said(who, id)
    }
}

/// Somebody writes to the bot in their direct chat.
pub(super) fn direct(who: &str, id: &str) -> InboundEvent {
    InboundEvent {
        sender: sender(who),
        ..event_in(&format!("dm-{who}"), id)
    }
}

/// The same with another text.
pub(super) fn saying(text: &str, event: InboundEvent) -> InboundEvent {
    InboundEvent {
        text: text.to_owned(),
        ..event
    }
}

/// Where the bot writes to somebody first.
pub(super) fn dm(who: &str) -> Address {
    direct(who, "x").address
}

pub(super) fn taken(what: &str) -> Answered {
    Answered::Taken(what.to_owned())
}

pub(super) fn refused(why: &str) -> Answered {
    Answered::Refused(why.to_owned())
}

impl Host {
    /// Hands over a message that nobody hears, for this reason.
    pub(super) async fn declined(&self, event: InboundEvent, reason: &str) {
        let id = event.message_id.clone();
        let taken = self.hand_over(event).await.unwrap();
        assert_eq!(taken, Accepted::Declined(reason.to_owned()), "{id}");
    }

    /// Hands over a message that somebody hears, or the host itself.
    pub(super) async fn heard(&self, event: InboundEvent) {
        let id = event.message_id.clone();
        let taken = self.hand_over(event).await.unwrap();
        assert_eq!(taken, Accepted::Stored, "{id}");
    }

    /// Says something to the host and gives what it answers in the same place.
    pub(super) async fn tell(&self, event: InboundEvent) -> String {
        let before = self.seen(&event.address).len();
        let address = event.address.clone();
        self.heard(event).await;
        let seen = self.until_seen(&address, before + 1).await;
        seen[before].clone()
    }

    /// A person of the channel `one`, on record from now on.
    pub(super) async fn user(&self, who: &str) -> UserId {
        self.user_of("one", who).await
    }

    pub(super) async fn user_of(&self, channel: &str, who: &str) -> UserId {
        let (now, random) = self.graph.base.seed();
        let fresh = NewUser {
            id: UserId::mint(now, random),
            channel: ChannelName::parse(channel).unwrap(),
            handle: handle(who),
            display_name: None,
        };
        self.store().ensure_user(&fresh, now).await.unwrap()
    }

    pub(super) async fn grant(&self, who: &str, role: Role) -> UserId {
        let (user, now) = (self.user(who).await, self.graph.base.now());
        self.store()
            .grant_role(user, role, None, now)
            .await
            .unwrap();
        user
    }

    pub(super) async fn member(&self, who: &str, folder: &str) -> UserId {
        let (user, group) = (self.user(who).await, self.agent(folder).await.id);
        let now = self.graph.base.now();
        self.store()
            .add_member(user, group, None, now)
            .await
            .unwrap();
        user
    }

    pub(super) async fn agent(&self, folder: &str) -> AgentGroup {
        let folder = FolderName::parse(folder).unwrap();
        let found = self.store().group_by_folder(&folder).await.unwrap();
        found.unwrap()
    }

    pub(super) async fn knows(&self, who: &str, group: AgentGroupId) -> bool {
        let user = self.user(who).await;
        let standing = self.store().standing(user).await.unwrap();
        standing.is_known_to(group)
    }

    /// The one question that is put to somebody, once it is.
    pub(super) async fn card(&self, who: &str) -> Question {
        self.cards(who, 1).await.remove(0)
    }

    /// So many questions that are put to somebody, once they are.
    pub(super) async fn cards(&self, who: &str, count: usize) -> Vec<Question> {
        until(&format!("{who} is asked"), async || {
            let asked = self.platform().asked(&dm(who));
            (asked.len() >= count).then_some(asked)
        })
        .await
    }

    /// Somebody chooses an answer, counted from 0.
    pub(super) async fn choose(&self, who: &str, question: QuestionId, option: usize) -> Answered {
        let chosen = choice(who, question, option);
        let answered = self.graph.ingest.answer(chosen).await.unwrap();
        self.until_fed().await;
        answered
    }

    /// Looks after what waits for somebody, once.
    pub(super) async fn chores(&self) {
        let over = CancellationToken::new();
        over.cancel();
        Arc::clone(&self.graph.ingest).attend(over).await;
        self.until_fed().await;
    }

    /// Everything that waits for a decision.
    pub(super) async fn open(&self) -> Vec<QuestionId> {
        self.store().pending_approvals(100).await.unwrap()
    }

    /// A number from the central database.
    pub(super) fn count(&self, query: &str) -> i64 {
        let central = sql(&self.graph.base.dirs.database());
        central.query_row(query, [], |row| row.get(0)).unwrap()
    }

    /// Changes the central database as no program of ours would.
    pub(super) async fn tamper(&self, change: &str) {
        self.change_schema(change).await;
    }

    /// Who was declined, why and how often.
    pub(super) async fn dropped(&self) -> Vec<String> {
        let dropped = self.store().dropped(100).await.unwrap();
        let mut lines: Vec<String> = dropped
            .iter()
            .map(|one| format!("{} {} {}", one.handle, one.reason, one.count))
            .collect();
        lines.sort();
        lines
    }

    /// The rulings on record, in order: who, about what, and which.
    pub(super) fn rulings(&self) -> Vec<(String, String, String)> {
        let central = sql(&self.graph.base.dirs.database());
        let mut query = central
            .prepare("SELECT actor, act, ruling FROM audit ORDER BY id")
            .unwrap();
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let rows = query.query_map([], row).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// The one session of an agent.
    pub(super) async fn session_of(&self, folder: &str) -> SessionId {
        let group = self.agent(folder).await.id;
        let sessions = self.store().group_sessions(group).await.unwrap();
        assert_eq!(sessions.len(), 1, "{folder}");
        sessions[0].session.id
    }

    /// Writes the configuration anew and has the host take it over.
    pub(super) async fn reconfigure(&self, text: &str) {
        let before = fs::read(&self.bench.config).unwrap();
        let mut file = Watched::new(self.bench.config.clone(), before);
        fs::write(&self.bench.config, text).unwrap();
        reload(&self.graph, &mut file).await;
    }
}

/// A choice of an answer as the platform tells it.
pub(super) fn choice(who: &str, question: QuestionId, option: usize) -> InboundAnswer {
    InboundAnswer {
        address: dm(who),
        question,
        option,
        sender: sender(who),
        at: FakeClock::new().now(),
    }
}

impl Host {
    /// What the operator gets for a request: a resource, a verb, and fields `name=value`.
    pub(super) async fn admin(&self, resource: &str, verb: &str, fields: &[(&str, &str)]) -> Reply {
        let args = fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let request = Request {
            resource: resource.to_owned(),
            verb: verb.to_owned(),
            args: args.collect(),
        };
        let request = control::Request::Admin { request };
        let path = self.graph.base.dirs.control();
        control::call(&path, &request).await.unwrap()
    }

    /// Ends a sandbox that has nothing to do, and waits until the host knows.
    pub(super) async fn let_go(&self, inside: Inside) {
        inside.die(ExitStatus::Code(0));
        self.until_empty().await;
    }
}
