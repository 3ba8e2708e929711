//! What people and channels are called: asked once, and again when that was long ago.

use std::time::{Duration, Instant};

use tokio::time::timeout;
use tracing::debug;

use crate::{
    adapter::SlackAdapter,
    api::Params,
    recent::Recent,
    wire::{ChannelInfo, UserInfo},
};

/// So many names are kept.
const LIMIT: usize = 2_000;
/// How long a name is taken for what it was.
const FRESH: Duration = Duration::from_hours(1);

/// The names that were asked for, also those that were not told.
#[derive(Debug)]
pub(crate) struct Names(Recent<String, (Option<String>, Instant)>);

impl Default for Names {
    fn default() -> Self {
        Self(Recent::new(LIMIT))
    }
}

impl Names {
    /// Was a name asked for not long ago, told or not?
    fn is_fresh(&self, id: &str, now: Instant) -> bool {
        let asked = self.0.get(&id.to_owned()).map(|(_, asked)| *asked);
        asked.is_some_and(|asked| now.duration_since(asked) < FRESH)
    }

    /// What is known of a name, however old.
    pub(crate) fn known(&self, id: &str) -> Option<String> {
        self.0.get(&id.to_owned())?.0.clone()
    }
}

impl SlackAdapter {
    /// Learns what these are called, as far as Slack says so in time: a message waits for no name.
    pub(crate) async fn learn(&self, ids: &[&str]) {
        // silent: what is not known by then is written as an id
        drop(timeout(self.waits.name, self.ask_all(ids)).await);
    }

    async fn ask_all(&self, ids: &[&str]) {
        for id in ids {
            let now = self.clock.mono();
            if self.names(|names| names.is_fresh(id, now)) {
                continue;
            }
            let name = self.ask(id).await;
            self.names(|names| names.0.note((*id).to_owned(), (name, now)));
        }
    }

    /// `None` also where Slack does not say it: a name is only shown.
    async fn ask(&self, id: &str) -> Option<String> {
        let asked = if id.starts_with(['U', 'W']) {
            let params = Params::new().with("user", id);
            let info = self.api.asked::<UserInfo>("users.info", &params).await;
            info.map(|info| info.user.shown())
        } else {
            let params = Params::new().with("channel", id);
            let info = self.api.asked::<ChannelInfo>("conversations.info", &params);
            info.await.map(|info| info.channel.name)
        };
        asked
            .inspect_err(|error| debug!(%error, "a name is not known"))
            .unwrap_or_default()
    }
}
