//! The one place where blocking work gets its thread.

use std::{cell::RefCell, fmt, sync::Arc};

thread_local! {
    static BEFORE: RefCell<Option<Before>> = const { RefCell::new(None) };
}

/// What a job does on its own thread before it begins.
#[derive(Clone)]
pub struct Before(Arc<dyn Fn() + Send + Sync>);

impl Before {
    /// Jobs begin when `wait` returns.
    pub fn new(wait: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(wait))
    }
}

impl fmt::Debug for Before {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Before").finish_non_exhaustive()
    }
}

/// Sets what jobs do first that the present thread hands over from now on; returns what it was.
///
/// A process that lives in virtual time lets one thing happen after the other, and to it a job that
/// ends before or after the next task is two different stories. Programs that live in real time
/// need none.
pub fn set_before(before: Option<Before>) -> Option<Before> {
    BEFORE.with(|now| now.replace(before))
}

/// The job panicked, or the runtime is going down: its outcome is unknown.
#[derive(Debug, thiserror::Error)]
#[error("a blocking job did not end")]
pub struct Lost(#[source] tokio::task::JoinError);

/// Runs `job` on a thread that may block. Dropping the future does not stop the job.
pub async fn blocking<T: Send + 'static>(
    job: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Lost> {
    let before = BEFORE.with(|now| now.borrow().clone());
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the helper that the lint points to"
    )]
    let handle = tokio::task::spawn_blocking(move || {
        if let Some(Before(wait)) = before {
            wait();
        }
        job()
    });
    handle.await.map_err(Lost)
}
