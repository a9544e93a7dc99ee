// The arena's page: signs in, queues, plays. The rules are in ../*.lua; this only shows and asks.

import { AsobiClient } from "/sdk/index.js";
import { Controls } from "./controls.js";
import { Demo } from "./demo.js";
import { $, Hud } from "./hud.js";
import { sailOf } from "./palette.js";
import { STEP } from "./sailing.js";
import { drawChart, Scene } from "./scene.js";
import { Sounds } from "./sound.js";
import { World } from "./world.js";

const query = new URLSearchParams(location.search);
const guest = query.get("guest") || "1";
const nameKey = guest === "1" ? "arena.name" : `arena.name.${guest}`;

const client = new AsobiClient({ url: location.origin, slot: guest });
const hud = new Hud();
const scene = new Scene($("view"));
const sounds = new Sounds();
const controls = new Controls($("view"), $("stick"));
const demo = new Demo();
scene.sounds = sounds;
scene.onHurt = () => hud.hurt();

/** @type {World | null} */
let world = null;
let result = null; // of the match that has just ended
let queue = null; // {waiting, size, most, botsAt} while waiting
let lost = false; // the connection is down
let busy = false; // signing in
let invited = query.get("join");
let frame = null;
let voteWindow = 10_000;
let lastPhase = "";
let lastBeat = 0;

// Which screen --------------------------------------------------------------------------------

const SCREENS = { countdown: "countdown", playing: "playing", boon_pick: "boon", voting: "vote", results: "results" };

function screenNow() {
  if (lost && (world || queue)) return "reconnecting";
  if (world?.state) return SCREENS[world.state.phase] ?? "playing";
  if (result) return "results";
  if (queue || world || busy) return "queue";
  return "start";
}

function show() {
  const screen = screenNow();
  if (document.body.dataset.screen === screen) return;
  document.body.dataset.screen = screen;
  document.body.classList.toggle("afloat", ["playing", "countdown"].includes(screen));
  controls.active = screen === "playing" || screen === "countdown";
  if (!controls.active) controls.mouseFire = controls.clicked = false;
  if (screen === "start") $("name").focus({ preventScroll: true });
  if (screen === "results") $("again").focus({ preventScroll: true });
}

// Signing in and queuing ------------------------------------------------------------------------

function captainName() {
  return $("name").value.replace(/\s+/g, " ").trim();
}

async function play() {
  if (busy || queue || world) return;
  busy = true;
  result = null;
  $("trouble").textContent = "";
  try {
    localStorage.setItem(nameKey, captainName());
  } catch {
    // Private window: the name is asked again next time.
  }
  queue = { waiting: 1, size: 4, most: 10, botsAt: null };
  show();
  try {
    if (!client.auth.session) await client.auth.guest();
    const { match_id: held } = await client.socket.connect();
    // A match that still holds our place comes by itself.
    if (!held && !world) await enter();
  } catch (error) {
    queue = null;
    $("trouble").textContent = explain(error);
  } finally {
    busy = false;
    show();
  }
}

async function enter() {
  if (invited) {
    const match = invited;
    invited = null;
    history.replaceState(null, "", guest === "1" ? "/" : `/?guest=${guest}`);
    try {
      await client.match.join(match);
      return;
    } catch (error) {
      hud.toast(`That match is ${error.code === "match.full" ? "full" : "over"}; looking for another.`);
    }
  }
  const ticket = await client.matchmaker.add({ mode: "arena" });
  if (queue && ticket.players_needed) queue.size = ticket.players_needed;
}

function explain(error) {
  const known = {
    "client.network": "The harbour does not answer. Is the server running?",
    "client.closed": "The line broke. Try again.",
    "guest.disabled": "This server does not take guests.",
    rate_limited: "Too many at once. Try again in a moment.",
    "matchmaker.unknown_mode": "This server does not run the arena.",
  };
  if (error.reason === "session_displaced") return "You are at sea in another window. This one has struck its flag.";
  return known[error.code] ?? error.message;
}

function ashore() {
  world = null;
  queue = null;
  result = null;
  frame = null;
  scene.cut();
  show();
}

client.matchmaker.on("update", (status) => {
  if (!queue) return;
  queue.waiting = Math.max(1, status.waiting ?? 1);
  queue.botsAt = typeof status.bots_in_ms === "number" ? Date.now() + status.bots_in_ms : null;
});
client.matchmaker.on("expired", () => {
  queue = null;
  $("trouble").textContent = "Nobody came. Try again?";
  show();
});
client.matchmaker.on("failed", () => {
  queue = null;
  $("trouble").textContent = "The match could not be started. Try again?";
  show();
});

