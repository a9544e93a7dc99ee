//! Bots: members of a match without a connection.
//!
//! A bot sees the bytes a client in its place would get and answers with an input like any
//! player. The game's bot script decides (`MatchLogic::think`); where there is none, or it
//! fails, the built-in AI here plays on. Picking a boon and voting need no script.

use std::collections::HashMap;

use bytes::Bytes;
use rand::Rng;
use rand::rngs::SmallRng;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::ids::PlayerId;
use crate::logic::Input;

/// Most bots in one match.
pub const MAX_BOTS: usize = 64;

/// Distance within which the built-in AI shoots, in the game's own units.
const SHOOTING_RANGE: f64 = 200.0;

/// Names for bots of a mode that gives none.
pub const DEFAULT_NAMES: [&str; 5] = ["Spark", "Blitz", "Volt", "Neon", "Pulse"];

/// A bot's id: the prefix every bot has, its name, and what makes it unique among matches.
pub fn bot_id(name: &str, rng: &mut impl Rng) -> PlayerId {
    PlayerId::from(format!(
        "bot_{name}_{:06x}",
        rng.random_range(0..0x100_0000u32)
    ))
}

/// Whether a script may give a bot this name: 1 to 32 of `A-Z a-z 0-9 _ -`.
pub fn is_bot_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    (1..=32).contains(&name.len()) && name.bytes().all(allowed)
}

/// Whether `name` (bare, or a full id) means the bot `id`.
pub fn is_called(id: &PlayerId, name: &str) -> bool {
    let bare = id
        .as_str()
        .strip_prefix("bot_")
        .and_then(|rest| rest.rsplit_once('_'));
    id.as_str() == name || bare.is_some_and(|(bare, _)| bare == name)
}

/// The part of a state that bots act on by themselves.
#[derive(Debug, Default, Deserialize)]
struct Glance<'a> {
    #[serde(borrow, default)]
    phase: Option<&'a RawValue>,
    #[serde(borrow, default)]
    boon_offers: Option<&'a RawValue>,
}

/// What a bot does about a state without asking the script.
#[derive(Debug, PartialEq)]
pub enum Reflex {
    /// Play: the script or the built-in AI decides.
    Play,
    /// Send this input.
    Pick(Bytes),
    /// Wait for the phase to pass.
    Wait,
}

/// What the phase of the state asks of a bot.
pub fn reflex(view: &[u8]) -> Reflex {
    let Ok(glance) = serde_json::from_slice::<Glance<'_>>(view) else {
        return Reflex::Play;
    };
    match glance.phase.map(RawValue::get) {
        Some("\"boon_pick\"") => first_offer(glance.boon_offers).map_or(Reflex::Wait, Reflex::Pick),
        Some("\"voting\"" | "\"vote_pending\"") => Reflex::Wait,
        _ => Reflex::Play,
    }
}

fn first_offer(offers: Option<&RawValue>) -> Option<Bytes> {
    #[derive(Deserialize)]
    struct Offer {
        id: serde_json::Value,
    }
    let offers: Vec<Offer> = asobi_wire::json::read(offers?.get().as_bytes()).ok()?;
    let first = &offers.first()?.id;
    Some(Bytes::from(
        json!({"type": "boon_pick", "boon_id": first}).to_string(),
    ))
}

/// A ballot a bot will cast.
#[derive(Clone, Debug)]
pub struct PlannedBallot {
    /// When, in Unix milliseconds.
    pub due: u64,
    /// Who.
    pub bot: PlayerId,
    /// In which vote.
    pub vote_id: String,
    /// For what.
    pub option: String,
}

/// The bot's ballot, cast 1 to 4 seconds after the vote opened.
pub fn plan_ballot(
    bot: PlayerId,
    vote_id: &str,
    options: &[crate::votes::VoteOption],
    now: u64,
    rng: &mut SmallRng,
) -> Option<PlannedBallot> {
    let option = options.get(rng.random_range(0..options.len().max(1)))?;
    let due = now + rng.random_range(1_000..=4_000);
    Some(PlannedBallot {
        due,
        bot,
        vote_id: vote_id.to_owned(),
        option: option.id.clone(),
    })
}

