//! Whose invitations are accepted. Those of others stay where they are: nobody is told that the bot
//! was asked.

use anchorhold_channel::ChannelError;
use matrix_sdk::{
    Client,
    ruma::{OwnedUserId, RoomId, UserId},
};
use serde_json::Value;
use tracing::{info, warn};

use crate::failure;

const DOING: &str = "accepting an invitation";

/// Whose invitations are accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Inviters {
    everybody: bool,
    people: Vec<OwnedUserId>,
    servers: Vec<String>,
}

impl Inviters {
    /// Reads the list; an error is the number of the first entry that is none.
    pub(crate) fn read(entries: &[String]) -> Result<Self, usize> {
        let mut inviters = Self::default();
        for (at, entry) in entries.iter().enumerate() {
            if entry == "*" {
                inviters.everybody = true;
            } else if entry.starts_with('@') {
                let person = UserId::parse(entry.as_str()).map_err(|_no_user_id| at + 1)?;
                inviters.people.push(person);
            } else if !entry.is_empty() && !entry.contains(['@', '/', ' ', '*']) {
                inviters.servers.push(entry.clone());
            } else {
                return Err(at + 1);
            }
        }
        Ok(inviters)
    }

    /// Is this person's invitation accepted? The server in a person's id is the one that vouches for
    /// them.
    pub(crate) fn accept(&self, person: &UserId) -> bool {
        let server = person.server_name().as_str();
        self.everybody
            || self.people.iter().any(|known| known == person)
            || self.servers.iter().any(|known| known == server)
    }

    /// The policy in words for the operator.
    pub(crate) fn words(&self) -> String {
        if self.everybody {
            return "It accepts everybody's invitations.".to_owned();
        }
        let people = self.people.iter().map(ToString::to_string);
        let servers = self
            .servers
            .iter()
            .map(|server| format!("everybody at {server}"));
        let all: Vec<String> = people.chain(servers).collect();
        if all.is_empty() {
            "It accepts nobody's invitations: name people or servers in `invites`.".to_owned()
        } else {
            format!("It accepts invitations of {}.", all.join(", "))
        }
    }
}

/// An invitation, as the room's own words have it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Invitation {
    pub(crate) by: OwnedUserId,
    pub(crate) is_direct: bool,
}

impl Invitation {
    /// Finds the invitation of `me` in the state that came with it.
    pub(crate) fn find(state: &[Value], me: &str) -> Option<Self> {
        let own = state
            .iter()
            .find(|event| event["type"] == "m.room.member" && event["state_key"] == me)?;
        Some(Self {
            by: UserId::parse(own["sender"].as_str()?).ok()?,
            is_direct: own["content"]["is_direct"] == true,
        })
    }
}

/// Joins a room where the policy says so.
pub(crate) async fn consider(
    client: &Client,
    inviters: &Inviters,
    room: &RoomId,
    invitation: Option<Invitation>,
) -> Result<(), ChannelError> {
    let Some(Invitation { by, is_direct }) = invitation else {
        warn!(%room, "an invitation does not say whose it is, ignored");
        return Ok(());
    };
    if !inviters.accept(&by) {
        info!(%room, %by, "an invitation is left alone, its sender is not in `invites`");
        return Ok(());
    }
    Box::pin(client.join_room_by_id(room))
        .await
        .map_err(|error| failure::of(DOING, error))?;
    if is_direct {
        Box::pin(client.account().mark_as_dm(room, std::slice::from_ref(&by)))
            .await
            .map_err(|error| failure::of(DOING, error))?;
    }
    info!(%room, %by, is_direct, "an invitation is accepted");
    Ok(())
}

#[cfg(test)]
mod tests;
