//! What the database holds of the configuration, made by the file or at run time, for a file that
//! says the same.

use std::collections::BTreeMap;

use anchorhold_core::{
    access::Role,
    entity::{AdminScope, AgentGroup, ManagedBy, UnknownSenderPolicy, Wiring},
    ids::{AgentGroupId, ChannelName, ChatId, FolderName, Handle, UserId},
    inbound::ChatKind,
};
use sqlx::{Connection, SqliteConnection};

use crate::{
    Error, Store,
    conversations::parse_wiring,
    groups::parse_group,
    rows::{Fields, parse_chat_kind},
};

/// Everything that a configuration file can say about agents, conversations and people. What belongs
/// to a retired group is not in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entities {
    /// The groups, by folder.
    pub groups: Vec<Group>,
    /// The wirings, by channel, chat and folder.
    pub wirings: Vec<HeldWiring>,
    /// The conversations about which something is on record, by channel and chat.
    pub conversations: Vec<HeldConversation>,
    /// The people with roles or memberships, by channel and handle.
    pub people: Vec<Person>,
    /// The destinations, by folder and name.
    pub destinations: Vec<HeldDestination>,
}

/// One agent group.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Its row.
    pub group: AgentGroup,
    /// The name the agent calls itself, if not the group's.
    pub assistant_name: Option<String>,
    /// How much of the administration it may ask for.
    pub admin_scope: AdminScope,
}

/// One wiring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldWiring {
    /// Its row.
    pub wiring: Wiring,
    /// The folder of its group.
    pub folder: FolderName,
    /// The higher one is asked first.
    pub priority: i32,
}

/// One conversation that has a name, a policy that a person has set or that is not its channel's,
/// that is declined, or that a wiring or destination is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldConversation {
    /// The channel instance.
    pub channel: ChannelName,
    /// The platform's chat id.
    pub chat: ChatId,
    /// Direct or group.
    pub kind: ChatKind,
    /// What it is called.
    pub name: Option<String>,
    /// What happens to strangers' messages.
    pub unknown_senders: UnknownSenderPolicy,
    /// Has a person set that?
    pub policy_managed_by: ManagedBy,
    /// Is it declined?
    pub declined: bool,
    /// Is a wiring or a destination about this very chat?
    pub in_use: bool,
}

/// One person with roles or memberships.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The channel instance.
    pub channel: ChannelName,
    /// The platform's stable id of them.
    pub handle: Handle,
    /// What they call themselves.
    pub name: Option<String>,
    /// What they may do; those for one group come last, by folder.
    pub roles: Vec<HeldRole>,
    /// The folders of the groups they may talk to, in order.
    pub member_of: Vec<FolderName>,
}

/// A role, and the folder of the group it is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldRole {
    /// The role.
    pub role: Role,
    /// The folder of the group of [`Role::GroupAdmin`].
    pub folder: Option<FolderName>,
}

/// One destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldDestination {
    /// The folder of the group that may write there.
    pub folder: FolderName,
    /// What the group calls it.
    pub name: String,
    /// What it is.
    pub target: Target,
    /// Does a wiring to this very chat imply it?
    pub implied: bool,
}

/// What a destination leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A conversation.
    Chat {
        /// The channel instance.
        channel: ChannelName,
        /// The platform's chat id.
        chat: ChatId,
        /// What it is called.
        name: Option<String>,
    },
    /// The agent group with this folder.
    Agent(FolderName),
}

const GROUPS: &str = "SELECT g.*, c.assistant_name, COALESCE(c.admin_scope, 'group') AS admin_scope
     FROM agent_groups g LEFT JOIN group_config c ON c.agent_group_id = g.id
     WHERE g.retired_at IS NULL ORDER BY g.folder";

const WIRINGS: &str = "SELECT w.*, g.folder FROM wirings w
     JOIN agent_groups g ON g.id = w.agent_group_id AND g.retired_at IS NULL
     ORDER BY w.channel, COALESCE(w.chat, ''), g.folder";

