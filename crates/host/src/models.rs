//! What the configuration file says of models, of harnesses, of the hosts that agents may reach and of
//! where their people live: the one place where keys are. Only the file knows it; a group's row holds its
//! model's name.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use anchorhold_broker::{
    egress::Egress,
    ways::{Key, Model, Ways},
};
use anchorhold_channel::SecretSource;
use anchorhold_core::{entity::AgentGroup, ids::FolderName, way_out::ModelApi};
use anchorhold_sessiondb::ModelOptions;

use crate::{
    config::{self, Config, Harness, problem::Problems},
    report::report,
    settings::SettingsError,
};

/// The models and the egress lists; changes while the host runs. Clones share it.
#[derive(Clone, Default)]
pub struct Models(Arc<RwLock<Given>>);

/// What a file says, with the keys that it refers to.
#[derive(Debug, Default)]
pub struct Given {
    models: BTreeMap<String, Named>,
    egress: BTreeMap<FolderName, Egress>,
    harnesses: BTreeMap<FolderName, Harness>,
    zones: BTreeMap<FolderName, String>,
}

#[derive(Clone, Debug)]
struct Named {
    model: Arc<Model>,
    options: ModelOptions,
}

impl fmt::Debug for Models {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Models").finish_non_exhaustive()
    }
}

impl Given {
    /// Reads the keys that `config` refers to, or says which are not to be had.
    pub fn read(config: &Config, secrets: &SecretSource) -> Result<Self, SettingsError> {
        let mut given = Self::default();
        let mut problems = Vec::new();
        for model in &config.models {
            match named(model, secrets) {
                Ok(named) => {
                    given.models.insert(model.name.clone(), named);
                }
                Err(what) => {
                    let at = ["models", model.name.as_str(), "key"];
                    problems.push(config.problem(&at, &what));
                }
            }
        }
        for harness in &config.harnesses {
            let there = harness.folder.as_ref().is_none_or(|folder| folder.is_dir());
            if !there {
                let at = ["harnesses", harness.name.as_str(), "folder"];
                problems.push(config.problem(&at, "there is no such folder"));
            }
        }
        for agent in &config.agents {
            let mut harnesses = config.harnesses.iter();
            let harness = harnesses.find(|harness| Some(&harness.name) == agent.harness.as_ref());
            if let Some(harness) = harness {
                given
                    .harnesses
                    .insert(agent.folder.clone(), harness.clone());
            }
            let egress = Egress::new(agent.egress.clone());
            given.egress.insert(agent.folder.clone(), egress);
            if let Some(zone) = &agent.time_zone {
                given.zones.insert(agent.folder.clone(), zone.clone());
            }
        }
        match Problems::collect(problems) {
            Some(problems) => Err(SettingsError::Wrong(problems)),
            None => Ok(given),
        }
    }
}

fn named(model: &config::Model, secrets: &SecretSource) -> Result<Named, String> {
    let key = match &model.key {
        Some(key) => {
            let secret = key
                .resolve(secrets)
                .map_err(|error| report(&error).to_string())?;
            Some(Key::new(secret.expose()).map_err(|error| error.to_string())?)
        }
        None => None,
    };
    Ok(Named {
        model: Arc::new(Model {
            id: model.model.clone(),
            api: model.provider,
            base_url: model.base_url.clone(),
            key,
            prices: model.prices,
        }),
        options: ModelOptions {
            max_output_tokens: model.max_output_tokens,
            context_tokens: model.context_tokens,
            effort: model.effort.clone(),
            responses: model.responses,
        },
    })
}

impl Models {
    /// From now on this counts.
    pub fn replace(&self, given: Given) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = given;
    }

    /// The names of all models, sorted.
    pub fn names(&self) -> Vec<String> {
        self.with(|given| given.models.keys().cloned().collect())
    }

    /// How the model of this name is spoken to; `None` if there is none.
    pub fn api(&self, name: &str) -> Option<ModelApi> {
        self.with(|given| given.models.get(name).map(|named| named.model.api))
    }

    /// What the group's sandboxes are told of its model: what the provider calls it, and how it is
    /// called. No key, and no address.
    pub fn told(&self, group: &AgentGroup) -> (Option<String>, ModelOptions) {
        let named = self.with(|given| given.named(group));
        named
            .map(|named| (Some(named.model.id.clone()), named.options))
            .unwrap_or_default()
    }

    /// The program that runs the group's turns, where the file names one for its provider.
    pub fn harness(&self, group: &AgentGroup) -> Option<Harness> {
        let harness = self.with(|given| given.harnesses.get(&group.folder).cloned());
        harness.filter(|harness| harness.provider == group.provider)
    }

    /// In whose time the group's sandboxes are told of times, if the file says so.
    pub fn zone(&self, group: &AgentGroup) -> Option<String> {
        self.with(|given| given.zones.get(&group.folder).cloned())
    }

    /// What the group's sessions may do.
    pub fn ways(&self, group: &AgentGroup) -> Ways {
        self.with(|given| Ways {
            model: given.named(group).map(|named| named.model),
            egress: given.egress.get(&group.folder).cloned().unwrap_or_default(),
        })
    }

    fn with<T>(&self, look: impl FnOnce(&Given) -> T) -> T {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Given {
    fn named(&self, group: &AgentGroup) -> Option<Named> {
        self.models.get(group.model.as_deref()?).cloned()
    }
}