#[derive(Deserialize)]
struct Battlefield {
    #[serde(default)]
    players: HashMap<String, Fighter>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Fighter {
    x: f64,
    y: f64,
    hp: f64,
}

/// The built-in AI: goes for the nearest living enemy, shoots when close, wanders otherwise.
/// Reads `players` with `x`, `y` and `hp`; a state of another shape gives an empty input.
pub fn default_ai(bot: &PlayerId, view: &[u8], rng: &mut SmallRng) -> Input {
    let input = decide(bot, view, rng).unwrap_or_else(|| json!({}));
    Input {
        player: bot.clone(),
        payload: Bytes::from(input.to_string()),
    }
}

fn decide(bot: &PlayerId, view: &[u8], rng: &mut SmallRng) -> Option<serde_json::Value> {
    let field: Battlefield = serde_json::from_slice(view).ok()?;
    let me = field.players.get(bot.as_str())?;
    Some(match nearest(bot, me, &field.players) {
        Some(target) => chase(me, target, rng),
        None => wander(rng),
    })
}

fn nearest<'a>(
    bot: &PlayerId,
    me: &Fighter,
    players: &'a HashMap<String, Fighter>,
) -> Option<&'a Fighter> {
    let enemies = players
        .iter()
        .filter(|(id, other)| *id != bot.as_str() && other.hp > 0.0);
    enemies
        .map(|(_, other)| other)
        .min_by(|a, b| distance(me, a).total_cmp(&distance(me, b)))
}

fn distance(a: &Fighter, b: &Fighter) -> f64 {
    (a.x - b.x).hypot(a.y - b.y)
}

fn chase(me: &Fighter, target: &Fighter, rng: &mut SmallRng) -> serde_json::Value {
    let mut jitter = || rng.random_range(-10.0..10.0);
    json!({
        "right": target.x > me.x,
        "left": target.x < me.x,
        "down": target.y > me.y,
        "up": target.y < me.y,
        "shoot": distance(me, target) < SHOOTING_RANGE,
        "aim_x": target.x + jitter(),
        "aim_y": target.y + jitter(),
    })
}

fn wander(rng: &mut SmallRng) -> serde_json::Value {
    json!({
        "right": rng.random_bool(0.5),
        "left": rng.random_bool(0.5),
        "down": rng.random_bool(0.5),
        "up": rng.random_bool(0.5),
        "shoot": false,
    })
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn a_name_finds_its_bot() {
        let id = bot_id("Old_Ben", &mut SmallRng::seed_from_u64(1));
        assert!(id.is_bot());
        assert!(is_called(&id, "Old_Ben"));
        assert!(is_called(&id, id.as_str()));
        assert!(!is_called(&id, "Ben"));
        assert!(is_bot_name("a-b_C9") && !is_bot_name("") && !is_bot_name("a b"));
    }

    #[test]
    fn phases_are_answered_without_a_script() {
        let pick = reflex(br#"{"phase":"boon_pick","boon_offers":[{"id":"hull"},{"id":"sail"}]}"#);
        let Reflex::Pick(input) = pick else {
            panic!("{pick:?}")
        };
        let input: serde_json::Value = serde_json::from_slice(&input).expect("JSON");
        assert_eq!(input, json!({"type": "boon_pick", "boon_id": "hull"}));
        assert_eq!(
            reflex(br#"{"phase":"boon_pick","boon_offers":{}}"#),
            Reflex::Wait
        );
        assert_eq!(reflex(br#"{"phase":"voting"}"#), Reflex::Wait);
        assert_eq!(reflex(br#"{"phase":7}"#), Reflex::Play);
        assert_eq!(reflex(b"[]"), Reflex::Play);
    }

    #[test]
    fn the_built_in_ai_goes_for_the_nearest_living() {
        let view = br#"{"players":{"bot_A_1":{"x":0,"y":0,"hp":5},"dead":{"x":1,"y":0,"hp":0},
            "near":{"x":50,"y":0,"hp":1},"far":{"x":-500,"y":0,"hp":1}}}"#;
        let input = default_ai(&"bot_A_1".into(), view, &mut SmallRng::seed_from_u64(1));
        let input: serde_json::Value = serde_json::from_slice(&input.payload).expect("JSON");
        assert_eq!(
            (&input["right"], &input["left"], &input["shoot"]),
            (&json!(true), &json!(false), &json!(true))
        );
    }

    #[test]
    fn a_state_of_another_shape_gives_an_empty_input() {
        let input = default_ai(
            &"bot_A_1".into(),
            br#"{"cards":[1,2]}"#,
            &mut SmallRng::seed_from_u64(1),
        );
        assert_eq!(&input.payload[..], b"{}");
    }
}