// ?1 is the channels' policies as a JSON object. A channel that is not in it has none of its own, so
// all of its policies differ.
const CONVERSATIONS: &str = "SELECT * FROM (
         SELECT c.*,
             c.unknown_senders IS NOT json_extract(?1, '$.\"' || c.channel || '\"') AS differs,
             EXISTS (SELECT 1 FROM wirings w
                     JOIN agent_groups g ON g.id = w.agent_group_id AND g.retired_at IS NULL
                     WHERE w.channel = c.channel AND COALESCE(w.chat, '') = c.chat)
             OR EXISTS (SELECT 1 FROM destinations d
                     JOIN agent_groups g ON g.id = d.agent_group_id AND g.retired_at IS NULL
                     WHERE d.target_conversation_id = c.id) AS in_use
         FROM conversations c)
     WHERE differs OR in_use OR name <> '' OR policy_managed_by = 'runtime'
         OR declined_at IS NOT NULL
     ORDER BY channel, chat";

const ROLES: &str = "SELECT u.id, u.channel, u.handle, u.display_name, r.role, r.agent_group_id,
         g.folder
     FROM roles r JOIN users u ON u.id = r.user_id LEFT JOIN agent_groups g ON g.id = r.agent_group_id
     WHERE g.retired_at IS NULL ORDER BY r.role DESC, COALESCE(g.folder, '')";

const MEMBERS: &str = "SELECT u.id, u.channel, u.handle, u.display_name, g.folder
     FROM members m JOIN users u ON u.id = m.user_id JOIN agent_groups g ON g.id = m.agent_group_id
     WHERE g.retired_at IS NULL ORDER BY g.folder";

const DESTINATIONS: &str = "SELECT g.folder, d.name, d.target_type, c.channel, c.chat,
         c.name AS called, t.folder AS target_folder,
         w.id IS NOT NULL AND w.channel = c.channel AND COALESCE(w.chat, '') = c.chat AS implied
     FROM destinations d JOIN agent_groups g ON g.id = d.agent_group_id AND g.retired_at IS NULL
     LEFT JOIN conversations c ON c.id = d.target_conversation_id
     LEFT JOIN agent_groups t ON t.id = d.target_agent_group_id
     LEFT JOIN wirings w ON w.id = d.wiring_id
     WHERE t.retired_at IS NULL ORDER BY g.folder, d.name";

impl Store {
    /// Everything that the configuration file could say, as it is at one moment. `policies` is what
    /// happens to strangers' messages on each channel instance, where a conversation has no policy
    /// of its own.
    ///
    /// Reads all of these tables but `users`, and is for an operator, not for the data path.
    pub async fn entities(
        &self,
        policies: &BTreeMap<ChannelName, UnknownSenderPolicy>,
    ) -> Result<Entities, Error> {
        let failed = |source| Error::Entities { source };
        let mut conn = self.reader().await.map_err(failed)?;
        let mut tx = conn.begin().await.map_err(failed)?;
        let entities = read(&mut tx, policies).await.map_err(failed)?;
        tx.rollback().await.map_err(failed)?;
        Ok(entities)
    }
}

async fn read(
    conn: &mut SqliteConnection,
    policies: &BTreeMap<ChannelName, UnknownSenderPolicy>,
) -> sqlx::Result<Entities> {
    Ok(Entities {
        groups: groups(conn).await?,
        wirings: wirings(conn).await?,
        conversations: conversations(conn, policies).await?,
        people: people(conn).await?,
        destinations: destinations(conn).await?,
    })
}

async fn groups(conn: &mut SqliteConnection) -> sqlx::Result<Vec<Group>> {
    let rows = sqlx::query(GROUPS).fetch_all(conn).await?;
    rows.iter()
        .map(|row| {
            let fields = Fields::new("group_config", row);
            Ok(Group {
                group: parse_group(row)?,
                assistant_name: fields.get("assistant_name")?,
                admin_scope: fields.value("admin_scope", AdminScope::parse)?,
            })
        })
        .collect()
}

