//! The crate's one way to do what blocks.

use tokio::task;

/// Does the work elsewhere; `None` where that was cut off because the process ends.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the crate's helper for blocking work"
)]
pub(crate) async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    // silent: `None` says it
    task::spawn_blocking(work).await.ok()
}
