//! What has to change: one pure decision over what the file says and what was found.

use std::collections::{BTreeMap, BTreeSet};

use anchorhold_core::{
    entity::{AgentGroup, ManagedBy, Wiring},
    ids::{AgentGroupId, FolderName, WiringId},
};

use crate::reconcile::{Conflict, DesiredGroup, DesiredWiring, FileConfig, WiringKey};

/// What the database has.
pub(super) struct Found {
    pub(super) groups: Vec<FoundGroup>,
    pub(super) wirings: Vec<FoundWiring>,
}

pub(super) struct FoundGroup {
    pub(super) group: AgentGroup,
    pub(super) retired: bool,
}

pub(super) struct FoundWiring {
    pub(super) wiring: Wiring,
    pub(super) priority: i32,
}

/// What has to be done.
#[derive(Default)]
pub(super) struct Plan {
    pub(super) add_groups: Vec<AgentGroup>,
    /// With whether the group was retired and is back.
    pub(super) change_groups: Vec<(AgentGroup, bool)>,
    pub(super) remove_groups: Vec<AgentGroupId>,
    pub(super) add_wirings: Vec<(Wiring, i32)>,
    pub(super) change_wirings: Vec<(Wiring, i32)>,
    pub(super) remove_wirings: Vec<WiringId>,
}

/// Decides what has to be done, or lists everything that speaks against it.
pub(super) fn make(file: &FileConfig, found: &Found) -> Result<Plan, Vec<Conflict>> {
    let mut plan = Plan::default();
    let mut conflicts = Vec::new();
    let ids = plan_groups(file, found, &mut plan, &mut conflicts);
    plan_wirings(file, (found, &ids), &mut plan, &mut conflicts);
    if conflicts.is_empty() {
        Ok(plan)
    } else {
        Err(conflicts)
    }
}

/// Returns the groups that wirings of the file can be to, by folder.
fn plan_groups(
    file: &FileConfig,
    found: &Found,
    plan: &mut Plan,
    conflicts: &mut Vec<Conflict>,
) -> BTreeMap<FolderName, AgentGroupId> {
    let by_folder: BTreeMap<&FolderName, &FoundGroup> =
        found.groups.iter().map(|g| (&g.group.folder, g)).collect();
    let mut ids: BTreeMap<FolderName, AgentGroupId> = found
        .groups
        .iter()
        .filter(|g| g.group.managed_by == ManagedBy::Runtime && !g.retired)
        .map(|g| (g.group.folder.clone(), g.group.id))
        .collect();
    let mut in_file = BTreeSet::new();
    for desired in &file.groups {
        let folder = &desired.folder;
        if !in_file.insert(folder) {
            conflicts.push(Conflict::RepeatedGroup {
                folder: folder.clone(),
            });
            continue;
        }
        match by_folder.get(folder) {
            Some(known) if known.group.managed_by == ManagedBy::Runtime => {
                conflicts.push(Conflict::RuntimeGroup {
                    folder: folder.clone(),
                    group: known.group.id,
                });
            }
            Some(known) => {
                let group = group_row(desired, known.group.id);
                ids.insert(folder.clone(), group.id);
                if known.retired || known.group != group {
                    plan.change_groups.push((group, known.retired));
                }
            }
            None => {
                ids.insert(folder.clone(), desired.fresh);
                plan.add_groups.push(group_row(desired, desired.fresh));
            }
        }
    }
    plan.remove_groups = found
        .groups
        .iter()
        .filter(|g| g.group.managed_by == ManagedBy::File && !g.retired)
        .filter(|g| !in_file.contains(&g.group.folder))
        .map(|g| g.group.id)
        .collect();
    ids
}

fn plan_wirings(
    file: &FileConfig,
    (found, ids): (&Found, &BTreeMap<FolderName, AgentGroupId>),
    plan: &mut Plan,
    conflicts: &mut Vec<Conflict>,
) {
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
        let Some(group) = ids.get(&desired.group).copied() else {
            conflicts.push(Conflict::UnknownGroup { key });
            continue;
        };
        let known = found.wirings.iter().find(|w| {
            w.wiring.channel == desired.channel
                && w.wiring.chat == desired.chat
                && w.wiring.agent_group == group
        });
        match known {
            Some(known) if known.wiring.managed_by == ManagedBy::Runtime => {
                conflicts.push(Conflict::RuntimeWiring {
                    key,
                    wiring: known.wiring.id,
                });
            }
            Some(known) => {
                kept.insert(known.wiring.id);
                let wiring = wiring_row(desired, known.wiring.id, group);
                if known.wiring != wiring || known.priority != desired.priority {
                    plan.change_wirings.push((wiring, desired.priority));
                }
            }
            None => {
                let wiring = wiring_row(desired, desired.fresh, group);
                plan.add_wirings.push((wiring, desired.priority));
            }
        }
    }
    plan.remove_wirings = found
        .wirings
        .iter()
        .filter(|w| w.wiring.managed_by == ManagedBy::File && !kept.contains(&w.wiring.id))
        .map(|w| w.wiring.id)
        .collect();
}

fn group_row(desired: &DesiredGroup, id: AgentGroupId) -> AgentGroup {
    AgentGroup {
        id,
        name: desired.name.clone(),
        folder: desired.folder.clone(),
        provider: desired.provider.clone(),
        model: desired.model.clone(),
        runtime: desired.runtime,
        limits: desired.limits,
        managed_by: ManagedBy::File,
    }
}

fn wiring_row(desired: &DesiredWiring, id: WiringId, agent_group: AgentGroupId) -> Wiring {
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
        managed_by: ManagedBy::File,
    }
}
