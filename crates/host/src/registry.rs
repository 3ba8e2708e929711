//! The channel instances that run now.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock, PoisonError, RwLock, Weak},
};

use anchorhold_channel::{ChannelAdapter, HealthReporter, HealthView};
use anchorhold_core::{entity::UnknownSenderPolicy, ids::ChannelName};
use tokio_util::sync::CancellationToken;

use crate::agents;

/// All instances, by name. Cheap to clone; the lock is never held across an await.
#[derive(Clone, Default)]
pub struct Registry {
    /// The channel between agents, which is no part of the configuration and no platform. It reaches
    /// everything that holds a registry, so it is kept elsewhere: else nothing of it would ever go.
    agents: Arc<OnceLock<Weak<Instance>>>,
    instances: Arc<RwLock<HashMap<ChannelName, Instance>>>,
}

/// One channel instance.
#[derive(Clone)]
pub struct Instance {
    /// What speaks to the platform.
    pub adapter: Arc<dyn ChannelAdapter>,
    /// How it fares.
    pub health: HealthView,
    /// Where its supervisor and its adapter write how it fares.
    pub reporter: HealthReporter,
    /// What happens to strangers' messages, unless a conversation says otherwise.
    pub unknown_senders: UnknownSenderPolicy,
    /// The type of channel that it is.
    pub kind: String,
    /// Its table in the configuration, to see whether it has changed.
    pub table: toml::Table,
    /// Ends it.
    pub shutdown: CancellationToken,
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance")
            .field("health", &self.health)
            .finish_non_exhaustive()
    }
}

/// What routing needs to know of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traits {
    /// Has it threads?
    pub threads: bool,
    /// What happens to strangers' messages.
    pub unknown_senders: UnknownSenderPolicy,
}

impl Registry {
    /// Adds an instance, in place of one with the same name.
    pub fn add(&self, name: ChannelName, instance: Instance) {
        self.write().insert(name, instance);
    }

    /// Takes an instance out.
    pub fn remove(&self, name: &ChannelName) -> Option<Instance> {
        self.write().remove(name)
    }

    /// Takes in the channel between agents for as long as it is kept; the first one stays.
    pub fn connect_agents(&self, instance: &Arc<Instance>) {
        // silent: there is one already
        let _there = self.agents.set(Arc::downgrade(instance)).is_err();
    }

    /// The instance of this name.
    pub fn get(&self, name: &ChannelName) -> Option<Instance> {
        if name.as_str() == agents::CHANNEL {
            let agents = self.agents.get()?.upgrade()?;
            return Some(Instance::clone(&agents));
        }
        self.instances
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned()
    }

    /// All instances of the configuration, by name.
    pub fn all(&self) -> Vec<(ChannelName, Instance)> {
        let instances = self
            .instances
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = instances
            .iter()
            .map(|(name, instance)| (name.clone(), instance.clone()))
            .collect();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        all
    }

    /// What routing needs to know; the careful answers for an instance that is gone.
    pub fn traits_of(&self, name: &ChannelName) -> Traits {
        match self.get(name) {
            Some(instance) => Traits {
                threads: instance.adapter.caps().threads.is_yes(),
                unknown_senders: instance.unknown_senders,
            },
            None => Traits {
                threads: false,
                unknown_senders: UnknownSenderPolicy::Strict,
            },
        }
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, HashMap<ChannelName, Instance>> {
        self.instances
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.all().iter().map(|(name, _)| name))
            .finish()
    }
}
