//! Connections that do nothing: what each keeps in the server's memory.

use std::time::Duration;

use clap::Args;

use super::guests;
use super::process::{Memory, Process};
use super::report::Report;
use super::target::TargetArgs;

/// How many connections.
#[derive(Args, Clone, Debug)]
pub(crate) struct IdleArgs {
    #[command(flatten)]
    pub(super) target: TargetArgs,
    /// Connections, each with its own guest, signed in before the first measurement.
    #[arg(long, default_value_t = 1000)]
    connections: usize,
    /// How long the server may settle before its memory is read, in seconds.
    #[arg(long, default_value_t = 3)]
    settle: u64,
}

/// Opens half of the connections, then the other half. What the second half adds is the price
/// of a connection; the first half also pays for the allocator's first pages.
pub(super) async fn run(args: IdleArgs) -> anyhow::Result<Report> {
    let url = &args.target.url;
    let Some(server) = args.target.process()? else {
        anyhow::bail!("memory can be read on this machine only; give --pid");
    };
    let sessions = guests::sign_in(url, args.connections).await?;
    let (first, second) = sessions.split_at(args.connections / 2);
    let none = settled(&server, &args).await?;
    let held = guests::connect(url, first).await?;
    let half = settled(&server, &args).await?;
    let held_too = guests::connect(url, second).await?;
    let all = settled(&server, &args).await?;
    drop((held, held_too));
    Ok(report(
        &args,
        &server,
        [none, half, all],
        [first.len(), second.len()],
    ))
}

async fn settled(server: &Process, args: &IdleArgs) -> anyhow::Result<Memory> {
    tokio::time::sleep(Duration::from_secs(args.settle)).await;
    server.memory()
}

fn report(args: &IdleArgs, server: &Process, memory: [Memory; 3], counts: [usize; 2]) -> Report {
    let [none, half, all] = memory;
    let mut report = Report::new(format!("idle connections (process {})", server.pid()));
    let mib = |bytes: u64| bytes as f64 / (1024.0 * 1024.0);
    report.row("connections", "connections", args.connections as f64, "");
    report.row(
        "rss_before_mib",
        "resident before",
        mib(none.resident),
        "MiB",
    );
    report.row(
        "rss_half_mib",
        "resident with the first half",
        mib(half.resident),
        "MiB",
    );
    report.row(
        "rss_after_mib",
        "resident with all",
        mib(all.resident),
        "MiB",
    );
    let each =
        |from: u64, to: u64, count: usize| (to as f64 - from as f64) / 1024.0 / count.max(1) as f64;
    let second = each(half.resident, all.resident, counts[1]);
    report.row(
        "connection_kib",
        "per connection, second half",
        second,
        "KiB",
    );
    let every = each(none.resident, all.resident, counts[0] + counts[1]);
    report.row("connection_all_kib", "per connection, all", every, "KiB");
    if let (Some(half), Some(all)) = (half.private, all.private) {
        let private = each(half, all, counts[1]);
        report.row(
            "connection_private_kib",
            "per connection, private pages",
            private,
            "KiB",
        );
    }
    report.note("the server's own memory; the kernel's socket buffers are not in it");
    report
}
