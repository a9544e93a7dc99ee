//! `asobi bench`: what a running server costs and how fast it answers.
//!
//! The load comes from one thread with a runtime of its own (`load`), so that
//! `taskset -c 0 asobi serve ...` and `taskset -c 1 asobi bench ...` share no core. What the
//! server spends is read from `/proc` (`process`, `window`), never guessed from latency. One file
//! for each measurement: `heartbeat`, `idle`, `matches`, `chat`, `rest`, `logins`; `echo` is the bare
//! server to compare with.

mod chat;
mod echo;
mod guests;
mod heartbeat;
mod idle;
mod load;
mod logins;
mod matches;
mod players;
mod process;
mod report;
mod rest;
mod samples;
mod target;
mod window;

use clap::{Args, Subcommand};

const HELP: &str = "\
The server's limits are in the way of a load test. Start it with them off:

  ASOBI_LIMITS__AUTH_PER_SECOND=0 ASOBI_LIMITS__WS_CONNECTS_PER_SECOND=0 \\
  ASOBI_LIMITS__REGISTER_PER_SECOND=0 ASOBI_LIMITS__API_PER_SECOND=0 \\
  ASOBI_LIMITS__JOINS_PER_MINUTE=0 ASOBI_LIMITS__WS_MESSAGES_PER_SECOND=0 \\
  ASOBI_CHAT__MESSAGES_PER_SECOND=0 \\
  taskset -c 0 asobi dev examples/bench --port 8084

and give the load a core of its own: taskset -c 1 asobi bench match

With the limits on, signing in and connecting wait as the server asks, which takes long.";

/// Measure a running server: CPU and memory from /proc, latency from the outside.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub(crate) struct BenchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Heartbeats on many connections: CPU per round trip, latency.
    #[command(after_help = HELP)]
    Heartbeat(heartbeat::HeartbeatArgs),
    /// Connections that do nothing: memory of each.
    #[command(after_help = HELP)]
    Idle(idle::IdleArgs),
    /// Matches of examples/bench at 10 Hz: CPU per state, jitter, input to visible state.
    #[command(after_help = HELP)]
    Match(matches::MatchArgs),
    /// One speaker and a channel full of members: CPU per message and per delivery.
    #[command(after_help = HELP)]
    Chat(chat::ChatArgs),
    /// Reads over REST by many players: latency, CPU per request.
    #[command(after_help = HELP)]
    Rest(rest::RestArgs),
    /// Many logins with passwords at once: how long the last one waits.
    #[command(after_help = HELP)]
    Logins(logins::LoginArgs),
    /// Run a bare WebSocket echo on axum, the least any server on it can cost.
    EchoServer(echo::EchoArgs),
}

/// Runs one measurement and prints its report. Fails when the server is not on this machine
/// (without `--force`), refuses, or stops on the way.
pub(crate) async fn run(args: BenchArgs) -> anyhow::Result<()> {
    match args.what {
        What::Heartbeat(args) => {
            let json = args.target.json;
            load::on_own_thread(move || heartbeat::run(args))
                .await?
                .print(json)
        }
        What::Idle(args) => {
            let json = args.target.json;
            load::on_own_thread(move || idle::run(args))
                .await?
                .print(json)
        }
        What::Match(args) => {
            let json = args.target.json;
            load::on_own_thread(move || matches::run(args))
                .await?
                .print(json)
        }
        What::Chat(args) => {
            let json = args.target.json;
            load::on_own_thread(move || chat::run(args))
                .await?
                .print(json)
        }
        What::Rest(args) => {
            let json = args.target.json;
            load::on_own_thread(move || rest::run(args))
                .await?
                .print(json)
        }
        What::Logins(args) => {
            let json = args.target.json;
            load::on_own_thread(move || logins::run(args))
                .await?
                .print(json)
        }
        What::EchoServer(args) => echo::serve(args).await,
    }
}
