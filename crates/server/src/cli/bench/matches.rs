//! Matches at full load: what a tick, a state and an input cost, and how late they are.

use std::rc::Rc;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::guests;
use super::load::first_failure;
use super::players::{Meter, Player};
use super::report::Report;
use super::target::TargetArgs;
use super::window::{Usage, watch_idle};

/// Uncounted play before the window.
const WARM_UP: Duration = Duration::from_secs(3);
/// How long everybody may take to leave.
const LEFT_WITHIN: Duration = Duration::from_secs(5);
/// How long the matchmaker may take for everybody.
const MATCHED_WITHIN: Duration = Duration::from_secs(60);

/// How many matches of what.
#[derive(Args, Clone, Debug)]
pub(crate) struct MatchArgs {
    #[command(flatten)]
    pub(super) target: TargetArgs,
    /// Matches.
    #[arg(long, default_value_t = 20)]
    matches: usize,
    /// Players of each match: the mode's match_size.
    #[arg(long, default_value_t = 10)]
    players: usize,
    /// The mode to queue for. Its states must show each player's last input number as
    /// `players[id].n`, as examples/bench does.
    #[arg(long, default_value = "bench")]
    mode: String,
    /// The mode's tick_rate in milliseconds: how often a state is expected.
    #[arg(long, default_value_t = 100)]
    tick_ms: u64,
    /// How often each player sends an input, in milliseconds.
    #[arg(long, default_value_t = 100)]
    input_ms: u64,
    /// Length of the measured window in seconds, after 3 s of warm-up.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
}

/// Signs the players in, queues them, and measures once all of them play.
pub(super) async fn run(args: MatchArgs) -> anyhow::Result<Report> {
    let server = args.target.process()?;
    let url = &args.target.url;
    let sessions = guests::sign_in(url, args.matches * args.players).await?;
    let guests = guests::connect(url, &sessions).await?;
    let mut report = Report::new(format!(
        "{} matches of {} players",
        args.matches, args.players
    ));
    watch_idle(server.as_ref(), &mut report).await?;
    let meter = Rc::new(Meter::default());
    let mut tasks = JoinSet::new();
    let every = Duration::from_millis(args.input_ms);
    for (at, guest) in guests.into_iter().enumerate() {
        let player = Player::new(guest, at, meter.clone());
        tasks.spawn_local(player.play(args.mode.clone(), every));
    }
    all_matched(&meter, sessions.len(), &mut tasks).await?;
    let length = Duration::from_secs(args.seconds);
    let usage = meter
        .window
        .measure(server.as_ref(), WARM_UP, length)
        .await?;
    first_failure(&mut tasks)?;
    meter.over.set(true);
    let leaving = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(LEFT_WITHIN, leaving).await.is_err() {
        report.note("not every player could leave its match");
    }
    fill(&mut report, &args, &meter, &usage);
    Ok(report)
}

async fn all_matched(
    meter: &Meter,
    count: usize,
    tasks: &mut JoinSet<anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + MATCHED_WITHIN;
    while meter.matched.get() < count {
        first_failure(tasks)?;
        if Instant::now() > deadline {
            bail!(
                "only {} of {count} players were matched within {MATCHED_WITHIN:?}",
                meter.matched.get()
            );
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

fn fill(report: &mut Report, args: &MatchArgs, meter: &Meter, usage: &Usage) {
    let states = meter.states.get();
    let players = args.matches * args.players;
    let expected = players as f64 * usage.wall.as_secs_f64() * 1000.0 / args.tick_ms as f64;
    let percent = 100.0 * states as f64 / expected;
    let bytes = meter.bytes.get() as f64 / states.max(1) as f64;
    usage.report(
        report,
        "CPU per delivered state",
        "cpu_per_state_us",
        states,
    );
    let per_second = usage.per_second(states);
    report.row("states_per_second", "states", per_second, "/s");
    report.row(
        "states_percent",
        "states delivered of expected",
        percent,
        "%",
    );
    let per_second = usage.per_second(meter.inputs.get());
    report.row("inputs_per_second", "inputs", per_second, "/s");
    report.row("state_bytes", "size of a state", bytes, "bytes");
    let intervals = meter.intervals.take().sort();
    report.percentiles("interval", "state interval", &intervals, &[1, 50, 99]);
    let visible = meter.visible.take().sort();
    report.percentiles("visible", "input to visible state", &visible, &[50, 99]);
    usage.report_surroundings(report);
}
