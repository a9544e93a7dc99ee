// What a stranger does first: play the arena.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { launch, visitor, Window } from "./browser.mjs";
import { Server } from "./server.mjs";

/** @type {import("playwright-core").Browser} */
let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

const limit = { timeout: 120_000 };

test("a match from the first page to the final table and back to the queue", limit, async (t) => {
  const server = await Server.start(t, {
    rounds: 3, round_seconds: 9, boon_seconds: 6, boon_pickers: 4, vote_seconds: 4,
  });
  const window = await Window.open(await visitor(t, browser), server.url);
  const { page } = window;
  await window.shot("1-start");

  await window.play("Nelson");
  await window.screen("queue");
  await window.until("how many are needed", () => /1 captain waits, 3 more/.test(document.getElementById("queue-line").textContent));
  await window.until("when bots come", () => /in \d+\.\d s/.test(document.getElementById("queue-bots").textContent));
  await window.shot("2-queue");

  await window.screen("countdown");
  assert.match(await window.$("countdown").textContent(), /^[123]$/);
  await window.shot("3-countdown");

  await window.screen("playing");
  await window.until("a name, and bots in the other ships", () => {
    const rows = arena.state.crew.map(([, name]) => name);
    const bots = Object.keys(arena.state.players).filter((id) => id.startsWith("bot_"));
    return rows.length === 4 && rows.includes("Nelson") && bots.length === 3;
  });
  await sails(window);
  await fires(window);
  await window.shot("4-playing");
  // Enough of this one; the later rounds are shorter, in the running match.
  await server.edit("settings.lua", "round_seconds = 9", "round_seconds = 3");

  for (const round of [1, 2]) {
    const boon = await picksBoon(window, round);
    const modifier = await votes(window, round);
    await window.screen("countdown");
    // The card is filled in at the frame after the screen changes.
    await page.waitForFunction((label) => document.getElementById("cd-mod").textContent.startsWith(label), modifier.label);
    const next = await page.evaluate(() => ({
      round: arena.state.round, mod: arena.state.mod,
      boons: arena.state.crew.find(([slot]) => slot === arena.state.players[arena.me].s)[6],
    }));
    assert.equal(next.round, round + 1);
    assert.equal(next.mod, modifier.id, "the round is what most voted for");
    assert.equal(next.boons.at(-1), boon, "the boon is aboard");
    await window.screen("playing");
    assert.ok(await page.evaluate(() => arena.state.left) <= 3, "a short round");
  }

  await window.screen("results");
  await window.until("the final table", () => arena.result?.status === "completed");
  await window.shot("7-results");
  const table = await window.$("standings").locator("tbody tr").allInnerTexts();
  assert.equal(table.length, 4);
  const own = table.find((row) => row.includes("Nelson"));
  assert.match(own, /%/, "the aim of somebody who fired");
  const { winner, standings } = await page.evaluate(() => arena.result);
  assert.equal(standings[0].id, winner);
  assert.deepEqual(standings.map(({ score }) => score), standings.map(({ score }) => score).sort((a, b) => b - a));

  await window.$("again").click();
  await window.screen("queue");
  await window.until("the queue again", () => /1 captain waits, 3 more/.test(document.getElementById("queue-line").textContent));
  await window.$("cancel").click();
  await window.screen("start");
  assert.deepEqual(window.complaints, []);
});

/**
 * W sails ahead, D turns to starboard; on the server as well as on the screen. For a ship in its
 * berth, which may have an island 30 units before the bow.
 */
async function sails(window) {
  const { page } = window;
  const anchored = await window.ship();
  await page.keyboard.down("KeyW");
  await window.until("the own ship to move", ({ x, y }) => {
    const { x: sx, y: sy } = arena.state.players[arena.me];
    return Math.hypot(sx - x, sy - y) > 20;
  }, anchored);
  const sailed = await window.ship();
  const ahead = (sailed.x - anchored.x) * Math.cos(anchored.h) + (sailed.y - anchored.y) * Math.sin(anchored.h);
  assert.ok(ahead > 15, `W sails where the bow points (${ahead.toFixed()} ahead)`);
  const drawn = await page.evaluate(() => arena.frame.me);
  assert.ok(Math.hypot(drawn.x - anchored.x, drawn.y - anchored.y) > 15, "the ship on the screen moves, too");

  const before = await window.ship();
  await page.keyboard.down("KeyD");
  await window.until("the rudder to answer", (heading) => {
    const off = arena.state.players[arena.me].h - heading;
    return Math.atan2(Math.sin(off), Math.cos(off)) > 0.3;
  }, before.h);
  await page.keyboard.up("KeyD");
  await page.keyboard.up("KeyW");
}

