//! From what the central database holds to a configuration file that says the same.
//!
//! Agents, wirings, conversations, people and destinations come from the database, whoever made them;
//! the host, channels, models, harnesses and what agents may reach come from the file, which alone knows them.

use std::collections::{BTreeMap, BTreeSet};

use anchorhold_broker::egress::Entry;
use anchorhold_core::{
    access,
    entity::{EngageMode, ManagedBy, UnknownSenderPolicy},
    ids::{ChannelName, ChatId, FolderName},
    slug,
    way_out::ModelApi,
};
use anchorhold_store::export::{
    Entities, Group, HeldConversation, HeldDestination, HeldRole, HeldWiring, Person as HeldPerson,
    Target as HeldTarget,
};
use camino::Utf8Path;

use crate::{
    config::{
        Agent, Config, Conversation, Destination, ENTRY_LIMIT, Harness, Person, Role,
        TITLE_LIMIT_CHARS, Target, Wiring, is_destination_name, is_every_chat, plain_agent_name,
        problem::Problems,
    },
    settings::load,
};

/// What runs the turns of an agent whose model the file lacks.
const OFFLINE: &str = "offline";

/// A file, and what could not be said in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The text of the file.
    pub text: String,
    /// What it does not say, as lines for the operator. All of that was made at run time, or is on a
    /// channel that the file does not have.
    pub left_out: Vec<String>,
}

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The text could not be made.
    #[error("could not write the configuration as TOML")]
    Write(#[source] toml::ser::Error),
    /// The database holds values that no file may have.
    #[error("the database holds what a configuration file may not say:\n{0}")]
    Refused(Problems),
    /// The text does not say what it should.
    #[error("the file would not say what the database holds")]
    Differs,
}

/// What `unknown_senders` is on each channel instance.
pub fn policies(config: &Config) -> BTreeMap<ChannelName, UnknownSenderPolicy> {
    let channels = config.channels.iter();
    channels
        .map(|channel| (channel.name.clone(), channel.unknown_senders))
        .collect()
}

/// Makes the file. `config` is the current one; `held` was read with its [`policies`].
///
/// The text was read again, as a host would read it, and found to say the same.
pub fn export(config: &Config, held: Entities) -> Result<Exported, ExportError> {
    let models = config.models.iter().map(|model| model.name.clone());
    let harnesses = config.agents.iter();
    let harnesses = harnesses.filter_map(|agent| {
        let harness = config.harnesses.iter();
        let mut harness = harness.filter(|harness| Some(&harness.name) == agent.harness.as_ref());
        Some((agent.folder.clone(), harness.next()?.clone()))
    });
    let egress = config.agents.iter();
    let egress = egress.map(|agent| (agent.folder.clone(), agent.egress.clone()));
    let zones = config.agents.iter();
    let zones = zones.filter_map(|agent| Some((agent.folder.clone(), agent.time_zone.clone()?)));
    let mut gather = Gather {
        policies: policies(config),
        models: models.collect(),
        egress: egress.collect(),
        harnesses: harnesses.collect(),
        zones: zones.collect(),
        left_out: BTreeMap::new(),
    };
    let mut config = config.clone();
    config.agents = held.groups.into_iter().map(|g| gather.agent(g)).collect();
    config.wirings = each(held.wirings, |w| gather.wiring(w));
    config.destinations = each(held.destinations, |d| gather.destination(d));
    config.conversations = gather.conversations(held.conversations);
    config.people = each(held.people, |p| gather.person(p));
    let text = config.to_text().map_err(ExportError::Write)?;
    let read = load(&text, Utf8Path::new("export")).map_err(ExportError::Refused)?;
    let same = read.host == config.host
        && read.channels == config.channels
        && read.models == config.models
        && read.harnesses == config.harnesses
        && read.agents == config.agents
        && read.wirings == config.wirings
        && read.conversations == config.conversations
        && read.people == config.people
        && read.destinations == config.destinations;
    if !same {
        return Err(ExportError::Differs);
    }
    let left_out = gather.left_out.into_iter();
    Ok(Exported {
        text,
        left_out: left_out
            .map(|(what, count)| format!("left out: {what} ({count})"))
            .collect(),
    })
}

fn each<T, U>(held: Vec<T>, entry: impl FnMut(T) -> Option<U>) -> Vec<U> {
    held.into_iter().filter_map(entry).collect()
}

/// Turns rows into entries, and counts what can't be one.
struct Gather {
    policies: BTreeMap<ChannelName, UnknownSenderPolicy>,
    /// The names of the file's models.
    models: BTreeSet<String>,
    /// What the file's agents may reach, which only the file knows.
    egress: BTreeMap<FolderName, Vec<Entry>>,
    /// The programs that the file's agents are, which only the file knows.
    harnesses: BTreeMap<FolderName, Harness>,
    /// Where their people live, which only the file knows, too.
    zones: BTreeMap<FolderName, String>,
    left_out: BTreeMap<String, u64>,
}

impl Gather {
    fn leave_out(&mut self, what: String) {
        *self.left_out.entry(what).or_default() += 1;
    }

    /// Does the file have the channel?
    fn has(&mut self, channel: &ChannelName, what: &str) -> bool {
        let has = self.policies.contains_key(channel);
        if !has {
            self.leave_out(format!("{what} on channel {channel}, which the file lacks"));
        }
        has
    }

    /// Can the chat stand in a file? One has an id that stands for all others there.
    fn can_name(&mut self, chat: &ChatId) -> bool {
        let can = !is_every_chat(chat.as_str());
        if !can {
            self.leave_out(format!("what is about the one chat with the id {chat}"));
        }
        can
    }

