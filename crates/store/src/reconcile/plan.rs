//! What has to change in groups and wirings: one pure decision over what the file says and what was
//! found. It also tells what speaks against the file as a whole.

use std::collections::{BTreeMap, BTreeSet};

use anchorhold_core::{
    entity::{AdminScope, AgentGroup, ManagedBy, Wiring},
    ids::{AgentGroupId, ChannelName, ChatId, FolderName, WiringId},
};

use crate::reconcile::{
    conflict::{Conflict, WiringKey},
    desired::{
        DesiredDestination, DesiredGroup, DesiredPerson, DesiredRole, DesiredTarget, DesiredWiring,
        FileConfig,
    },
};

/// What the database has.
pub(super) struct Found {
    pub(super) groups: Vec<FoundGroup>,
    pub(super) wirings: Vec<FoundWiring>,
}

pub(super) struct FoundGroup {
    pub(super) row: GroupRow,
    pub(super) retired: bool,
}

pub(super) struct FoundWiring {
    pub(super) wiring: Wiring,
    pub(super) priority: i32,
}

/// A group with what the file says about it beside its own row.
#[derive(Clone, PartialEq)]
pub(super) struct GroupRow {
    pub(super) group: AgentGroup,
    pub(super) assistant_name: Option<String>,
    /// `None` if its configuration is not there at all.
    pub(super) admin_scope: Option<AdminScope>,
}

/// What has to be done.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) add_groups: Vec<GroupRow>,
    /// With whether the group was retired and is back.
    pub(super) change_groups: Vec<(GroupRow, bool)>,
    pub(super) remove_groups: Vec<AgentGroupId>,
    pub(super) add_wirings: Vec<(Wiring, i32)>,
    pub(super) change_wirings: Vec<(Wiring, i32)>,
    pub(super) remove_wirings: Vec<WiringId>,
    /// The groups that the file can speak about, by folder.
    pub(super) ids: BTreeMap<FolderName, AgentGroupId>,
    /// Entries that say something else than a row of run time, which stays.
    pub(super) overruled: u64,
}

/// Decides what has to be done, or lists everything that speaks against it.
pub(super) fn make(file: &FileConfig, found: &Found) -> Result<Plan, Vec<Conflict>> {
    let mut plan = Plan::default();
    let mut conflicts = Vec::new();
    plan_groups(file, found, &mut plan, &mut conflicts);
    plan_wirings(file, found, &mut plan, &mut conflicts);
    check_conversations(file, &mut conflicts);
    check_people(&file.people, &plan.ids, &mut conflicts);
    check_destinations(&file.destinations, &plan.ids, &mut conflicts);
    if conflicts.is_empty() {
        Ok(plan)
    } else {
        Err(conflicts)
    }
}

fn plan_groups(file: &FileConfig, found: &Found, plan: &mut Plan, conflicts: &mut Vec<Conflict>) {
    let by_folder: BTreeMap<&FolderName, &FoundGroup> = found
        .groups
        .iter()
        .map(|g| (&g.row.group.folder, g))
        .collect();
    plan.ids = found
        .groups
        .iter()
        .filter(|g| g.row.group.managed_by == ManagedBy::Runtime && !g.retired)
        .map(|g| (g.row.group.folder.clone(), g.row.group.id))
        .collect();
    let mut in_file = BTreeSet::new();
    for desired in &file.groups {
        let folder = desired.folder.clone();
        if !in_file.insert(&desired.folder) {
            conflicts.push(Conflict::RepeatedGroup { folder });
            continue;
        }
        match by_folder.get(&folder) {
            Some(known) if known.row.group.managed_by == ManagedBy::Runtime => {
                let group = known.row.group.id;
                if known.retired {
                    conflicts.push(Conflict::RetiredGroup { folder, group });
                } else if known.row != group_row(desired, group, ManagedBy::Runtime) {
                    plan.overruled += 1;
                }
            }
            Some(known) => {
                let row = group_row(desired, known.row.group.id, ManagedBy::File);
                plan.ids.insert(folder, row.group.id);
                if known.retired || known.row != row {
                    plan.change_groups.push((row, known.retired));
                }
            }
            None => {
                plan.ids.insert(folder, desired.fresh);
                let row = group_row(desired, desired.fresh, ManagedBy::File);
                plan.add_groups.push(row);
            }
        }
    }
    plan.remove_groups = found
        .groups
        .iter()
        .filter(|g| g.row.group.managed_by == ManagedBy::File && !g.retired)
        .filter(|g| !in_file.contains(&g.row.group.folder))
        .map(|g| g.row.group.id)
        .collect();
}

