//! Reads over REST: how long players wait for them, and what each costs.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use asobi_client::{Api, Session};
use clap::Args;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::guests;
use super::load::first_failure;
use super::report::Report;
use super::samples::Samples;
use super::target::TargetArgs;
use super::window::{Window, watch_idle};

/// Uncounted load before the window.
const WARM_UP: Duration = Duration::from_secs(2);

/// How many ask how often.
#[derive(Args, Clone, Debug)]
pub(crate) struct RestArgs {
    #[command(flatten)]
    pub(super) target: TargetArgs,
    /// Players, each with one request under way at a time.
    #[arg(long, default_value_t = 100)]
    players: usize,
    /// Requests a player makes in a second; 0 for as fast as answers come.
    #[arg(long, default_value_t = 10)]
    rate: u32,
    /// Length of the measured window in seconds, after 2 s of warm-up.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
}

/// Signs players in, gives each something to read, and reads.
pub(super) async fn run(args: RestArgs) -> anyhow::Result<Report> {
    let server = args.target.process()?;
    let sessions = guests::sign_in(&args.target.url, args.players).await?;
    let api = Api::new(&args.target.url)?;
    for session in &sessions {
        write_something(&api, session).await?;
    }
    let mut report = Report::new(format!("REST reads of {} players", args.players));
    watch_idle(server.as_ref(), &mut report).await?;
    let window = Rc::new(Window::default());
    let latencies = Rc::new(RefCell::new(Samples::default()));
    let mut tasks = JoinSet::new();
    for (at, session) in sessions.into_iter().enumerate() {
        let (api, window, latencies) = (api.clone(), window.clone(), latencies.clone());
        tasks.spawn_local(read(api, session, at, args.rate, window, latencies));
    }
    let length = Duration::from_secs(args.seconds);
    let usage = window.measure(server.as_ref(), WARM_UP, length).await?;
    first_failure(&mut tasks)?;
    let latencies = latencies.take();
    let answered = latencies.len();
    let per_second = usage.per_second(answered);
    report.row("requests_per_second", "requests", per_second, "/s");
    usage.report(
        &mut report,
        "CPU per request",
        "cpu_per_request_us",
        answered,
    );
    report.percentiles("latency", "latency", &latencies.sort(), &[50, 99]);
    usage.report_surroundings(&mut report);
    Ok(report)
}

async fn write_something(api: &Api, session: &Session) -> anyhow::Result<()> {
    let token = Some(session.access_token.as_str());
    let save = json!({ "data": { "level": 7, "items": [1, 2, 3], "name": "a save" } });
    let put = axum::http::Method::PUT;
    let _: Value = api
        .call(put, "/api/v1/saves/slot", token, Some(&save))
        .await?;
    Ok(())
}

/// Reads one thing after another, in the mixture of a game's menus.
async fn read(
    api: Api,
    session: Session,
    at: usize,
    rate: u32,
    window: Rc<Window>,
    latencies: Rc<RefCell<Samples>>,
) -> anyhow::Result<()> {
    let profile = format!("/api/v1/players/{}", session.player_id);
    let paths = [
        profile.as_str(),
        "/api/v1/friends",
        "/api/v1/notifications",
        "/api/v1/saves/slot",
        "/api/v1/groups",
    ];
    let every = Duration::from_secs(1) / rate.max(1);
    // Spread over the interval: players do not ask in step.
    let first = tokio::time::Instant::now() + every * (at as u32 % 97) / 97;
    let mut pace = tokio::time::interval_at(first, every);
    for n in at.. {
        if rate > 0 {
            pace.tick().await;
        }
        let asked = Instant::now();
        let path = paths[n % paths.len()];
        let _: Value = api.get(path, Some(&session.access_token)).await?;
        if window.is_open() {
            latencies.borrow_mut().push(asked.elapsed());
        }
    }
    Ok(())
}
