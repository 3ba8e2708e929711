//! From the fields of a request to the one act that it asks for.
//!
//! What can be known to fail is refused here, so that nobody is asked to approve it.

use anchorhold_admin::request::FailCode;
use anchorhold_core::{
    access::Role,
    entity::{
        AdminScope, EngageMode, IgnoredPolicy, ManagedBy, RuntimeChoice, SenderScope, SessionMode,
        UnknownSenderPolicy,
    },
    guard::act::{Act, ConversationChange, GroupChange, NewGroup, NewWiring, Target, WiringRules},
    ids::{ChatId, ConversationId, FolderName, Handle, UserId},
    pattern,
};
use anchorhold_store::{approvals::Pick, wirings::WiringRow};

use crate::{
    admin::{lookup::Lookup, refusal::Refusal},
    settings::PROVIDERS,
};

/// What stands for every chat of an instance.
const EVERY_CHAT: &str = "*";

impl Lookup<'_> {
    /// The act that the request asks for.
    pub(super) async fn act(&self) -> Result<Act, Refusal> {
        match self.checked.resource() {
            "groups" => self.group_act().await,
            "conversations" => self.conversation_act().await,
            "wirings" => self.wiring_act().await,
            "users" => self.user_act().await,
            "roles" => self.role_act().await,
            "members" => self.member_act().await,
            "destinations" => self.destination_act().await,
            "sessions" => {
                let row = self.session().await?;
                Ok(Act::CloseSession {
                    session: row.session.id,
                    group: row.session.key.agent_group,
                })
            }
            "undo" => {
                let number = self.text("id")?.parse();
                let undo = number.map_err(|_nan| self.wrong("id", "it is not a number"))?;
                Ok(Act::Restore { undo })
            }
            _ => Err(self.no_act()),
        }
    }

    async fn group_act(&self) -> Result<Act, Refusal> {
        if self.checked.verb() == "create" {
            return self.new_group();
        }
        let group = self.group("id").await?;
        let managed_by = group.managed_by;
        let group = group.id;
        match self.checked.verb() {
            "update" => {
                self.check_not_of_file(managed_by)?;
                let change = self.group_change()?;
                Ok(Act::UpdateGroup { group, change })
            }
            "delete" => {
                self.check_not_of_file(managed_by)?;
                Ok(Act::DeleteGroup { group })
            }
            "restart" => Ok(Act::RestartGroup {
                group,
                message: self.owned("message"),
            }),
            _ => Err(self.no_act()),
        }
    }

    fn new_group(&self) -> Result<Act, Refusal> {
        Ok(Act::CreateGroup(NewGroup {
            folder: self.parsed("folder", FolderName::parse)?,
            name: self.owned("name"),
            provider: self.provider()?,
            model: self.owned("model").filter(|model| !model.is_empty()),
            runtime: self.choice("runtime", RuntimeChoice::parse)?,
            admin_scope: self.choice("admin-scope", AdminScope::parse)?,
        }))
    }

    fn group_change(&self) -> Result<GroupChange, Refusal> {
        Ok(GroupChange {
            name: self.owned("name"),
            provider: self.provider()?,
            model: self.owned("model"),
            runtime: self.choice("runtime", RuntimeChoice::parse)?,
            admin_scope: self.choice("admin-scope", AdminScope::parse)?,
            prompt_messages: self.number("prompt-messages")?,
            tries: self.number("tries")?,
            assistant_name: self.owned("assistant-name"),
        })
    }

    fn provider(&self) -> Result<Option<String>, Refusal> {
        let Some(provider) = self.owned("provider") else {
            return Ok(None);
        };
        if PROVIDERS.contains(&provider.as_str()) {
            return Ok(Some(provider));
        }
        let known = PROVIDERS.join(", ");
        Err(self.wrong(
            "provider",
            format!("there is none of that name; there is: {known}"),
        ))
    }

    fn number(&self, field: &str) -> Result<Option<u32>, Refusal> {
        let number = self.checked.integer(field).map(u32::try_from).transpose();
        number.map_err(|_out| self.wrong(field, "it is out of range"))
    }

    async fn conversation_act(&self) -> Result<Act, Refusal> {
        let id = self.parsed("id", ConversationId::parse)?;
        let found = self.base.store.conversation_by_id(id).await?;
        let found = found.ok_or_else(|| self.absent("conversation", "id"))?;
        let conversation = found.conversation.id;
        match self.checked.verb() {
            "update" => Ok(Act::UpdateConversation {
                conversation,
                change: ConversationChange {
                    name: self.owned("name"),
                    unknown_senders: self.choice("unknown-senders", UnknownSenderPolicy::parse)?,
                    declined: self.checked.boolean("declined"),
                },
            }),
            "delete" => Ok(Act::DeleteConversation { conversation }),
            _ => Err(self.no_act()),
        }
    }

    async fn wiring_act(&self) -> Result<Act, Refusal> {
        if self.checked.verb() == "create" {
            return self.new_wiring().await;
        }
        let row = self.wiring().await?;
        self.check_not_of_file(row.wiring.managed_by)?;
        let (wiring, group) = (row.wiring.id, row.wiring.agent_group);
        match self.checked.verb() {
            "update" => {
                let rules = self.rules(present(row))?;
                Ok(Act::UpdateWiring {
                    wiring,
                    group,
                    rules,
                })
            }
            "delete" => Ok(Act::DeleteWiring { wiring, group }),
            _ => Err(self.no_act()),
        }
    }

    async fn new_wiring(&self) -> Result<Act, Refusal> {
        let channel = self.channel("channel")?;
        let chat = match self.text("conversation")? {
            EVERY_CHAT => None,
            _ => Some(self.parsed("conversation", ChatId::parse)?),
        };
        let group = self.group("group").await?.id;
        let rules = self.rules(usual())?;
        Ok(Act::CreateWiring(NewWiring {
            channel,
            chat,
            group,
            rules,
        }))
    }

    /// `before`, with what the request gives in its place.
    fn rules(&self, before: WiringRules) -> Result<WiringRules, Refusal> {
        let (engage, pattern) = match (self.checked.text("engage"), self.owned("pattern")) {
            (None, None) => (before.engage, before.pattern),
            (Some("always"), _) => (EngageMode::Pattern, Some(pattern::EVERYTHING.to_owned())),
            (Some("mention"), _) => (EngageMode::Mention, None),
            (Some("mention-sticky"), _) => (EngageMode::MentionSticky, None),
            (Some("pattern") | None, Some(pattern)) => {
                pattern::compile(&pattern).map_err(|bad| self.wrong("pattern", bad))?;
                (EngageMode::Pattern, Some(pattern))
            }
            (Some("pattern"), None) => return Err(self.wrong("pattern", "it is missing")),
            (Some(_), _) => return Err(self.wrong("engage", "there is no such value")),
        };
        let sender_scope = self.choice("senders", SenderScope::parse)?;
        let ignored = self.choice("ignored", IgnoredPolicy::parse)?;
        let session_mode = self.choice("session", SessionMode::parse)?;
        Ok(WiringRules {
            engage,
            pattern,
            sender_scope: sender_scope.unwrap_or(before.sender_scope),
            ignored: ignored.unwrap_or(before.ignored),
            session_mode: session_mode.unwrap_or(before.session_mode),
            priority: self.checked.integer("priority").unwrap_or(before.priority),
        })
    }

    async fn user_act(&self) -> Result<Act, Refusal> {
        if self.checked.verb() == "create" {
            return Ok(Act::CreateUser {
                channel: self.channel("channel")?,
                handle: self.parsed("handle", Handle::parse)?,
                name: self.owned("name"),
            });
        }
        let id = self.parsed("id", UserId::parse)?;
        let found = self.base.store.user(id).await?;
        let user = found.ok_or_else(|| self.absent("user", "id"))?.id;
        match self.checked.verb() {
            "update" => Ok(Act::RenameUser {
                user,
                name: self.text("name")?.to_owned(),
            }),
            "delete" => Ok(Act::DeleteUser { user }),
            _ => Err(self.no_act()),
        }
    }

    async fn role_act(&self) -> Result<Act, Refusal> {
        let group = self.optional_group("group").await?;
        let role = match (self.text("role")?, group) {
            ("owner", None) => Role::Owner,
            ("admin", None) => Role::Admin,
            ("admin", Some(group)) => Role::GroupAdmin(group),
            _ => return Err(self.wrong("role", "there is no such role")),
        };
        let user = self.user().await?;
        match self.checked.verb() {
            "grant" => Ok(Act::GrantRole { user, role }),
            "revoke" => Ok(Act::RevokeRole { user, role }),
            _ => Err(self.no_act()),
        }
    }

    async fn member_act(&self) -> Result<Act, Refusal> {
        let group = self.group("group").await?.id;
        let user = self.user().await?;
        match self.checked.verb() {
            "add" => Ok(Act::AddMember { user, group }),
            "remove" => Ok(Act::RemoveMember { user, group }),
            _ => Err(self.no_act()),
        }
    }

    async fn destination_act(&self) -> Result<Act, Refusal> {
        let group = self.group("group").await?.id;
        let name = self.parsed("name", FolderName::parse)?;
        match self.checked.verb() {
            "add" => Ok(Act::AddDestination {
                group,
                name,
                target: self.target().await?,
            }),
            "remove" => Ok(Act::RemoveDestination { group, name }),
            _ => Err(self.no_act()),
        }
    }

    async fn target(&self) -> Result<Target, Refusal> {
        if let Some(agent) = self.optional_group("to-group").await? {
            return Ok(Target::Agent(agent));
        }
        let (channel, chat) = self.chat()?;
        let found = self.base.store.conversation(&channel, &chat).await?;
        let found = found.ok_or_else(|| self.absent("conversation", "conversation"))?;
        Ok(Target::Conversation(found.id))
    }

    /// The answer that `approvals approve` means.
    pub(super) async fn pick(&self) -> Result<Pick, Refusal> {
        if let Some(group) = self.optional_group("connect").await? {
            return Ok(Pick::Connect(group));
        }
        Ok(if self.checked.flag("new-agent") {
            Pick::NewAgent
        } else {
            Pick::Approve
        })
    }

    fn check_not_of_file(&self, managed_by: ManagedBy) -> Result<(), Refusal> {
        match managed_by {
            ManagedBy::Runtime => Ok(()),
            ManagedBy::File => {
                let command = self.checked.command();
                let what = format!("`{command}`: it is in the configuration file; change it there");
                Err(Refusal::said(FailCode::Conflict, what))
            }
        }
    }

    /// The catalog has a verb that nobody carries out.
    fn no_act(&self) -> Refusal {
        let command = self.checked.command();
        Refusal::Failed(format!("nobody carries out `{command}`").into())
    }
}

/// The rules of a wiring of which nothing is said; the same as in the configuration file.
fn usual() -> WiringRules {
    WiringRules {
        engage: EngageMode::Pattern,
        pattern: Some(pattern::EVERYTHING.to_owned()),
        sender_scope: SenderScope::All,
        ignored: IgnoredPolicy::Drop,
        session_mode: SessionMode::Shared,
        priority: 0,
    }
}

fn present(row: WiringRow) -> WiringRules {
    WiringRules {
        engage: row.wiring.engage,
        pattern: row.wiring.pattern,
        sender_scope: row.wiring.sender_scope,
        ignored: row.wiring.ignored,
        session_mode: row.wiring.session_mode,
        priority: row.priority,
    }
}
