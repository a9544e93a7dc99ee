//! Heartbeats on many connections: the cost of one frame in and one frame out.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::bail;
use asobi_client::{Connection, Frame};
use clap::Args;
use tokio::task::JoinSet;
use tokio::time::{Interval, interval_at};

use super::guests;
use super::load::first_failure;
use super::process::Process;
use super::report::Report;
use super::samples::Samples;
use super::target::TargetArgs;
use super::window::{Window, watch_idle};

/// Uncounted load before the window.
const WARM_UP: Duration = Duration::from_secs(2);

/// How much load, and on what.
#[derive(Args, Clone, Debug)]
pub(crate) struct HeartbeatArgs {
    #[command(flatten)]
    pub(super) target: TargetArgs,
    /// Connections, each with its own guest.
    #[arg(long, default_value_t = 100)]
    connections: usize,
    /// Length of the measured window in seconds, after 2 s of warm-up.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Heartbeats per second, all connections together. A connection may send 60 unless the
    /// limit is off. 0: each connection sends the next as soon as it has its answer.
    #[arg(long, default_value_t = 2000)]
    rate: u64,
    /// The URL is a bare echo (`asobi bench echo-server`): no guests, no session.
    #[arg(long)]
    bare: bool,
    /// Measure this bare echo as well, and the ratio of the two.
    #[arg(long, value_name = "URL", conflicts_with = "bare")]
    bare_url: Option<String>,
}

/// What the connections have seen in the window.
#[derive(Debug, Default)]
struct Meter {
    window: Window,
    latencies: RefCell<Samples>,
}

/// Measures the server and, if asked to, a bare echo after it.
pub(super) async fn run(args: HeartbeatArgs) -> anyhow::Result<Report> {
    let server = args.target.process()?;
    let bare = args.bare_url.as_deref();
    let echo = bare
        .map(|url| args.target.process_of(url, None))
        .transpose()?;
    let mut report = measure(&args, &args.target.url, server, args.bare).await?;
    if let Some((url, echo)) = bare.zip(echo) {
        report.append("bare", measure(&args, url, echo, true).await?);
        let of = |key| report.value(key);
        if let (Some(ours), Some(bare)) = (
            of("cpu_per_round_trip_us"),
            of("bare_cpu_per_round_trip_us"),
        ) {
            report.row("cpu_ratio", "CPU, server to bare", ours / bare, "x");
        }
    }
    Ok(report)
}

async fn measure(
    args: &HeartbeatArgs,
    url: &str,
    server: Option<Process>,
    bare: bool,
) -> anyhow::Result<Report> {
    let connections = open(url, args.connections, bare).await?;
    let mut report = Report::new("heartbeat");
    watch_idle(server.as_ref(), &mut report).await?;
    let meter = Rc::new(Meter::default());
    let mut tasks = JoinSet::new();
    for (at, connection) in connections.into_iter().enumerate() {
        let pace = (args.rate > 0).then(|| pace(args, at));
        tasks.spawn_local(beat(connection, pace, meter.clone()));
    }
    let length = Duration::from_secs(args.seconds);
    let usage = meter
        .window
        .measure(server.as_ref(), WARM_UP, length)
        .await?;
    first_failure(&mut tasks)?;
    let latencies = meter.latencies.take();
    let count = latencies.len();
    let per_second = usage.per_second(count);
    report.row("connections", "connections", args.connections as f64, "");
    report.row("round_trips_per_second", "round trips", per_second, "/s");
    usage.report(
        &mut report,
        "CPU per round trip",
        "cpu_per_round_trip_us",
        count,
    );
    report.percentiles("latency", "latency", &latencies.sort(), &[50, 99]);
    usage.report_surroundings(&mut report);
    Ok(report)
}

async fn open(url: &str, count: usize, bare: bool) -> anyhow::Result<Vec<Connection>> {
    if bare {
        let mut connections = Vec::with_capacity(count);
        for _ in 0..count {
            connections.push(guests::open(url).await?);
        }
        return Ok(connections);
    }
    let sessions = guests::sign_in(url, count).await?;
    let guests = guests::connect(url, &sessions).await?;
    Ok(guests.into_iter().map(|guest| guest.connection).collect())
}

/// The times at which the `at`th connection sends: all of them spread evenly.
fn pace(args: &HeartbeatArgs, at: usize) -> Interval {
    let period = Duration::from_secs_f64(args.connections as f64 / args.rate as f64);
    let offset = period.mul_f64(at as f64 / args.connections as f64);
    interval_at(tokio::time::Instant::now() + offset, period)
}

async fn beat(
    connection: Connection,
    pace: Option<Interval>,
    meter: Rc<Meter>,
) -> anyhow::Result<()> {
    match pace {
        Some(pace) => beat_at(connection, pace, &meter).await,
        None => beat_at_once(connection, &meter).await,
    }
}

/// Sends when it is time to, whether or not the last answer has come.
async fn beat_at(
    mut connection: Connection,
    mut pace: Interval,
    meter: &Meter,
) -> anyhow::Result<()> {
    let mut sent = VecDeque::new();
    for n in 0_u64.. {
        loop {
            tokio::select! {
                _ = pace.tick() => break,
                frame = connection.next() => meter.take(&frame?, &mut sent)?,
            }
        }
        sent.push_back(Instant::now());
        connection.send_text(heartbeat(n)).await?;
    }
    Ok(())
}

/// Sends as soon as the last answer has come.
async fn beat_at_once(mut connection: Connection, meter: &Meter) -> anyhow::Result<()> {
    let mut sent = VecDeque::new();
    for n in 0_u64.. {
        sent.push_back(Instant::now());
        connection.send_text(heartbeat(n)).await?;
        while !sent.is_empty() {
            meter.take(&connection.next().await?, &mut sent)?;
        }
    }
    Ok(())
}

fn heartbeat(n: u64) -> String {
    format!(r#"{{"type":"session.heartbeat","cid":"{n}","payload":{{}}}}"#)
}

impl Meter {
    /// Pairs an answer with the oldest heartbeat unanswered: answers come in order.
    fn take(&self, frame: &Frame, sent: &mut VecDeque<Instant>) -> anyhow::Result<()> {
        let text = frame.text().unwrap_or_default();
        if !text.contains("\"session.heartbeat\"") {
            if text.contains("\"error\"") {
                bail!("instead of a heartbeat: {text}");
            }
            return Ok(());
        }
        if let Some(at) = sent.pop_front()
            && self.window.is_open()
        {
            self.latencies.borrow_mut().push(at.elapsed());
        }
        Ok(())
    }
}
