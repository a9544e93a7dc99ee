//! Saving a script changes the running match; a broken file does not.

use serde_json::json;

use crate::server::{GAME, SOON, Server};

#[tokio::test(flavor = "multi_thread")]
async fn a_saved_script_changes_the_running_match_and_keeps_its_state() {
    let server = Server::start();
    let (a, _b) = server.pair().await;
    a.input(json!({"move": 1}));
    a.at(1).await;
    let faster = GAME.replace("p.x + input.move", "p.x + input.move * 100");
    std::fs::write(server.script("match.lua"), faster).unwrap();
    // Which tick takes the script up is not ours to know: the same input until it counts more.
    for _ in 0..100 {
        a.input(json!({"move": 1}));
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        a.client.take_events();
        if a.state(|_| true).await["players"][&a.id]["x"]
            .as_f64()
            .unwrap()
            >= 100.0
        {
            return;
        }
    }
    panic!("the saved script did not change the match");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_keeps_the_last_good_code_and_says_where_it_is_broken() {
    let server = Server::start();
    let (a, _b) = server.pair().await;
    std::fs::write(
        server.script("match.lua"),
        format!("{GAME}\nfunction tick(state)\n  retrun state\nend\n"),
    )
    .unwrap();
    let error = a.client.next_of("module.error", SOON).await.unwrap().json();
    assert_eq!(error["script"], "match.lua");
    assert!(error["line"].as_u64().unwrap() > 50, "{error}");
    assert!(server.log().contains("match.lua:"));
    a.input(json!({"move": 2}));
    a.at(2).await;
    let mended = GAME.replace(
        "ticks = state.ticks,",
        "ticks = state.ticks, mended = true,",
    );
    std::fs::write(server.script("match.lua"), mended).unwrap();
    let state = a.state(|state| state["mended"] == true).await;
    assert_eq!(state["players"][&a.id]["x"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_is_reloaded_too() {
    let folder = crate::server::folder();
    let script = GAME.replace(
        "resolved = state.resolved,",
        "speed = require('tuning').speed,",
    );
    std::fs::write(folder.join("game/match.lua"), script).unwrap();
    std::fs::write(folder.join("game/tuning.lua"), "return { speed = 1 }").unwrap();
    let server = Server::in_folder(folder, &[]);
    let (a, _b) = server.pair().await;
    a.state(|state| state["speed"] == 1).await;
    std::fs::write(server.script("tuning.lua"), "return { speed = 22 }").unwrap();
    a.state(|state| state["speed"] == 22).await;
}
