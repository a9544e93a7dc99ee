//! A PostgreSQL server for the tests: one that answers already, or one of our own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Outcome, root, run, step, tools};

/// Where a server is looked for before one is started.
const USUAL: &str = "postgres://postgres@127.0.0.1:5432/postgres";
/// The port of our own.
const PORT: &str = "54329";

/// A server the tests may make databases on.
pub(crate) struct Postgres {
    url: String,
    /// The folder of our own server, stopped and removed when dropped.
    own: Option<PathBuf>,
}

impl Postgres {
    /// The server `ASOBI_TEST_DATABASE_URL` names; else the one on this machine, if it lets us
    /// in; else a new one in a temporary folder.
    pub(crate) fn find_or_start() -> Outcome<Self> {
        if let Ok(url) = std::env::var("ASOBI_TEST_DATABASE_URL") {
            return Ok(Self { url, own: None });
        }
        tools::install(&[("psql", "postgresql")])?;
        if answers(USUAL) {
            let url = USUAL.to_owned();
            return Ok(Self { url, own: None });
        }
        Self::start()
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    fn start() -> Outcome<Self> {
        step("starting PostgreSQL");
        let binaries = binaries().ok_or("there is no initdb under /usr/lib/postgresql")?;
        let folder = std::env::temp_dir().join(format!("asobi-postgres-{}", std::process::id()));
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let own = Self {
            url: format!("postgres://postgres@127.0.0.1:{PORT}/postgres"),
            own: Some(folder.clone()),
        };
        if is_root() {
            run("chown", &["postgres", text(&folder)?], &root(), &[])?;
        }
        let data = folder.join("data");
        let (initdb, pg_ctl) = (binaries.join("initdb"), binaries.join("pg_ctl"));
        as_postgres(
            text(&initdb)?,
            &["-U", "postgres", "-A", "trust", "-D", text(&data)?],
        )?;
        // Databases of a test's last seconds need not survive the machine.
        let options = format!(
            "-p {PORT} -c listen_addresses=127.0.0.1 -c fsync=off -k {}",
            folder.display()
        );
        let log = folder.join("log");
        as_postgres(
            text(&pg_ctl)?,
            &[
                "-D",
                text(&data)?,
                "-l",
                text(&log)?,
                "-w",
                "-o",
                &options,
                "start",
            ],
        )?;
        Ok(own)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let Some(folder) = &self.own else {
            return;
        };
        if let (Some(binaries), Some(data)) = (binaries(), folder.join("data").to_str()) {
            let pg_ctl = binaries.join("pg_ctl");
            let stop = ["-D", data, "-m", "immediate", "stop"];
            let _ = as_postgres(pg_ctl.to_str().unwrap_or("pg_ctl"), &stop);
        }
        let _ = std::fs::remove_dir_all(folder);
    }
}

fn answers(url: &str) -> bool {
    let asked = Command::new("psql")
        .args(["-w", url, "-qtc", "SELECT 1"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    asked.is_ok_and(|status| status.success())
}

/// The newest installed version's programs.
fn binaries() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let folders = versions.flatten().map(|version| version.path().join("bin"));
    folders.filter(|bin| bin.join("initdb").is_file()).max()
}

/// PostgreSQL refuses to run as root.
fn as_postgres(program: &str, args: &[&str]) -> Outcome {
    if !is_root() {
        return run(program, args, &root(), &[]);
    }
    let all: Vec<&str> = ["-u", "postgres", "--", program]
        .into_iter()
        .chain(args.iter().copied())
        .collect();
    run("runuser", &all, Path::new("/"), &[])
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn text(path: &Path) -> Outcome<&str> {
    path.to_str()
        .ok_or_else(|| "a path is not UTF-8".to_owned())
}
