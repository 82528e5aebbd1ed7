//! What still has to be done in a store when nobody waits for it any more: a statement to cancel, a point in time to
//! close. The program waits for it, for a moment, before it ends.

use crate::caught::caught;
use std::sync::LazyLock;
use std::time::Duration;
use tokio_util::task::TaskTracker;

static CLEANING: LazyLock<TaskTracker> = LazyLock::new(TaskTracker::new);

/// Starts it. Without a runtime, nothing can be started: then the process ends, and its connections with it.
pub fn spawn(work: impl Future<Output = ()> + Send + 'static) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        // A server that sends what cannot be read is not tidied up.
        CLEANING.spawn_on(async move { drop(caught(work).await) }, &runtime);
    }
}

/// Waits until all of it is done, or the time is over. Nothing more should be started.
pub async fn finish(limit: Duration) {
    CLEANING.close();
    let _ = tokio::time::timeout(limit, CLEANING.wait()).await;
}
