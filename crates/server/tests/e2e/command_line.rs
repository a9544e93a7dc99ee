//! The command line: what operators and scripts rely on.

use std::time::{Duration, Instant};

use crate::server::{GAME, asobi, folder};

fn output(command: &mut std::process::Command) -> (bool, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.success(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn serve_refuses_to_start_without_a_secret_and_says_how_to_set_one() {
    let folder = folder();
    std::fs::write(folder.join("game/match.lua"), GAME).unwrap();
    let mut serve = asobi();
    serve
        .arg("serve")
        .arg(folder.join("game"))
        .current_dir(&folder)
        .args(["--port", "0"]);
    let (started, _, error) = output(&mut serve);
    assert!(!started);
    assert!(error.contains("ASOBI_AUTH__TOKEN_SECRET"), "{error}");
    let (started, _, error) = output(serve.env("ASOBI_AUTH__TOKEN_SECRET", "s".repeat(32)));
    assert!(!started);
    assert!(error.contains("ASOBI_GUEST__PEPPER"), "{error}");
    assert!(!folder.join("data/dev-secrets.json").exists());
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_game_that_does_not_load_is_named_with_its_line() {
    let folder = folder();
    std::fs::write(
        folder.join("game/match.lua"),
        "match_size = 2\nfunction init( return 1 end",
    )
    .unwrap();
    let (started, _, error) = output(
        asobi()
            .arg("dev")
            .arg(folder.join("game"))
            .current_dir(&folder),
    );
    assert!(!started);
    assert!(error.contains("match.lua:2"), "{error}");
    let (started, _, error) = output(asobi().args(["dev", "no/such/folder"]));
    assert!(!started);
    assert!(error.contains("no/such/folder"), "{error}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn config_shows_where_a_setting_came_from() {
    let folder = folder();
    std::fs::write(folder.join("asobi.toml"), "[limits]\napi_per_second = 77\n").unwrap();
    let mut config = asobi();
    config
        .arg("config")
        .current_dir(&folder)
        .env("ASOBI_LIMITS__AUTH_PER_SECOND", "9")
        .args(["--port", "1234"]);
    let (ok, shown, error) = output(config.env("ASOBI_AUTH__TOKEN_SECRET", "very secret"));
    assert!(ok, "{error}");
    let line = |key: &str| {
        shown
            .lines()
            .find(|line| line.starts_with(key))
            .unwrap()
            .to_owned()
    };
    assert!(
        line("limits.api_per_second").contains("77")
            && line("limits.api_per_second").contains("asobi.toml")
    );
    assert!(
        line("limits.auth_per_second").contains("ASOBI_"),
        "{}",
        line("limits.auth_per_second")
    );
    assert!(line("server.port").contains("flag"));
    assert!(line("matchmaker.max_queue").contains("default"));
    assert!(!shown.contains("very secret"));
    std::fs::remove_dir_all(folder).unwrap();
}

/// From the start of the process to the first answered request.
#[test]
fn a_cold_start_is_quick() {
    let folder = folder();
    std::fs::write(folder.join("game/match.lua"), GAME).unwrap();
    let started = Instant::now();
    let server = crate::server::Server::in_folder(folder, &[]);
    let address = server.url.strip_prefix("http://").unwrap();
    let mut socket = std::net::TcpStream::connect(address).unwrap();
    std::io::Write::write_all(&mut socket, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = [0; 12];
    std::io::Read::read_exact(&mut socket, &mut answer).unwrap();
    let taken = started.elapsed();
    assert_eq!(&answer, b"HTTP/1.1 200");
    println!("first answer after {taken:?}");
    // The figure of docs/benchmarks.md is that of a release build on an idle machine; this
    // bound only notices a start that has begun to do something slow.
    assert!(taken < Duration::from_secs(2), "{taken:?}");
}