// The match ---------------------------------------------------------------------------------------

client.match.on("joined", () => {
  queue = null;
  if (!world) {
    world = new World(client.auth.playerId);
    hud.cards = "";
    lastPhase = "";
    result = null;
    scene.cut();
  } else {
    world.reset();
  }
  const name = captainName();
  if (name) client.match.send({ type: "hello", name });
  show();
});

client.match.on("state", (state) => {
  if (!world) return;
  world.push(state, performance.now());
  if (state.phase !== lastPhase) enterPhase(state);
  show();
});

client.match.on("finished", ({ result: outcome }) => {
  world = null;
  frame = null;
  result = outcome ?? {};
  hud.results(result, client.auth.playerId);
  sounds.bell();
  show();
});

client.match.on("left", ({ lost: gone }) => {
  if (!world) return;
  if (gone) hud.toast("The match went on without you.");
  ashore();
});

client.match.on("event:sunk", (event) => {
  hud.feed(event);
  if (event.ship_slot === world?.slot) {
    hud.sunk = true;
    hud.banner("Your ship is lost", event.by ? `Sunk by ${event.by}` : "", 60);
  }
});

client.votes.on("start", (vote) => {
  voteWindow = vote.window_ms;
});
client.votes.on("result", () => sounds.bell());
client.socket.on("module.error", (fault) => hud.fault(fault));
client.socket.on("error", (error) => {
  if (error.code !== "match.not_in_match") console.warn("server:", error.code, error.details);
});

client.socket.on("reconnecting", ({ attempt, delay }) => {
  lost = true;
  $("reconnect-line").textContent = attempt === 1 ? "Trying to signal again…" : `Attempt ${attempt}, in ${(delay / 1000).toFixed(1)} s…`;
  show();
});
client.socket.on("open", () => {
  lost = false;
  show();
});
client.socket.on("failed", (error) => {
  lost = false;
  ashore();
  $("trouble").textContent = explain(error);
});

function enterPhase(state) {
  const before = lastPhase;
  lastPhase = state.phase;
  // The first state after coming aboard: the view jumps to the ship instead of drifting there.
  if (!before || state.phase === "countdown") scene.cut();
  if (state.phase === "countdown") {
    lastBeat = 0;
  } else if (state.phase === "playing" && before === "countdown") {
    hud.banner("Fire at will", state.mod_name ?? "", 1.8);
    sounds.beat(true);
  } else if (state.phase === "boon_pick" || state.phase === "results") {
    sounds.bell();
  }
  if (state.phase === "results") hud.results({ standings: interim(state) }, client.auth.playerId);
}

/** The standings as the last state has them, until the final ones come. */
function interim(state) {
  const ids = new Map(Object.entries(state.players ?? {}).map(([id, ship]) => [ship.s, id]));
  return (Array.isArray(state.crew) ? state.crew : [])
    .map(([slot, name, score, , sunk, wrecked, boons]) => {
      const id = ids.get(slot) ?? "";
      return { id, slot, name, score, sunk, lost: wrecked, boons, bot: id.startsWith("bot_") };
    })
    .sort((a, b) => b.score - a.score);
}

// The loop ------------------------------------------------------------------------------------------

let then = performance.now();

function loop(now) {
  requestAnimationFrame(loop);
  const dt = Math.min(0.25, (now - then) / 1000);
  then = now;
  if (world?.state) {
    const aim = steer(dt, now);
    frame = world.sample(now);
    if (frame) {
      scene.draw(frame, { pointer: controls.pointer, aim, aiming: frame.phase === "playing" && !lost });
      hud.guns(frame.me);
      return;
    }
  }
  scene.draw(demo.sample(now));
}

/** Sends an order for each step that has passed. Returns where the guns point. */
function steer(dt, now) {
  const own = world.pred ? world.shownShip(now) : null;
  const at = scene.toSea(controls.pointer.x, controls.pointer.y);
  const aim = own ? Math.atan2(at.y - own.y, at.x - own.x) : 0;
  if (!world.pred || lost) return aim;
  world.held = controls.keys(own.heading, aim);
  world.sinceStep += dt;
  // After a pause (another window in front) do not catch up on what was missed.
  if (world.sinceStep > 5 * STEP) world.sinceStep = STEP;
  while (world.sinceStep >= STEP) {
    const rest = world.sinceStep - STEP;
    client.match.send(world.order(world.held, now));
    world.sinceStep = rest;
    controls.spent();
    world.held = controls.keys(own.heading, aim);
  }
  return aim;
}

