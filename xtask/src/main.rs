//! Tasks of the project: `cargo xtask test` sets up and runs every test.
//!
//! Nothing is skipped when something is missing: a tool that cannot be installed is a failure.

mod fuzz;
mod postgres;
mod server;
mod tools;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use postgres::Postgres;
use server::Server;

type Outcome<T = ()> = Result<T, String>;

const USAGE: &str = "cargo xtask test [--quick | --postgres]

  Formats, lints and tests everything: Rust on SQLite and on PostgreSQL, the REST API with made-up
  requests, the JavaScript SDK against a real server, and the arena in a real browser. Installs
  PostgreSQL, Python, Node.js and Chromium (apt-get, as root) where they are missing. --quick is
  Rust on SQLite alone, --postgres the server's tests on PostgreSQL.";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["test"] => test(true),
        ["test", "--quick"] => test(false),
        ["test", "--postgres"] => postgres(),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}

fn test(all: bool) -> Outcome {
    rust()?;
    if all {
        postgres()?;
        fuzz()?;
        tools::install(&tools::JAVASCRIPT)?;
        javascript_sdk()?;
        browser()?;
    }
    step("all tests passed");
    Ok(())
}

fn rust() -> Outcome {
    cargo(&["fmt", "--all", "--check"])?;
    cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ])?;
    cargo(&["test", "--workspace"])
}

/// The server's tests again, on PostgreSQL.
fn postgres() -> Outcome {
    let postgres = Postgres::find_or_start()?;
    let database = [("ASOBI_TEST_DATABASE_URL", postgres.url())];
    let test = ["test", "-p", "asobi", "--", "--include-ignored"];
    run(env!("CARGO"), &test, &root(), &database)
}

fn fuzz() -> Outcome {
    let server = Server::start(&binary()?, &root().join("examples/arena"))?;
    fuzz::routes(&server)
}

/// Types, then the SDK's own tests against a server with the arena, and against ones they start.
fn javascript_sdk() -> Outcome {
    let sdk = root().join("sdk/js");
    run("npm", &["ci", "--no-audit", "--no-fund"], &sdk, &[])?;
    run("npm", &["run", "check"], &sdk, &[])?;
    let binary = binary()?;
    let server = Server::start(&binary, &root().join("examples/arena"))?;
    let settings = [("ASOBI_URL", server.url()), ("ASOBI_BIN", text(&binary)?)];
    run("npm", &["test"], &sdk, &settings)
}

fn browser() -> Outcome {
    let tests = root().join("tests/browser");
    let binary = binary()?;
    run("npm", &["ci", "--no-audit", "--no-fund"], &tests, &[])?;
    let settings = [("ASOBI_BIN", text(&binary)?)];
    run("npm", &["test"], &tests, &settings)
}

/// The server `cargo test` has just built, beside this very program.
fn binary() -> Outcome<PathBuf> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let binary = this.with_file_name("asobi");
    if binary.is_file() {
        Ok(binary)
    } else {
        Err(format!("there is no {}", binary.display()))
    }
}

/// A path as a child's environment takes it.
fn text(path: &Path) -> Outcome<&str> {
    path.to_str()
        .ok_or_else(|| format!("{} is not UTF-8", path.display()))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_path_buf)
        .unwrap_or_default()
}

fn cargo(args: &[&str]) -> Outcome {
    run(env!("CARGO"), args, &root(), &[])
}

/// Runs a command to its end; anything but success is a failure.
fn run(program: &str, args: &[&str], folder: &Path, settings: &[(&str, &str)]) -> Outcome {
    let shown = format!(
        "{} {}",
        program.rsplit('/').next().unwrap_or(program),
        args.join(" ")
    );
    step(&shown);
    let mut command = Command::new(program);
    command
        .args(args)
        .current_dir(folder)
        .envs(settings.iter().copied());
    let status = command
        .status()
        .map_err(|error| format!("{shown}: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{shown} failed"))
    }
}

fn step(what: &str) {
    eprintln!("\n==> {what}");
}
