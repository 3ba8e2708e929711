//! Finds what the fields of a request name.

use anchorhold_admin::{
    catalog,
    request::{Checked, FailCode},
};
use anchorhold_core::{
    entity::AgentGroup,
    ids::{AgentGroupId, ChannelName, ChatId, Handle, IdError, SessionId, UserId, WiringId},
};
use anchorhold_store::{people::User, sessions::SessionRow, wirings::WiringRow};

use crate::{admin::refusal::Refusal, base::Base, registry::Registry};

/// One request, and where what it names is found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lookup<'a> {
    pub(super) base: &'a Base,
    pub(super) registry: &'a Registry,
    pub(super) checked: &'a Checked,
}

impl<'a> Lookup<'a> {
    /// How people name a field of the request.
    pub(super) fn spelled(&self, field: &str) -> String {
        let verb = catalog::resource(self.checked.resource())
            .and_then(|resource| resource.verb(self.checked.verb()));
        let known = verb.and_then(|verb| verb.field(field));
        known.map_or_else(|| format!("--{field}"), catalog::Field::spelled)
    }

    /// A value that its field takes and that can't be used all the same.
    pub(super) fn wrong(&self, field: &str, why: impl std::fmt::Display) -> Refusal {
        let (command, field) = (self.checked.command(), self.spelled(field));
        Refusal::said(FailCode::Usage, format!("`{command}`: {field}: {why}"))
    }

    /// There is no such thing as a field names.
    pub(super) fn absent(&self, what: &str, field: &str) -> Refusal {
        Refusal::absent(what, &self.spelled(field))
    }

    /// The text of a field that is given.
    pub(super) fn text(&self, field: &str) -> Result<&'a str, Refusal> {
        let text = self.checked.text(field);
        text.ok_or_else(|| self.wrong(field, "it is missing"))
    }

    /// The text of a field, on its own.
    pub(super) fn owned(&self, field: &str) -> Option<String> {
        self.checked.text(field).map(str::to_owned)
    }

    /// A field as what `parse` makes of it.
    pub(super) fn parsed<T>(
        &self,
        field: &str,
        parse: impl Fn(&str) -> Result<T, IdError>,
    ) -> Result<T, Refusal> {
        parse(self.text(field)?).map_err(|why| self.wrong(field, why))
    }

    /// As [`Self::parsed`], if the field is given.
    pub(super) fn optional<T>(
        &self,
        field: &str,
        parse: impl Fn(&str) -> Result<T, IdError>,
    ) -> Result<Option<T>, Refusal> {
        match self.checked.text(field) {
            Some(_) => self.parsed(field, parse).map(Some),
            None => Ok(None),
        }
    }

    /// One of a closed set of values, if the field is given.
    pub(super) fn choice<T>(
        &self,
        field: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        let Some(text) = self.checked.text(field) else {
            return Ok(None);
        };
        let known = parse(text);
        known
            .map(Some)
            .ok_or_else(|| self.wrong(field, "there is no such value"))
    }

    /// The agent that a field names, by id or folder; one that is retired by its id only.
    pub(super) async fn group(&self, field: &str) -> Result<AgentGroup, Refusal> {
        let name = self.text(field)?;
        let store = &self.base.store;
        if let Ok(id) = AgentGroupId::parse(name)
            && let Some(found) = store.group(id).await?
        {
            return Ok(found);
        }
        let mut groups = store.groups().await?.into_iter();
        let found = groups.find(|group| group.folder.as_str() == name);
        found.ok_or_else(|| self.absent("group", field))
    }

    /// As [`Self::group`], if the field is given; only the id.
    pub(super) async fn optional_group(
        &self,
        field: &str,
    ) -> Result<Option<AgentGroupId>, Refusal> {
        match self.checked.text(field) {
            Some(_) => Ok(Some(self.group(field).await?.id)),
            None => Ok(None),
        }
    }

    /// The channel instance that a field names; one that runs.
    pub(super) fn channel(&self, field: &str) -> Result<ChannelName, Refusal> {
        let channel = self.parsed(field, ChannelName::parse)?;
        if self.registry.get(&channel).is_none() {
            return Err(self.absent("channel", field));
        }
        Ok(channel)
    }

    /// The person that `--user`, or `--channel` with `--handle`, names.
    pub(super) async fn user(&self) -> Result<UserId, Refusal> {
        let (field, found) = match self.checked.text("user") {
            Some(_) => {
                let id = self.parsed("user", UserId::parse)?;
                ("user", self.base.store.user(id).await?)
            }
            None => ("handle", self.person().await?),
        };
        found
            .map(|user| user.id)
            .ok_or_else(|| self.absent("user", field))
    }

    async fn person(&self) -> Result<Option<User>, Refusal> {
        let channel = self.parsed("channel", ChannelName::parse)?;
        let handle = self.parsed("handle", Handle::parse)?;
        Ok(self.base.store.find_user(&channel, &handle).await?)
    }

    /// The chat that `--conversation` names, on `--channel`.
    pub(super) fn chat(&self) -> Result<(ChannelName, ChatId), Refusal> {
        let channel = self.channel("channel")?;
        let chat = self.parsed("conversation", ChatId::parse)?;
        Ok((channel, chat))
    }

    /// The wiring of that id.
    pub(super) async fn wiring(&self) -> Result<WiringRow, Refusal> {
        let id = self.parsed("id", WiringId::parse)?;
        let found = self.base.store.wiring(id).await?;
        found.ok_or_else(|| self.absent("wiring", "id"))
    }

    /// The session of that id. One outside `--group` is as if it were not there.
    pub(super) async fn session(&self) -> Result<SessionRow, Refusal> {
        let id = self.parsed("id", SessionId::parse)?;
        let within = self.optional_group("group").await?;
        let found = self.base.store.session(id).await?;
        let found = found.filter(|row| {
            let owner = row.session.key.agent_group;
            within.is_none_or(|within| owner == within)
        });
        found.ok_or_else(|| self.absent("session", "id"))
    }
}
