//! From the configuration file to what the central database is to hold of it.

use anchorhold_core::ids::{AgentGroupId, ConversationId, UserId, WiringId};
use anchorhold_store::reconcile::desired::{
    DesiredConversation, DesiredDestination, DesiredGroup, DesiredPerson, DesiredPolicy,
    DesiredRole, DesiredTarget, DesiredWiring, FileConfig,
};
use jiff::Timestamp;

use crate::config::{
    Agent, Channel, Config, Conversation, Destination, Person, Role, Target, Wiring,
};

/// What a fresh id is made of.
type Seed = (Timestamp, [u8; 10]);

/// What the central database is to hold of the file. `seed` is called once for each entry that could
/// need an id.
pub fn desired(config: &Config, mut seed: impl FnMut() -> Seed) -> FileConfig {
    FileConfig {
        groups: config.agents.iter().map(|a| group(a, seed())).collect(),
        wirings: config.wirings.iter().map(|w| wiring(w, seed())).collect(),
        policies: config.channels.iter().map(policy).collect(),
        conversations: config
            .conversations
            .iter()
            .map(|c| conversation(c, seed()))
            .collect(),
        people: config.people.iter().map(|p| person(p, seed())).collect(),
        destinations: config.destinations.iter().map(destination).collect(),
    }
}

fn group(agent: &Agent, (now, random): Seed) -> DesiredGroup {
    DesiredGroup {
        fresh: AgentGroupId::mint(now, random),
        name: agent.name.clone(),
        folder: agent.folder.clone(),
        provider: agent.provider.clone(),
        model: agent.model.clone(),
        runtime: agent.runtime,
        limits: agent.limits,
        assistant_name: agent.assistant_name.clone(),
        admin_scope: agent.admin_scope,
    }
}

fn wiring(wiring: &Wiring, (now, random): Seed) -> DesiredWiring {
    DesiredWiring {
        fresh: WiringId::mint(now, random),
        channel: wiring.channel.clone(),
        chat: wiring.chat.clone(),
        group: wiring.agent.clone(),
        engage: wiring.engage,
        pattern: wiring.pattern.clone(),
        sender_scope: wiring.sender_scope,
        ignored: wiring.ignored,
        session_mode: wiring.session_mode,
        priority: wiring.priority,
    }
}

fn policy(channel: &Channel) -> DesiredPolicy {
    DesiredPolicy {
        channel: channel.name.clone(),
        unknown_senders: channel.unknown_senders,
    }
}

fn conversation(conversation: &Conversation, (now, random): Seed) -> DesiredConversation {
    DesiredConversation {
        fresh: ConversationId::mint(now, random),
        channel: conversation.channel.clone(),
        chat: conversation.chat.clone(),
        kind: conversation.kind,
        name: conversation.name.clone(),
        unknown_senders: conversation.unknown_senders,
        declined: conversation.declined,
    }
}

fn person(person: &Person, (now, random): Seed) -> DesiredPerson {
    let role = |role: &Role| match role {
        Role::Owner => DesiredRole::Owner,
        Role::Admin => DesiredRole::Admin,
        Role::AdminOf(agent) => DesiredRole::AdminOf(agent.clone()),
    };
    DesiredPerson {
        fresh: UserId::mint(now, random),
        channel: person.channel.clone(),
        handle: person.handle.clone(),
        name: person.name.clone(),
        roles: person.roles.iter().map(role).collect(),
        member_of: person.member_of.clone(),
    }
}

fn destination(destination: &Destination) -> DesiredDestination {
    DesiredDestination {
        group: destination.agent.clone(),
        name: destination.name.clone(),
        target: match &destination.target {
            Target::Chat { channel, chat } => DesiredTarget::Chat {
                channel: channel.clone(),
                chat: chat.clone(),
            },
            Target::Agent(agent) => DesiredTarget::Agent(agent.clone()),
        },
    }
}
