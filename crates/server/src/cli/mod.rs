//! The command line.

mod bench;
mod secrets;
mod show;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::app::App;
use crate::config::{Config, Loaded, LogConfig, Overrides, Profile};
use crate::config::{LogFormat, docs};

/// A multiplayer game backend: one binary, a folder of Lua.
#[derive(Parser)]
#[command(name = "asobi", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve a game on this machine while you write it: hot reload, errors on the client,
    /// generated secrets.
    Dev(ServeArgs),
    /// Serve a game in production. Secrets must be set.
    Serve(ServeArgs),
    /// Print the settings in force and where each came from.
    Config(ConfigArgs),
    /// Measure a running server.
    Bench(bench::BenchArgs),
}

#[derive(Args)]
struct ServeArgs {
    /// The game's folder: match.lua or config.lua, and its browser client in client/.
    game_dir: PathBuf,
    #[command(flatten)]
    settings: SettingArgs,
}

#[derive(Args)]
struct ConfigArgs {
    /// Look for asobi.toml in this game's folder too.
    game_dir: Option<PathBuf>,
    /// Show the settings `serve` would use instead of those of `dev`.
    #[arg(long)]
    serve: bool,
    /// Print the reference of all settings as Markdown.
    #[arg(long)]
    markdown: bool,
    #[command(flatten)]
    settings: SettingArgs,
}

#[derive(Args)]
struct SettingArgs {
    /// Port to listen on; 0 picks a free one.
    #[arg(long)]
    port: Option<u16>,
    /// Address to listen on.
    #[arg(long)]
    host: Option<String>,
    /// Folder for the embedded database.
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Database to use instead of the embedded one, such as postgres://user@host/name.
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Settings file. Default: asobi.toml beside the game or here.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl From<SettingArgs> for Overrides {
    fn from(args: SettingArgs) -> Self {
        Self {
            file: args.config,
            host: args.host,
            port: args.port,
            data_dir: args.data,
            database_url: args.database_url,
        }
    }
}

/// Runs the command and answers how the process ends.
pub fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            show::failure(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Dev(args) => serve(Profile::Dev, args),
        Command::Serve(args) => serve(Profile::Serve, args),
        Command::Config(args) => config(args),
        Command::Bench(args) => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(bench::run(args))
        }
    }
}

fn config(args: ConfigArgs) -> anyhow::Result<()> {
    if args.markdown {
        return show::text(&docs::markdown());
    }
    let profile = if args.serve {
        Profile::Serve
    } else {
        Profile::Dev
    };
    let loaded = Loaded::read(profile, args.game_dir.as_deref(), &args.settings.into())?;
    show::settings(&loaded)
}

fn serve(profile: Profile, args: ServeArgs) -> anyhow::Result<()> {
    let game_dir = args.game_dir;
    anyhow::ensure!(
        game_dir.is_dir(),
        "there is no game folder {}",
        game_dir.display()
    );
    let mut config = Loaded::read(profile, Some(&game_dir), &args.settings.into())?.config;
    match profile {
        Profile::Dev => secrets::generate_missing(&mut config)?,
        Profile::Serve => secrets::require(&config)?,
    }
    start_log(&config.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let served = runtime.block_on(async {
        let stop = stop_signal()?;
        let app = App::start(config, &game_dir).await?;
        show::ready(profile, &app, &game_dir)?;
        app.serve(stop).await
    });
    // A script or a hash still under way does not hold the process up.
    runtime.shutdown_timeout(Duration::from_millis(100));
    served
}

/// Resolves when the process is asked to stop. Installed before anything starts, so that no
/// signal is missed.
fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// The database layers tell of routine at `info`; here it is noise.
fn filter(level: &str) -> String {
    format!("sea_orm_migration=warn,sqlx=warn,{level}")
}

fn start_log(config: &LogConfig) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter(&config.level)).context("log.level is not a filter")?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match config.format {
        LogFormat::Text => log.with_target(false).init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(())
}

/// Whether a secret is long enough to be one.
fn is_strong(secret: &str) -> bool {
    secret.len() >= Config::MIN_SECRET_BYTES
}