fn plan_wirings(file: &FileConfig, found: &Found, plan: &mut Plan, conflicts: &mut Vec<Conflict>) {
    let known: BTreeMap<_, _> = found
        .wirings
        .iter()
        .map(|w| {
            let Wiring {
                channel,
                chat,
                agent_group,
                ..
            } = &w.wiring;
            ((channel, chat, *agent_group), w)
        })
        .collect();
    let mut seen = BTreeSet::new();
    let mut kept = BTreeSet::new();
    for desired in &file.wirings {
        let key = WiringKey {
            channel: desired.channel.clone(),
            chat: desired.chat.clone(),
            group: desired.group.clone(),
        };
        if !seen.insert(key.clone()) {
            conflicts.push(Conflict::RepeatedWiring { key });
            continue;
        }
        let Some(group) = plan.ids.get(&desired.group).copied() else {
            conflicts.push(Conflict::UnknownGroup { key });
            continue;
        };
        let Some(known) = known.get(&(&desired.channel, &desired.chat, group)) else {
            let wiring = wiring_row(desired, (desired.fresh, group), ManagedBy::File);
            plan.add_wirings.push((wiring, desired.priority));
            continue;
        };
        let managed_by = known.wiring.managed_by;
        let wiring = wiring_row(desired, (known.wiring.id, group), managed_by);
        let same = known.wiring == wiring && known.priority == desired.priority;
        match (managed_by, same) {
            (ManagedBy::Runtime, true) => {}
            (ManagedBy::Runtime, false) => plan.overruled += 1,
            (ManagedBy::File, _) => {
                kept.insert(known.wiring.id);
                if !same {
                    plan.change_wirings.push((wiring, desired.priority));
                }
            }
        }
    }
    // What a retired group has hears nothing as it is, and is there if the group comes back.
    let asleep: BTreeSet<AgentGroupId> = found
        .groups
        .iter()
        .filter(|g| g.retired && !plan.ids.contains_key(&g.row.group.folder))
        .map(|g| g.row.group.id)
        .collect();
    plan.remove_wirings = found
        .wirings
        .iter()
        .filter(|w| w.wiring.managed_by == ManagedBy::File && !kept.contains(&w.wiring.id))
        .filter(|w| !asleep.contains(&w.wiring.agent_group))
        .map(|w| w.wiring.id)
        .collect();
}

fn check_conversations(file: &FileConfig, conflicts: &mut Vec<Conflict>) {
    let mut seen: BTreeSet<(&ChannelName, &ChatId)> = BTreeSet::new();
    for conversation in &file.conversations {
        if !seen.insert((&conversation.channel, &conversation.chat)) {
            conflicts.push(Conflict::RepeatedConversation {
                channel: conversation.channel.clone(),
                chat: conversation.chat.clone(),
            });
        }
    }
}

fn check_people(
    people: &[DesiredPerson],
    ids: &BTreeMap<FolderName, AgentGroupId>,
    conflicts: &mut Vec<Conflict>,
) {
    let mut seen = BTreeSet::new();
    for person in people {
        if !seen.insert((&person.channel, &person.handle)) {
            conflicts.push(Conflict::RepeatedPerson {
                channel: person.channel.clone(),
                handle: person.handle.clone(),
            });
        }
        let of_roles = person.roles.iter().filter_map(|role| match role {
            DesiredRole::AdminOf(folder) => Some((folder, "a role")),
            DesiredRole::Owner | DesiredRole::Admin => None,
        });
        let of_members = person
            .member_of
            .iter()
            .map(|folder| (folder, "a membership"));
        conflicts.extend(unknown(of_roles.chain(of_members), ids));
    }
}

fn check_destinations(
    destinations: &[DesiredDestination],
    ids: &BTreeMap<FolderName, AgentGroupId>,
    conflicts: &mut Vec<Conflict>,
) {
    let mut seen = BTreeSet::new();
    for destination in destinations {
        if !seen.insert((&destination.group, &destination.name)) {
            conflicts.push(Conflict::RepeatedDestination {
                group: destination.group.clone(),
                name: destination.name.clone(),
            });
        }
        let target = match &destination.target {
            DesiredTarget::Agent(folder) => Some(folder),
            DesiredTarget::Chat { .. } => None,
        };
        let folders = [&destination.group].into_iter().chain(target);
        conflicts.extend(unknown(
            folders.map(|folder| (folder, "a destination")),
            ids,
        ));
    }
}

fn unknown<'a>(
    folders: impl Iterator<Item = (&'a FolderName, &'static str)>,
    ids: &BTreeMap<FolderName, AgentGroupId>,
) -> impl Iterator<Item = Conflict> {
    folders
        .filter(|(folder, _)| !ids.contains_key(*folder))
        .map(|(folder, what)| Conflict::UnknownFolder {
            folder: folder.clone(),
            what,
        })
}

fn group_row(desired: &DesiredGroup, id: AgentGroupId, managed_by: ManagedBy) -> GroupRow {
    GroupRow {
        group: AgentGroup {
            id,
            name: desired.name.clone(),
            folder: desired.folder.clone(),
            provider: desired.provider.clone(),
            model: desired.model.clone(),
            runtime: desired.runtime,
            limits: desired.limits,
            managed_by,
        },
        assistant_name: desired.assistant_name.clone(),
        admin_scope: Some(desired.admin_scope),
    }
}

fn wiring_row(
    desired: &DesiredWiring,
    (id, agent_group): (WiringId, AgentGroupId),
    managed_by: ManagedBy,
) -> Wiring {
    Wiring {
        id,
        channel: desired.channel.clone(),
        chat: desired.chat.clone(),
        agent_group,
        engage: desired.engage,
        pattern: desired.pattern.clone(),
        sender_scope: desired.sender_scope,
        ignored: desired.ignored,
        session_mode: desired.session_mode,
        managed_by,
    }
}
