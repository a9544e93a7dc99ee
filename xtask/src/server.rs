//! A server for tests that are not written in Rust.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::Outcome;

/// Tests come from one address and do in a second what players do in an hour.
const LIMITS_OFF: [(&str, &str); 5] = [
    ("ASOBI_LIMITS__AUTH_PER_SECOND", "0"),
    ("ASOBI_LIMITS__REGISTER_PER_SECOND", "0"),
    ("ASOBI_LIMITS__API_PER_SECOND", "0"),
    ("ASOBI_LIMITS__WS_CONNECTS_PER_SECOND", "0"),
    ("ASOBI_LIMITS__JOINS_PER_MINUTE", "0"),
];

/// A running server with data of its own. Killed when dropped.
pub(crate) struct Server {
    process: Child,
    url: String,
    data: PathBuf,
}

impl Server {
    pub(crate) fn start(binary: &Path, game: &Path) -> Outcome<Self> {
        let data = std::env::temp_dir().join(format!("asobi-xtask-{}", std::process::id()));
        let mut process = Command::new(binary)
            .arg("dev")
            .arg(game)
            .args(["--port", "0", "--data"])
            .arg(&data)
            .envs(LIMITS_OFF)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", binary.display()))?;
        let output = process
            .stdout
            .take()
            .ok_or("the server has no standard output")?;
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        let url = lines.find_map(|line| line.strip_prefix("listening on ").map(str::to_owned));
        match url {
            Some(url) => Ok(Self { process, url, data }),
            None => Err("the server did not start".into()),
        }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The folder may be gone with the process: there is nobody left to tell.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.data);
    }
}
