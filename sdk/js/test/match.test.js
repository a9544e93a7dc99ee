import assert from "node:assert/strict";
import { test } from "node:test";

import { guest, matchOf, until, withCode } from "./support.js";

const playing = (client) => until(client.match, "state", (state) => state.phase === "playing" && state, 20_000);

test("queues, and leaves the queue", async (t) => {
  const client = await guest(t);
  const ticket = await client.matchmaker.add({ mode: "arena" });
  assert.equal(client.matchmaker.ticket.ticket_id, ticket.ticket_id);
  const again = await client.matchmaker.add({ mode: "arena" });
  assert.equal(again.ticket_id, ticket.ticket_id);
  assert.equal(again.already_queued, true);
  await client.matchmaker.remove();
  assert.equal(client.matchmaker.ticket, null);
  await assert.rejects(client.matchmaker.add({ mode: "no_such_mode" }), withCode("matchmaker.unknown_mode"));
});

test("two clients meet, bots fill up, input moves a ship, both see the same", async (t) => {
  const [one, two] = [await guest(t), await guest(t)];
  const status = one.matchmaker.next("update", { timeout: 15_000 });
  const matchId = await matchOf(one, two);
  assert.ok((await status).waiting >= 1);
  assert.equal(one.match.id, matchId);

  const state = await playing(one);
  const ids = Object.keys(state.players);
  assert.ok(ids.length >= 4, `${ids.length} ships`);
  assert.ok(ids.includes(one.auth.playerId) && ids.includes(two.auth.playerId));
  assert.ok(ids.some((id) => id.startsWith("bot_")));

  const start = state.players[one.auth.playerId];
  let seq = 0;
  const timer = setInterval(() => one.match.input({ seq: ++seq, thrust: 1, turn: 0, aim: 0, fire: true }), 10);
  t.after(() => clearInterval(timer));
  const moved = await until(two.match, "state", (s) => {
    const ship = s.players[one.auth.playerId];
    return ship && Math.hypot(ship.x - start.x, ship.y - start.y) > 20 && ship.seq > 0 && s;
  });
  assert.ok(moved.tick > state.tick);
  // 100 a second were offered, about 20 a second were sent.
  await until(one.match, "state", (s) => s.players[one.auth.playerId].seq > 50 && s);
});

test("an invited player joins a match under way", async (t) => {
  const host = await guest(t);
  const matchId = await matchOf(host);
  await playing(host);
  const friend = await guest(t);
  const info = await friend.match.join(matchId);
  assert.equal(info.match_id, matchId);
  assert.equal(friend.match.id, matchId);
  await until(host.match, "state", (s) => s.players[friend.auth.playerId]);
  await friend.match.leave();
  assert.equal(friend.match.id, null);
  await until(host.match, "state", (s) => !s.players[friend.auth.playerId]);
  await assert.rejects(friend.match.join("00000000-0000-7000-8000-000000000000"), withCode("match.not_found"));
});

test("a dropped player is back in the match", async (t) => {
  const client = await guest(t);
  const matchId = await matchOf(client);
  await playing(client);
  const back = client.match.next("joined", { timeout: 10_000 });
  const open = client.socket.next("open", { timeout: 10_000 });
  client.socket.drop();
  assert.equal((await open).match_id, matchId);
  const info = await back;
  assert.equal(info.match_id, matchId);
  assert.equal(info.reconnected, true);
  await until(client.match, "state", (s) => s.players[client.auth.playerId]);
});

test("a round, the boons, a vote with tallies, the next round", { timeout: 240_000 }, async (t) => {
  const client = await guest(t);
  await matchOf(client);
  const state = await playing(client);
  const wait = state.left * 1000 + 60_000;

  const events = [];
  client.match.on("event", (event) => events.push(event));
  const started = client.votes.next("start", { timeout: wait });
  await until(client.match, "state", (s) => s.phase === "boon_pick" && s, wait);
  const vote = await started;
  assert.equal(vote.options.length, 3);
  assert.equal(client.votes.current.vote_id, vote.vote_id);
  assert.ok(vote.endsAt > Date.now());

  const tally = client.votes.next("tally", { timeout: 10_000 });
  const choice = vote.options[0].id;
  await client.votes.cast(choice);
  assert.equal(client.votes.current.mine, choice);
  assert.ok((await tally).total_votes >= 1);
  await assert.rejects(client.votes.cast("no_such_option"));

  const result = await client.votes.next("result", { timeout: 30_000 });
  assert.equal(result.vote_id, vote.vote_id);
  assert.ok(result.counts[choice] >= 1);
  assert.equal(client.votes.current, null);
  const next = await until(client.match, "state", (s) => s.round === 2 && s.phase === "playing" && s, 20_000);
  assert.equal(next.mod, result.winner);
  assert.ok(events.every((event) => event === "sunk"), `${events}`);
});
