//! The thread the load comes from, and its tasks.

use anyhow::Context;
use tokio::sync::oneshot;
use tokio::task::{JoinSet, LocalSet};

use super::report::Report;

/// Runs `work` on a thread with a single-threaded runtime: its tasks share plain cells, and
/// the load takes one core at most.
pub(super) async fn on_own_thread<F>(
    work: impl FnOnce() -> F + Send + 'static,
) -> anyhow::Result<Report>
where
    F: Future<Output = anyhow::Result<Report>>,
{
    let (done, result) = oneshot::channel();
    let thread = std::thread::Builder::new().name("bench".into());
    thread.spawn(move || {
        // Nobody waits any more: the command was interrupted.
        let _ = done.send(block_on(work()));
    })?;
    result.await.context("the bench thread has ended early")?
}

fn block_on(work: impl Future<Output = anyhow::Result<Report>>) -> anyhow::Result<Report> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, work)
}

/// The failure of a task that has ended although the load goes on.
pub(super) fn first_failure(tasks: &mut JoinSet<anyhow::Result<()>>) -> anyhow::Result<()> {
    let mut failed = 0;
    let mut first = None;
    while let Some(ended) = tasks.try_join_next() {
        failed += 1;
        let failure = ended
            .map_err(anyhow::Error::from)
            .and_then(|result| result)
            .err();
        first = first.or(failure);
    }
    match first {
        Some(failure) => {
            Err(failure.context(format!("{failed} connections have failed, the first")))
        }
        None => Ok(()),
    }
}