async fn wirings(conn: &mut SqliteConnection) -> sqlx::Result<Vec<HeldWiring>> {
    let rows = sqlx::query(WIRINGS).fetch_all(conn).await?;
    rows.iter()
        .map(|row| {
            let fields = Fields::new("wirings", row);
            Ok(HeldWiring {
                wiring: parse_wiring(row)?,
                folder: fields.parsed("folder", FolderName::parse)?,
                priority: fields.number("priority")?,
            })
        })
        .collect()
}

async fn conversations(
    conn: &mut SqliteConnection,
    policies: &BTreeMap<ChannelName, UnknownSenderPolicy>,
) -> sqlx::Result<Vec<HeldConversation>> {
    // Names of channels and policies are plain words, which JSON takes as they are.
    let members: Vec<String> = policies
        .iter()
        .map(|(channel, policy)| format!("\"{channel}\":\"{}\"", policy.as_str()))
        .collect();
    let rows = sqlx::query(CONVERSATIONS)
        .bind(format!("{{{}}}", members.join(",")))
        .fetch_all(conn)
        .await?;
    rows.iter()
        .map(|row| {
            let fields = Fields::new("conversations", row);
            Ok(HeldConversation {
                channel: fields.parsed("channel", ChannelName::parse)?,
                chat: fields.parsed("chat", ChatId::parse)?,
                kind: fields.value("kind", parse_chat_kind)?,
                name: fields.get("name")?,
                unknown_senders: fields.value("unknown_senders", UnknownSenderPolicy::parse)?,
                policy_managed_by: fields.value("policy_managed_by", ManagedBy::parse)?,
                declined: fields.opt_time("declined_at")?.is_some(),
                in_use: fields.get("in_use")?,
            })
        })
        .collect()
}

async fn people(conn: &mut SqliteConnection) -> sqlx::Result<Vec<Person>> {
    let roles = sqlx::query(ROLES).fetch_all(&mut *conn).await?;
    let members = sqlx::query(MEMBERS).fetch_all(conn).await?;
    let mut people: BTreeMap<UserId, Person> = BTreeMap::new();
    for row in &roles {
        let fields = Fields::new("roles", row);
        let group = fields.opt_parsed("agent_group_id", AgentGroupId::parse)?;
        let role = fields.value("role", |name| Role::of_columns(name, group))?;
        let folder = fields.opt_parsed("folder", FolderName::parse)?;
        person(&mut people, fields)?
            .roles
            .push(HeldRole { role, folder });
    }
    for row in &members {
        let fields = Fields::new("members", row);
        let folder = fields.parsed("folder", FolderName::parse)?;
        person(&mut people, fields)?.member_of.push(folder);
    }
    let mut people: Vec<Person> = people.into_values().collect();
    people.sort_by(|a, b| (&a.channel, &a.handle).cmp(&(&b.channel, &b.handle)));
    Ok(people)
}

/// The person that the row is about.
fn person<'p>(
    people: &'p mut BTreeMap<UserId, Person>,
    fields: Fields<'_>,
) -> sqlx::Result<&'p mut Person> {
    let fresh = Person {
        channel: fields.parsed("channel", ChannelName::parse)?,
        handle: fields.parsed("handle", Handle::parse)?,
        name: fields.get("display_name")?,
        roles: Vec::new(),
        member_of: Vec::new(),
    };
    Ok(people
        .entry(fields.parsed("id", UserId::parse)?)
        .or_insert(fresh))
}

async fn destinations(conn: &mut SqliteConnection) -> sqlx::Result<Vec<HeldDestination>> {
    let rows = sqlx::query(DESTINATIONS).fetch_all(conn).await?;
    rows.iter()
        .map(|row| {
            let fields = Fields::new("destinations", row);
            let target = match fields.get("target_type")? {
                "agent" => Target::Agent(fields.parsed("target_folder", FolderName::parse)?),
                _ => Target::Chat {
                    channel: fields.parsed("channel", ChannelName::parse)?,
                    chat: fields.parsed("chat", ChatId::parse)?,
                    name: fields.get("called")?,
                },
            };
            Ok(HeldDestination {
                folder: fields.parsed("folder", FolderName::parse)?,
                name: fields.get("name")?,
                target,
                // A target that is no conversation makes this NULL.
                implied: fields.get::<Option<bool>>("implied")?.unwrap_or(false),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