// Slower than the sea: the page around it.
setInterval(() => {
  const screen = document.body.dataset.screen;
  if (queue) hud.queue(queue);
  const state = world?.state;
  if (!state) return;
  hud.battle(state, frame, world.me);
  if (frame) {
    for (const ship of frame.ships) ship.colour = sailOf(ship.slot);
    drawChart($("map"), frame, frame.fog);
  }
  if (screen === "countdown") {
    hud.countdown(state);
    const beat = Math.ceil(state.left - 0.05);
    if (beat !== lastBeat && beat > 0) sounds.beat(false);
    lastBeat = beat;
  } else if (screen === "boon") {
    hud.boon(state, world.slot, pickBoon);
    longest.boon = Math.max(longest.boon, state.left);
    hud.timer("boon-timer", state.left / longest.boon);
  } else if (screen === "vote") {
    const vote = client.votes.current;
    hud.vote(state, vote, castVote);
    hud.timer("vote-timer", vote ? (vote.endsAt - Date.now()) / voteWindow : 0);
  }
  if (screen !== "boon") longest.boon = 0.1;
  hud.respawn(screen === "playing" && frame?.me?.hp <= 0 ? frame.me.down : 0);
}, 80);
const longest = { boon: 0.1 };

function pickBoon(id) {
  client.match.send({ type: "boon_pick", boon_id: id });
}

function castVote(id) {
  client.votes.cast(id).catch((error) => hud.toast(error.code === "rate_limited" ? "You have changed your mind often enough." : explain(error)));
}

// The page ------------------------------------------------------------------------------------------

$("enlist").addEventListener("submit", (event) => {
  event.preventDefault();
  play();
});
$("again").addEventListener("click", () => {
  result = null;
  play();
});
$("home").addEventListener("click", ashore);
$("cancel").addEventListener("click", () => {
  client.matchmaker.remove().catch(() => {});
  ashore();
});
$("leave").addEventListener("click", () => {
  client.match.leave().catch(() => {});
  ashore();
});
$("sound").addEventListener("click", toggleSound);
function toggleSound() {
  const on = sounds.toggle();
  $("sound").textContent = on ? "Sound on" : "Sound off";
  $("sound").setAttribute("aria-pressed", String(on));
}
$("share").addEventListener("click", async () => {
  const link = `${location.origin}/?join=${client.match.id}`;
  try {
    await navigator.clipboard.writeText(link);
    hud.toast("Link copied. Whoever opens it sails into this match.");
  } catch {
    hud.toast(link);
  }
});

addEventListener("keydown", (event) => {
  const screen = document.body.dataset.screen;
  if (event.code === "Tab" && controls.active) {
    hud.full = true;
    event.preventDefault();
  } else if (event.code === "KeyM" && screen !== "start") {
    toggleSound();
  } else if (/^Digit[1-9]$/.test(event.code) && (screen === "boon" || screen === "vote")) {
    const cards = $(screen === "boon" ? "boon-cards" : "vote-cards").children;
    cards[Number(event.code.slice(5)) - 1]?.click();
  }
});
addEventListener("keyup", (event) => {
  if (event.code === "Tab") hud.full = false;
});
addEventListener("blur", () => (hud.full = false));

try {
  $("name").value = localStorage.getItem(nameKey) ?? "";
} catch {
  // No storage, no name to remember.
}
const note = $("invite-note");
if (guest === "1") {
  const second = Object.assign(document.createElement("a"), { href: "/?guest=2", target: "_blank", textContent: "a second captain here" });
  note.append("Bring a friend: both set sail within four seconds, or send the Invite link from a match. Alone? Open ", second, ".");
} else {
  note.append(`This window is captain ${guest} of this browser.`);
}
if (invited) $("play").textContent = "Join the battle";
requestAnimationFrame(loop);
show();

/** For browser tests and the curious. */
Object.defineProperty(window, "arena", {
  value: {
    get state() { return world?.state ?? null; },
    get me() { return client.auth.playerId; },
    get phase() { return world?.state?.phase ?? null; },
    get screen() { return document.body.dataset.screen; },
    get frame() { return frame; },
    get error() { return world?.lastError ?? 0; },
    get result() { return result; },
    send: (input) => client.match.send(input),
    client,
  },
});
