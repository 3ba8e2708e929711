//! How agents run.

use anchorhold_core::{
    entity::{AgentGroup, GroupLimits, ManagedBy, RuntimeChoice},
    guard::act::{GroupChange, NewGroup},
    ids::{AgentGroupId, QuestionId, SessionId},
    way_out::ModelApi,
};
use anchorhold_store::undo::What;

use crate::{
    acts::{ActError, Acts, Done, done, found, made, owned_by_file},
    settings::PROVIDERS,
};

/// Who runs the turns of an agent that names nobody.
const PROVIDER: &str = "offline";

impl Acts {
    /// Makes an agent with a given id, so that doing it again after a death makes no second one.
    pub async fn fresh_agent(&self, id: AgentGroupId, new: &NewGroup) -> Result<Done, ActError> {
        if self.base.store.group(id).await?.is_some() {
            return Ok(made("The agent is there.", id));
        }
        self.create_group(id, new).await
    }

    pub(super) async fn create_group(
        &self,
        id: AgentGroupId,
        new: &NewGroup,
    ) -> Result<Done, ActError> {
        let (store, now) = (&self.base.store, self.base.now());
        let model = new.model.as_deref().filter(|model| !model.is_empty());
        let of_model = model.and_then(|model| self.base.models.api(model));
        let provider = match (&new.provider, of_model) {
            (Some(provider), _) => provider.as_str(),
            (None, Some(api)) => api.as_str(),
            (None, None) => PROVIDER,
        };
        self.check_provider(provider, model)?;
        if store.group_by_folder(&new.folder).await?.is_some() {
            let what = format!(
                "there is an agent with the folder {:?} already",
                new.folder.as_str()
            );
            return Err(ActError::Conflict(what));
        }
        let name = new.name.clone();
        let group = AgentGroup {
            id,
            name: name.unwrap_or_else(|| new.folder.as_str().to_owned()),
            folder: new.folder.clone(),
            provider: provider.to_owned(),
            model: model.map(str::to_owned),
            runtime: new.runtime.unwrap_or(RuntimeChoice::Auto),
            limits: GroupLimits::USUAL,
            managed_by: ManagedBy::Runtime,
        };
        store.add_group(&group, now).await?;
        if let Some(scope) = new.admin_scope {
            let change = GroupChange {
                admin_scope: Some(scope),
                ..GroupChange::default()
            };
            store.update_group(id, &change, now).await?;
        }
        Ok(made("The agent is made.", id))
    }

    pub(super) async fn update_group(
        &self,
        group: AgentGroupId,
        change: &GroupChange,
    ) -> Result<Done, ActError> {
        let (store, now) = (&self.base.store, self.base.now());
        let known = self.group(group).await?;
        if known.managed_by == ManagedBy::File {
            return Err(owned_by_file("group"));
        }
        if change.provider.is_some() || change.model.is_some() {
            let provider = change.provider.as_ref().unwrap_or(&known.provider);
            let model = change.model.as_ref().or(known.model.as_ref());
            let model = model.map(String::as_str).filter(|model| !model.is_empty());
            self.check_provider(provider, model)?;
        }
        found(store.update_group(group, change, now).await?, "group")?;
        self.sessions.relearn(group).await?;
        Ok(done(
            "The agent is changed. Its sandboxes heed it from their next start.",
        ))
    }

    pub(super) async fn delete_group(&self, group: AgentGroupId) -> Result<Done, ActError> {
        let sessions = self.sessions.of_group(group).await?;
        let deleted = self.delete(What::Group(group), "group").await?;
        self.sessions.end(sessions).await;
        Ok(deleted)
    }

    pub(super) async fn restart_group(
        &self,
        group: AgentGroupId,
        message: Option<&str>,
        wish: QuestionId,
    ) -> Result<Done, ActError> {
        self.group(group).await?;
        let restarted = self.sessions.restart(group, message, wish).await?;
        Ok(done(&match restarted {
            0 => "No sandbox of this agent runs; the next message starts one.".to_owned(),
            1 => "One sandbox is being replaced.".to_owned(),
            more => format!("{more} sandboxes are being replaced."),
        }))
    }

    /// Can this provider run turns with this model?
    fn check_provider(&self, provider: &str, model: Option<&str>) -> Result<(), ActError> {
        let invalid = |what: String| Err(ActError::Invalid(what));
        if !PROVIDERS.contains(&provider) {
            let known = PROVIDERS.join(", ");
            return invalid(format!(
                "there is no provider {provider:?}; there is: {known}"
            ));
        }
        let api = model.map(|model| (model, self.base.models.api(model)));
        match (ModelApi::of_provider(provider), api) {
            (_, Some((model, None))) => invalid(format!(
                "the configuration has no model {model:?}; it has: {}",
                self.base.models.names().join(", ")
            )),
            (Some(_), None) => invalid(format!("the provider {provider:?} needs a model")),
            (Some(calls), Some((model, Some(api)))) if calls != api => invalid(format!(
                "the model {model:?} has the provider {:?}, not {provider:?}",
                api.as_str()
            )),
            (Some(_) | None, _) => Ok(()),
        }
    }

    pub(super) async fn close_session(&self, session: SessionId) -> Result<Done, ActError> {
        found(self.sessions.close(session).await?, "open session")?;
        Ok(done(
            "The session is closed; the next message begins a fresh one.",
        ))
    }
}