    fn agent(&mut self, held: Group) -> Agent {
        let Group {
            group,
            assistant_name,
            admin_scope,
        } = held;
        let mut plain = |name: String| {
            let plain = plain_agent_name(&name);
            if plain != name {
                self.leave_out("parts of agents' names that a file may not have".to_owned());
            }
            Some(plain).filter(|name| !name.is_empty())
        };
        let name = plain(group.name).unwrap_or_else(|| group.folder.to_string());
        let assistant_name = assistant_name.and_then(plain);
        let model = group.model.filter(|model| self.models.contains(model));
        let provider = if ModelApi::of_provider(&group.provider).is_some() && model.is_none() {
            self.leave_out(
                "models that the file lacks, and the providers that call them".to_owned(),
            );
            OFFLINE.to_owned()
        } else {
            group.provider
        };
        let egress = self.egress.get(&group.folder).cloned();
        // It was given another provider meanwhile, which is no program.
        let harness = self.harnesses.get(&group.folder);
        let harness = harness.filter(|harness| harness.provider == provider);
        let harness = harness.map(|harness| harness.name.clone());
        let time_zone = self.zones.get(&group.folder).cloned();
        Agent {
            name,
            folder: group.folder,
            provider,
            model,
            harness,
            egress: egress.unwrap_or_default(),
            time_zone,
            runtime: group.runtime,
            limits: group.limits,
            assistant_name,
            admin_scope,
        }
    }

    fn wiring(&mut self, held: HeldWiring) -> Option<Wiring> {
        let HeldWiring {
            wiring,
            folder,
            priority,
        } = held;
        if !self.has(&wiring.channel, "wirings") {
            return None;
        }
        if wiring
            .chat
            .as_ref()
            .is_some_and(|chat| !self.can_name(chat))
        {
            return None;
        }
        Some(Wiring {
            channel: wiring.channel,
            chat: wiring.chat,
            agent: folder,
            engage: wiring.engage,
            pattern: wiring
                .pattern
                .filter(|_| wiring.engage == EngageMode::Pattern),
            sender_scope: wiring.sender_scope,
            ignored: wiring.ignored,
            session_mode: wiring.session_mode,
            priority,
        })
    }

    fn destination(&mut self, held: HeldDestination) -> Option<Destination> {
        let target = match held.target {
            HeldTarget::Agent(folder) => Target::Agent(folder),
            HeldTarget::Chat {
                channel,
                chat,
                name,
            } => {
                let called = name.as_deref().filter(|name| !name.is_empty());
                let slug = slug::slug(called.unwrap_or(chat.as_str()));
                if held.implied && held.name == slug {
                    return None;
                }
                if !self.has(&channel, "destinations") || !self.can_name(&chat) {
                    return None;
                }
                Target::Chat { channel, chat }
            }
        };
        if !is_destination_name(&held.name) {
            self.leave_out("destinations whose name a file may not have".to_owned());
            return None;
        }
        Some(Destination {
            agent: held.folder,
            name: held.name,
            target,
        })
    }

    /// Where there are more than a file may have, those that are only known by name are left out.
    fn conversations(&mut self, held: Vec<HeldConversation>) -> Vec<Conversation> {
        let used: BTreeSet<(ChannelName, ChatId)> = held
            .iter()
            .filter(|c| c.in_use)
            .map(|c| (c.channel.clone(), c.chat.clone()))
            .collect();
        let mut all = each(held, |c| self.conversation(c));
        if all.len() > ENTRY_LIMIT {
            let before = all.len();
            all.retain(|c| {
                c.unknown_senders.is_some()
                    || c.declined
                    || used.contains(&(c.channel.clone(), c.chat.clone()))
            });
            let what = "conversations of which only the name is known".to_owned();
            let count = u64::try_from(before - all.len()).unwrap_or(u64::MAX);
            self.left_out.insert(what, count);
        }
        all
    }

    fn conversation(&mut self, held: HeldConversation) -> Option<Conversation> {
        if !self.has(&held.channel, "conversations") || !self.can_name(&held.chat) {
            return None;
        }
        let of_channel = self.policies.get(&held.channel) == Some(&held.unknown_senders);
        let own = held.policy_managed_by == ManagedBy::Runtime || !of_channel;
        Some(Conversation {
            channel: held.channel,
            chat: held.chat,
            kind: held.kind,
            name: held.name.and_then(|name| self.title(name)),
            unknown_senders: Some(held.unknown_senders).filter(|_| own),
            declined: held.declined,
        })
    }

    fn person(&mut self, held: HeldPerson) -> Option<Person> {
        if !self.has(&held.channel, "people") {
            return None;
        }
        Some(Person {
            channel: held.channel,
            handle: held.handle,
            name: held.name.and_then(|name| self.title(name)),
            roles: each(held.roles, role),
            member_of: held.member_of,
        })
    }

    /// A name that is none, or that is too long, is not said: a file's name counts only where there
    /// is none.
    fn title(&mut self, name: String) -> Option<String> {
        if name.chars().nth(TITLE_LIMIT_CHARS).is_some() {
            self.leave_out("names that are too long".to_owned());
            return None;
        }
        Some(name).filter(|name| !name.is_empty())
    }
}

/// A group's admin without a group is nobody's.
fn role(held: HeldRole) -> Option<Role> {
    match held.role {
        access::Role::Owner => Some(Role::Owner),
        access::Role::Admin => Some(Role::Admin),
        access::Role::GroupAdmin(_) => held.folder.map(Role::AdminOf),
    }
}

#[cfg(test)]
mod tests;
