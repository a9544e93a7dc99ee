//! Requests nobody thought of: schemathesis makes them from the OpenAPI document.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::server::Server;
use crate::{Outcome, run, tools};

/// The release the answers were read with.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";
/// Requests of each route and kind.
const EXAMPLES: &str = "25";
/// What an answer must never do: fail on the server's side, or differ from the document.
const CHECKS: &str = "not_a_server_error,content_type_conformance,response_schema_conformance";
/// Routes that end the session the rest of the run is signed in with.
const LAST: [&str; 2] = ["/auth/logout", "/players/me/erase"];

/// Fuzzes every route of a running server.
pub(crate) fn routes(server: &Server) -> Outcome {
    let program = install()?;
    let program = program.to_str().ok_or("a path is not UTF-8")?;
    let document = format!("{}/api/v1/openapi.json", server.url());
    let authorization = format!("Authorization: Bearer {}", token(server.url())?);
    let common = [
        "run",
        &document,
        "--checks",
        CHECKS,
        "--max-examples",
        EXAMPLES,
        "--header",
        &authorization,
        "--phases",
        "examples,coverage,fuzzing",
        "--warnings",
        "off",
        "--suppress-health-check",
        "all",
        "--request-timeout",
        "20",
        "--no-color",
    ];
    let folder = std::env::temp_dir();
    let mut all = common.to_vec();
    let mut ending = common.to_vec();
    for path in LAST {
        all.extend(["--exclude-path", path]);
        ending.extend(["--include-path", path]);
    }
    run(program, &all, &folder, &[])?;
    run(program, &ending, &folder, &[])
}

/// A player to be while fuzzing.
fn token(url: &str) -> Outcome<String> {
    let body = r#"{"username":"fuzzer","password":"correct horse"}"#;
    let output = Command::new("curl")
        .args(["-sf", "-H", "content-type: application/json", "-d", body])
        .arg(format!("{url}/api/v1/auth/register"))
        .output()
        .map_err(|error| format!("curl: {error}"))?;
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    let token = answer.split("\"access_token\":\"").nth(1);
    let token = token.and_then(|rest| rest.split('"').next());
    token
        .map(str::to_owned)
        .ok_or_else(|| format!("no account to fuzz with: {answer}"))
}

/// The program, in an environment of its own below the build folder.
fn install() -> Outcome<PathBuf> {
    tools::install(&[("python3", "python3"), ("curl", "curl")])?;
    let folder = std::env::current_exe()
        .ok()
        .and_then(|this| Some(this.parent()?.parent()?.join("schemathesis")))
        .ok_or("there is no build folder")?;
    let program = folder.join("bin/schemathesis");
    if !program.is_file() {
        make_environment(&folder)?;
        let pip = folder.join("bin/pip");
        let pip = pip.to_str().ok_or("a path is not UTF-8")?;
        run(pip, &["install", "-q", SCHEMATHESIS], Path::new("/"), &[])?;
    }
    Ok(program)
}

fn make_environment(folder: &Path) -> Outcome {
    let folder = folder.to_str().ok_or("a path is not UTF-8")?;
    let make = ["-m", "venv", folder];
    if run("python3", &make, Path::new("/"), &[]).is_ok() {
        return Ok(());
    }
    // Debian keeps the module apart from Python itself.
    tools::install_packages(&["python3-venv"])?;
    run("python3", &make, Path::new("/"), &[])
}
