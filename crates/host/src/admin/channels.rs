//! How the channel instances fare.

use anchorhold_admin::request::Reply;
use jiff::Timestamp;
use serde_json::Value;

use crate::{
    admin::{lookup::Lookup, refusal::Refusal},
    liveness,
};

const COLUMNS: &[&str] = &[
    "name",
    "type",
    "state",
    "since",
    "inbound_at",
    "outbound_at",
    "reconnects",
    "restarts",
    "account",
    "error_at",
    "error",
];

/// Answers `channels list`.
pub(super) async fn list(lookup: &Lookup<'_>) -> Result<Reply, Refusal> {
    let ms = |at: Option<Timestamp>| at.map(Timestamp::as_millisecond).into();
    let mut rows: Vec<Vec<Value>> = Vec::new();
    let limit = usize::try_from(lookup.checked.limit()).unwrap_or(usize::MAX);
    for (name, instance) in lookup.registry.all().into_iter().take(limit) {
        let health = instance.health.get();
        let known = lookup.base.store.channel_health(&name).await?;
        let account = known.and_then(|known| known.identity);
        let (error_at, error) = health.last_error.clone().unzip();
        rows.push(vec![
            name.as_str().into(),
            instance.kind.as_str().into(),
            liveness::state(&health).into(),
            health.since.as_millisecond().into(),
            ms(health.last_inbound),
            ms(health.last_outbound),
            health.reconnects.into(),
            health.restarts.into(),
            account.map(|account| account.as_str().to_owned()).into(),
            ms(error_at),
            error.into(),
        ]);
    }
    Ok(Reply::Rows {
        columns: COLUMNS.iter().map(|column| (*column).to_owned()).collect(),
        rows,
    })
}
