//! The window in which a load counts, and what it costs.

use std::cell::Cell;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::process::{CpuMark, Process, machine_cpu};
use super::report::Report;

/// A client that used more of its core than this may have been what was measured.
const BUSY_CLIENT_PERCENT: f64 = 80.0;
/// A server that used more of a core than this before the load has other work to do.
const BUSY_BEFORE_PERCENT: f64 = 1.0;
/// Other processes that used more of a core than this have cost the server caches and turns.
const BUSY_MACHINE_PERCENT: f64 = 10.0;
/// How long the server is watched before the load.
const WATCH: Duration = Duration::from_secs(1);

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
        let before = Marks::take(server)?;
        self.0.set(true);
        tokio::time::sleep(length).await;
        self.0.set(false);
        Ok(Marks::take(server)?.since(&before))
    }
}

/// Reports what the server spends before there is any load, connections already open.
pub(super) async fn watch_idle(
    server: Option<&Process>,
    report: &mut Report,
) -> anyhow::Result<()> {
    let idle = Window::default().measure(server, WATCH, WATCH).await?;
    let Some(spent) = idle.server else {
        return Ok(());
    };
    let percent = idle.percent(spent);
    report.row(
        "idle_cpu_percent",
        "server CPU before the load",
        percent,
        "% of a core",
    );
    if percent > BUSY_BEFORE_PERCENT {
        report.note("the server was at work before the load; its figures include that");
    }
    Ok(())
}

/// CPU time as it stands at one moment.
struct Marks {
    at: Instant,
    server: Option<CpuMark>,
    client: CpuMark,
    machine: Option<Duration>,
}

impl Marks {
    fn take(server: Option<&Process>) -> anyhow::Result<Self> {
        let server = server.map(Process::cpu).transpose();
        Ok(Self {
            at: Instant::now(),
            server: server.context("the server is gone")?,
            client: Process::own().cpu()?,
            machine: machine_cpu(),
        })
    }

    fn since(&self, before: &Self) -> Usage {
        let server = self.server.as_ref().zip(before.server.as_ref());
        let server = server.map(|(now, before)| now.since(before));
        let client = self.client.since(&before.client);
        let machine = self.machine.zip(before.machine);
        let machine = machine.map(|(now, before)| now.saturating_sub(before));
        let known = client + server.unwrap_or_default();
        Usage {
            wall: self.at - before.at,
            server,
            client,
            others: machine.map(|machine| machine.saturating_sub(known)),
        }
    }
}

/// What a window has cost.
#[derive(Debug)]
pub(super) struct Usage {
    pub(super) wall: Duration,
    /// The server's CPU time, if it runs here.
    server: Option<Duration>,
    client: Duration,
    /// Of everything else on this machine.
    others: Option<Duration>,
}

impl Usage {
    /// `count` per second of the window.
    pub(super) fn per_second(&self, count: usize) -> f64 {
        count as f64 / self.wall.as_secs_f64()
    }

    /// Reports the server's CPU: of one core, and for each of `count` things done.
    pub(super) fn report(&self, report: &mut Report, label: &str, key: &str, count: usize) {
        if let Some(server) = self.server {
            let percent = self.percent(server);
            report.row("server_cpu_percent", "server CPU", percent, "% of a core");
            let each = server.as_secs_f64() * 1e6 / count.max(1) as f64;
            report.row(key, label, each, "us");
        }
    }

    /// Reports what the client and everything else on the machine used, and warns when that
    /// was enough to spoil the figures.
    pub(super) fn report_surroundings(&self, report: &mut Report) {
        let client = self.percent(self.client);
        report.row(
            "client_cpu_percent",
            "bench client CPU",
            client,
            "% of a core",
        );
        if client > BUSY_CLIENT_PERCENT {
            report.note("the client was busy: latency is partly its own, the server could do more");
        }
        let Some(others) = self.others.map(|others| self.percent(others)) else {
            return;
        };
        report.row(
            "others_cpu_percent",
            "other work on this machine",
            others,
            "% of a core",
        );
        if others > BUSY_MACHINE_PERCENT {
            report.note("the machine had other work; on a quiet one the figures are better");
        }
    }

    fn percent(&self, cpu: Duration) -> f64 {
        100.0 * cpu.as_secs_f64() / self.wall.as_secs_f64()
    }
}
