//! A login storm: many players with passwords at the door at once.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use asobi_client::Api;
use clap::Args;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::task::JoinSet;

use super::guests::say;
use super::report::Report;
use super::samples::Samples;
use super::target::TargetArgs;

/// Accounts made at a time.
const AT_A_TIME: usize = 8;
/// How long the last of the storm may wait.
const PATIENCE: Duration = Duration::from_secs(300);
const PASSWORD: &str = "correct horse";

/// How many at once.
#[derive(Args, Clone, Debug)]
pub(crate) struct LoginArgs {
    #[command(flatten)]
    pub(super) target: TargetArgs,
    /// Logins at once. The accounts are made before.
    #[arg(long, default_value_t = 500)]
    players: usize,
}

/// Makes the accounts, then logs all of them in at once. Run `asobi bench match` beside it to
/// see what the storm does to matches.
pub(super) async fn run(args: LoginArgs) -> anyhow::Result<Report> {
    let api = Api::new(&args.target.url)?.timeout(PATIENCE);
    let run = uuid::Uuid::now_v7().simple().to_string();
    let name = |n: usize| format!("storm_{}_{n}", &run[20..]);
    say(format_args!("making {} accounts", args.players));
    let making = stream::iter(0..args.players).map(|n| {
        let (api, name) = (api.clone(), name(n));
        async move { api.register(&name, PASSWORD).await }
    });
    let _: Vec<_> = making.buffer_unordered(AT_A_TIME).try_collect().await?;
    say(format_args!("logging all of them in"));
    let latencies = Rc::new(RefCell::new(Samples::default()));
    let began = Instant::now();
    let mut storm = JoinSet::new();
    for n in 0..args.players {
        let (api, name, latencies) = (api.clone(), name(n), latencies.clone());
        storm.spawn_local(async move {
            let asked = Instant::now();
            let done = api.login(&name, PASSWORD).await;
            latencies.borrow_mut().push(asked.elapsed());
            done.map(drop)
        });
    }
    let mut refused = 0;
    let mut refusal = None;
    while let Some(ended) = storm.join_next().await {
        if let Err(error) = ended? {
            refused += 1;
            refusal.get_or_insert(error);
        }
    }
    let mut report = Report::new(format!("{} logins at once", args.players));
    let took = began.elapsed().as_secs_f64();
    report.row("seconds", "until the last answer", took, "s");
    report.row("refused", "refused", f64::from(refused), "logins");
    report.percentiles("latency", "latency", &latencies.take().sort(), &[50, 99]);
    if let Some(refusal) = refusal {
        report.note(format!("the first refusal: {refusal}"));
    }
    Ok(report)
}