/** The mouse aims, its button fires: balls fly to the right, where the mouse is. */
async function fires(window) {
  const { page } = window;
  await page.mouse.move(1000, 360);
  await page.mouse.down();
  await window.until("an own cannonball on its way to the right", () => {
    const { s } = arena.state.players[arena.me];
    return arena.state.balls.some?.(([, slot, , , vx, vy]) => slot === s && vx > Math.abs(vy));
  });
  await page.mouse.up();
}

/** The second card, and it stays with the ship. */
async function picksBoon(window, round) {
  await window.screen("boon");
  const cards = window.$("boon-cards").locator("button");
  const card = cards.nth(1);
  await card.waitFor();
  assert.equal(await cards.count(), 3);
  const id = await card.getAttribute("data-id");
  await card.click();
  // The last picker's choice ends the phase at once; that it is aboard is checked in the next round.
  await window.until("the card to be chosen", (wanted) => arena.state.phase !== "boon_pick"
    || document.querySelector("#boon-cards .chosen")?.dataset.id === wanted, id);
  if (round === 1) await window.shot("5-boon");
  return id;
}

/** One card, then another: the tally follows, and the bots' votes show up in it. */
async function votes(window, round) {
  await window.screen("vote");
  await window.page.evaluate(() => void (window.outcome = arena.client.votes.next("result", { timeout: 20_000 })));
  const cards = window.$("vote-cards").locator("button");
  await cards.first().waitFor();
  assert.equal(await cards.count(), 3);
  // Read now: the cards go with the vote.
  const labels = await window.page.evaluate(() => Object.fromEntries([...document.getElementById("vote-cards").children]
    .map((card) => [card.dataset.id, card.querySelector("strong").textContent])));
  const mine = (n) => window.until(`card ${n} to have the vote`, (at) => {
    const card = document.getElementById("vote-cards").children[at];
    return card.classList.contains("chosen") && Number(card.querySelector(".tally b").textContent) >= 1;
  }, n);
  await cards.nth(0).click();
  await mine(0);
  const early = await window.page.evaluate(() => arena.client.votes.current.total_votes);
  await cards.nth(1).click();
  await mine(1);
  await window.until("more votes to come in", (before) => {
    const shown = [...document.querySelectorAll("#vote-cards .tally b")].map((b) => Number(b.textContent));
    // On a slow machine everybody may have voted before we looked.
    return shown.reduce((a, b) => a + b) > before || before === Object.keys(arena.state.players).length;
  }, early);
  if (round === 1) await window.shot("6-vote");
  const { counts, winner } = await window.page.evaluate(() => window.outcome);
  assert.equal(counts[winner], Math.max(...Object.values(counts)));
  return { id: winner, label: labels[winner] };
}

test("two windows of one browser play each other", limit, async (t) => {
  const server = await Server.start(t, { bots_after: 4 });
  // Within sight of each other from the start.
  await server.edit("sea.lua", "M.RADIUS = 900", "M.RADIUS = 600");
  await server.edit("sea.lua", "local angle = math.random() * 2 * math.pi", "local angle = math.random() * 0.8");
  const context = await visitor(t, browser);
  const [ada, bo] = [await Window.open(context, `${server.url}/?guest=1`), await Window.open(context, `${server.url}/?guest=2`)];
  await Promise.all([ada.play("Ada"), bo.play("Bo & <b>Co</b>")]);
  await bo.until("both in the queue", () => /2 captains wait, 2 more/.test(document.getElementById("queue-line").textContent));
  await Promise.all([ada.screen("playing"), bo.screen("playing")]);
  const match = (window) => window.page.evaluate(() => arena.client.match.id);
  assert.equal(await match(ada), await match(bo), "the same match");

  for (const [window, own, other] of [[ada, "Ada", "Bo & <b>Co</b>"], [bo, "Bo & <b>Co</b>", "Ada"]]) {
    await window.until(`${own} to see the ship of ${other}`, ([mine, theirs]) => {
      const ships = arena.frame?.ships ?? [];
      return ships.find(({ name }) => name === mine)?.me && ships.find(({ name }) => name === theirs)?.me === false;
    }, [own, other]);
    await window.page.keyboard.down("Tab");
    await window.$("board").getByText(other, { exact: true }).waitFor();
    await window.page.keyboard.up("Tab");
    await window.shot(`8-two-${own.slice(0, 3).trim()}`);
  }

  // What one does, the other sees.
  await bo.page.mouse.move(640, 200);
  await bo.page.mouse.down();
  await ada.until("the other to fire", () => {
    const other = arena.frame.ships.find(({ name }) => name.startsWith("Bo"));
    return arena.frame.balls.some(({ slot }) => slot === other.slot);
  });
  assert.deepEqual([...ada.complaints, ...bo.complaints], []);
});

