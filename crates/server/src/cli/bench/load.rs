//! The thread the load comes from, and the window in which the server is measured.

use std::cell::Cell;
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::sync::oneshot;
use tokio::task::{JoinSet, LocalSet};

use super::process::Process;
use super::report::Report;

/// A client that used more of its core than this may have been what was measured.
const BUSY_CLIENT_PERCENT: f64 = 80.0;

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

/// Whether what happens now counts. Shared by all tasks of the load.
#[derive(Debug, Default)]
pub(super) struct Window(Cell<bool>);

impl Window {
    pub(super) fn is_open(&self) -> bool {
        self.0.get()
    }

    #[cfg(test)]
    pub(super) fn open(&self) {
        self.0.set(true);
    }

    /// Lets the load run for `warm_up` uncounted and then for `length` counted.
    pub(super) async fn measure(
        &self,
        server: Option<&Process>,
        warm_up: Duration,
        length: Duration,
    ) -> anyhow::Result<Usage> {
        tokio::time::sleep(warm_up).await;
        let client = Process::own();
        let server_before = server.map(Process::cpu).transpose()?;
        let client_before = client.cpu()?;
        let start = Instant::now();
        self.0.set(true);
        tokio::time::sleep(length).await;
        self.0.set(false);
        let wall = start.elapsed();
        let server_after = server
            .map(Process::cpu)
            .transpose()
            .context("the server is gone")?;
        let client = client.cpu()?.since(&client_before);
        let server = server_after
            .zip(server_before)
            .map(|(after, before)| after.since(&before));
        Ok(Usage {
            wall,
            server,
            client,
        })
    }
}

/// What a window has cost.
#[derive(Debug)]
pub(super) struct Usage {
    pub(super) wall: Duration,
    /// The server's CPU time, if it runs here.
    server: Option<Duration>,
    client: Duration,
}

impl Usage {
    /// `count` per second of the window.
    pub(super) fn per_second(&self, count: usize) -> f64 {
        count as f64 / self.wall.as_secs_f64()
    }

    /// Reports the server's CPU: of one core, and for each of `count` things done.
    pub(super) fn report(&self, report: &mut Report, label: &str, key: &str, count: usize) {
        if let Some(server) = self.server {
            report.row(
                "server_cpu_percent",
                "server CPU",
                self.percent(server),
                "% of a core",
            );
            let each = server.as_secs_f64() * 1e6 / count.max(1) as f64;
            report.row(key, label, each, "us");
        }
    }

    /// Reports the client's CPU, with a warning when it was too busy to be fair.
    pub(super) fn report_client(&self, report: &mut Report) {
        let percent = self.percent(self.client);
        report.row(
            "client_cpu_percent",
            "bench client CPU",
            percent,
            "% of a core",
        );
        if percent > BUSY_CLIENT_PERCENT {
            report.note("the client was busy: latency is partly its own, the server could do more");
        }
    }

    fn percent(&self, cpu: Duration) -> f64 {
        100.0 * cpu.as_secs_f64() / self.wall.as_secs_f64()
    }
}

/// The failure of a task that has ended although the load goes on; stops the others.
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
    tasks.abort_all();
    match first {
        Some(failure) => {
            Err(failure.context(format!("{failed} connections have failed, the first")))
        }
        None => Ok(()),
    }
}
