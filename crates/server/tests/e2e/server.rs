//! A server of its own for each test: a game in a temporary folder, a data folder beside it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use asobi_client::{Api, Client, Device, Event};
use serde_json::{Value, json};

use crate::postgres::Postgres;

/// How long anything may take that takes a moment.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A small game: two players, `{"move": n}` adds n, every number a player sends is kept.
pub(crate) const GAME: &str = r#"
match_size = 2
guest_auth = true
tick_rate = 50

function init(config)
  return { players = {}, ticks = 0 }
end

function join(id, state)
  state.players[id] = { x = 0 }
  return state
end

function leave(id, state)
  state.players[id] = nil
  return state
end

function handle_input(id, input, state)
  local p = state.players[id]
  if type(input.move) == "number" then p.x = p.x + input.move end
  if input.spin then while true do end end
  if input.fill then p.junk = string.rep("x", 1e9) end
  if input.grow then local t = {} while true do t[#t + 1] = "more" .. #t end end
  if input.search then string.find(string.rep("a", 3000), string.rep("a*", 40) .. "b") end
  if input.crash then p.x = p.x + 1000; error("boom") end
  if input.say then game.broadcast("said", { text = input.say }) end
  if input.whisper then game.send(input.whisper, "psst") end
  if input.finish then state._finished = true; state._result = { winner = id } end
  if input.vote then state.vote = true end
  return state
end

function tick(state)
  state.ticks = state.ticks + 1
  return state
end

function vote_requested(state)
  if not state.vote then return nil end
  state.vote = nil
  return { template = "map", window_ms = 700, options = { { id = "forest", label = "Forest" }, { id = "desert", label = "Desert" } } }
end

function vote_resolved(template, result, state)
  state.resolved = template .. ":" .. tostring(result.winner)
  return state
end

function get_state(id, state)
  return { players = state.players, ticks = state.ticks, resolved = state.resolved, you = id }
end
"#;

/// Settings that let a test do in a second what players do in an hour.
const UNLIMITED: [(&str, &str); 7] = [
    ("ASOBI_LIMITS__AUTH_PER_SECOND", "0"),
    ("ASOBI_LIMITS__REGISTER_PER_SECOND", "0"),
    ("ASOBI_LIMITS__WS_CONNECTS_PER_SECOND", "0"),
    ("ASOBI_LIMITS__API_PER_SECOND", "0"),
    ("ASOBI_LIMITS__JOINS_PER_MINUTE", "0"),
    ("ASOBI_SOCIAL__NOTICES_PER_MINUTE", "0"),
    ("ASOBI_MATCHMAKER__TICK_INTERVAL_MS", "50"),
];

/// A running server and the folders it runs in. Killed and removed when dropped.
pub(crate) struct Server {
    /// Its database, if the tests run on PostgreSQL.
    _postgres: Option<Postgres>,
    process: Child,
    pub(crate) url: String,
    folder: PathBuf,
    settings: Vec<(String, String)>,
}

/// An empty folder of the test's own.
pub(crate) fn folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("asobi-e2e-{}-{number}", std::process::id()));
    std::fs::create_dir_all(folder.join("game")).unwrap();
    folder
}

/// The binary under test, without any setting from this machine's environment.
pub(crate) fn asobi() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_asobi"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ASOBI_")) {
        command.env_remove(name);
    }
    command
}

impl Server {
    /// Serves [`GAME`].
    pub(crate) fn start() -> Self {
        Self::with_game(GAME)
    }

    /// Serves a game of one script.
    pub(crate) fn with_game(script: &str) -> Self {
        Self::with(script, &[])
    }

    /// Serves a game of one script, with settings on top of the tests' own.
    pub(crate) fn with(script: &str, settings: &[(&str, &str)]) -> Self {
        let folder = folder();
        std::fs::write(folder.join("game/match.lua"), script).unwrap();
        Self::in_folder(folder, settings)
    }

    /// Serves `folder/game` with the data in `folder/data`.
    pub(crate) fn in_folder(folder: PathBuf, settings: &[(&str, &str)]) -> Self {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let postgres = Postgres::from_environment();
        let mut all: Vec<_> = UNLIMITED.iter().map(own).collect();
        if let Some(postgres) = &postgres {
            all.push(("ASOBI_DATABASE_URL".into(), postgres.url.clone()));
        }
        all.extend(settings.iter().map(own));
        let settings = all;
        let (process, url) = launch(&folder, &settings);
        Self {
            _postgres: postgres,
            process,
            url,
            folder,
            settings,
        }
    }

    /// `kill -9`, then a new process on the same data.
    pub(crate) fn kill_and_restart(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        (self.process, self.url) = launch(&self.folder, &self.settings);
    }

    /// SIGTERM, and how the process ends.
    pub(crate) fn terminate(&mut self) -> ExitStatus {
        let pid = self.process.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        for _ in 0..200 {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the server does not stop on SIGTERM");
    }

    /// Changes a setting for the next start.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn start_again(&mut self) {
        (self.process, self.url) = launch(&self.folder, &self.settings);
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// A file of the game.
    pub(crate) fn script(&self, name: &str) -> PathBuf {
        self.folder.join("game").join(name)
    }

    /// What the server wrote to its log so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    pub(crate) fn api(&self) -> Api {
        Api::new(&self.url).unwrap()
    }

    /// A new guest, connected.
    pub(crate) async fn guest(&self) -> Player {
        let session = self.api().guest(&Device::generate()).await.unwrap();
        let client = Client::connect(&self.url, &session.access_token)
            .await
            .unwrap();
        Player {
            id: session.player_id,
            token: session.access_token,
            client,
        }
    }

    /// Two guests in a match.
    pub(crate) async fn pair(&self) -> (Player, Player) {
        let (a, b) = (self.guest().await, self.guest().await);
        a.client.matchmaker_add("default").await.unwrap();
        b.client.matchmaker_add("default").await.unwrap();
        for player in [&a, &b] {
            player.client.next_of("match.matched", SOON).await.unwrap();
        }
        (a, b)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn launch(folder: &Path, settings: &[(String, String)]) -> (Child, String) {
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(folder.join("log"))
        .unwrap();
    let mut process = asobi()
        .arg("dev")
        .arg(folder.join("game"))
        .args(["--port", "0", "--data"])
        .arg(folder.join("data"))
        .current_dir(folder)
        .envs(settings.iter().cloned())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let url = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("listening on ").map(str::to_owned));
    let url = url.unwrap_or_else(|| {
        let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        panic!("the server did not start: {log}")
    });
    (process, url)
}

/// A guest with a connection.
pub(crate) struct Player {
    pub(crate) id: String,
    pub(crate) token: String,
    pub(crate) client: Client,
}

impl Player {
    /// Waits for a state that `accepts`.
    pub(crate) async fn state(&self, accepts: impl Fn(&Value) -> bool) -> Value {
        let fits = |event: &Event| event.kind == "match.state" && accepts(&event.json());
        self.client
            .next_where(SOON, fits)
            .await
            .expect("such a state")
            .json()
    }

    /// Waits until this player is at `x`.
    pub(crate) async fn at(&self, x: i64) -> Value {
        self.state(|state| state["players"][&self.id]["x"].as_f64() == Some(x as f64))
            .await
    }

    /// The match this player is in, as another `session.connect` learns it.
    pub(crate) async fn match_id(&self) -> String {
        let sign_in = json!({ "token": self.token });
        let welcome = self.client.request("session.connect", &sign_in).await;
        let welcome = welcome.unwrap().json();
        welcome["match_id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn input(&self, input: Value) {
        self.client.match_input(&input).unwrap();
    }
}
