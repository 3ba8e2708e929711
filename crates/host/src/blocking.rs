//! The one place where blocking work gets its thread.

/// The job panicked, or the runtime is going down: its outcome is unknown.
#[derive(Debug, thiserror::Error)]
#[error("a blocking job did not end")]
pub struct Lost(#[source] tokio::task::JoinError);

/// Runs `job` on a thread that may block. Dropping the future does not stop the job.
pub async fn blocking<T: Send + 'static>(
    job: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Lost> {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the helper that the lint points to"
    )]
    let handle = tokio::task::spawn_blocking(job);
    handle.await.map_err(Lost)
}