test("a match goes on after the server was killed, and after the page was loaded again", limit, async (t) => {
  const server = await Server.start(t);
  // Nobody sinks: this ship is still the same at the end.
  await server.edit("ships.lua", /M.HULL = \d+/, "M.HULL = 5000");
  const window = await Window.open(await visitor(t, browser), server.url);
  await window.play("Phoenix");
  await window.screen("playing");
  await window.until("the name", () => arena.state.crew.some(([, name]) => name === "Phoenix"));
  // A snapshot is at most a second old.
  await window.ticks(12);
  const before = await window.page.evaluate(() => ({ match: arena.client.match.id, me: arena.me, tick: arena.state.tick, slot: arena.state.players[arena.me].s }));

  await server.kill();
  await window.screen("reconnecting");
  await window.shot("9-reconnecting");
  await server.restart();
  await window.screen("playing");
  await window.until("the match to go on", (tick) => arena.state.tick > tick + 5, before.tick);
  const now = await window.page.evaluate(() => ({ match: arena.client.match.id, me: arena.me, slot: arena.state.players[arena.me].s, names: arena.state.crew.map(([, name]) => name) }));
  assert.deepEqual([now.match, now.me, now.slot], [before.match, before.me, before.slot]);
  assert.ok(now.names.includes("Phoenix"), "the name came through");
  assert.ok(await window.page.evaluate(() => arena.state.tick) < before.tick + 600, "the same match, not a later one");
  await sails(window);
  await window.shot("9-reconnected");

  await window.page.reload();
  await window.screen("start");
  assert.equal(await window.$("name").inputValue(), "Phoenix", "the name is remembered");
  await window.$("play").click();
  await window.screen("playing");
  assert.equal(await window.page.evaluate(() => arena.client.match.id), before.match);
  await fires(window);
  const surprises = window.complaints.filter((line) => !/WebSocket connection to .* failed/.test(line));
  assert.deepEqual(surprises, []);
});

test("a saved script changes the running match, a broken one is shown", limit, async (t) => {
  const server = await Server.start(t);
  const window = await Window.open(await visitor(t, browser), server.url);
  await window.play("Tinker");
  await window.screen("playing");
  const kit = () => window.page.evaluate(() => arena.state.players[arena.me].k);
  const [speed, , , , hull] = await kit();
  const whole = await server.read("ships.lua");
  const ships = (numbers) => Object.entries(numbers).reduce((text, [name, value]) => {
    const line = new RegExp(`^M\\.${name} = \\d+`, "m");
    assert.match(text, line);
    return text.replace(line, `M.${name} = ${value}`);
  }, whole);
  const match = await window.page.evaluate(() => arena.client.match.id);

  await server.write("ships.lua", ships({ SPEED: 300, HULL: 140 }));
  await window.until("faster ships with more hull", ([fast, strong]) => {
    const { k } = arena.state.players[arena.me];
    return k[0] === fast && k[4] === strong;
  }, [300, 140]);
  assert.ok(speed < 300 && hull < 140);
  await window.until("the hull on the screen", () => /\/ 140$/.test(document.querySelector("#hull b").textContent));

  // Does not compile: shown, and the last good code plays on.
  const broken = `${ships({ SPEED: 50 })}\nfunction M.broken(\n`;
  await server.write("ships.lua", broken);
  const toast = window.$("fault");
  await toast.waitFor();
  assert.match(await toast.locator("b").textContent(), /^ships\.lua:\d+/);
  await window.shot("10-broken-script");
  await window.ticks(5);
  assert.equal((await kit())[0], 300, "the last good code");
  await toast.getByRole("button").click();
  await server.write("ships.lua", ships({ SPEED: 210 }));
  await window.until("the mended script", () => arena.state.players[arena.me].k[0] === 210);

  // Compiles, but fails at every tick: shown, and the match keeps its state.
  await server.edit("cannon.lua", "function M.step(state, dt)", "function M.step(state, dt)\n  local a = nil + dt");
  await toast.waitFor();
  assert.match(await toast.locator("b").textContent(), /^cannon\.lua:\d+ in tick/);
  await window.shot("11-failing-script");
  await server.edit("cannon.lua", "\n  local a = nil + dt", "");
  await window.ticks(10);
  await toast.getByRole("button").click();
  await window.ticks(5);
  assert.equal(await toast.count(), 0, "mended, it is not shown again");

  assert.equal(await window.page.evaluate(() => arena.client.match.id), match, "all in one match");
  assert.deepEqual(window.complaints, []);
});
