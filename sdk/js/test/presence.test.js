import assert from "node:assert/strict";
import { test } from "node:test";

import { befriend, guest, name, until, withCode } from "./support.js";

test("friends see who is online and what they do", async (t) => {
  const [ada, bob, eve] = [await guest(t), await guest(t), await guest(t)];
  await befriend(ada, bob);
  const changed = (check) => until(bob.presence, "changed", (seen) => seen.player_id === ada.auth.playerId && check(seen) && seen);

  const playing = changed((seen) => seen.status === "in the arena");
  await ada.presence.update("in the arena");
  assert.equal((await playing).last_seen_at, null);
  assert.equal(ada.presence.status, "in the arena");
  const ids = [ada, bob, eve].map((client) => client.auth.playerId);
  const seen = await bob.presence.of(ids);
  assert.deepEqual(
    new Map(seen.map(({ player_id, status }) => [player_id, status])),
    new Map([[ids[0], "in the arena"], [ids[1], "online"]]),
  );
  assert.ok(Math.abs(seen[0].last_seen_at - Date.now()) < 60_000);

  await assert.rejects(ada.presence.update("x".repeat(65)), withCode("presence.invalid_status"));
  assert.equal(ada.presence.status, "in the arena");
  const offline = changed(({ status }) => status === "offline");
  ada.close();
  assert.ok(Math.abs((await offline).last_seen_at - Date.now()) < 60_000);
});

test("a status is said again after a reconnect, but not of another player", async (t) => {
  // Slow enough for friends to see the player go.
  const ada = await guest(t, { backoff: { first: 1500, most: 1500 } });
  const bob = await guest(t);
  await befriend(ada, bob);
  await ada.presence.update("afk");
  const statuses = [];
  bob.presence.onChanged(({ status }) => statuses.push(status));
  await until(bob.presence, "changed", ({ status }) => status === "afk");
  ada.socket.drop();
  await until(bob.presence, "changed", ({ status }) => status === "offline");
  await until(bob.presence, "changed", ({ status }) => status === "afk");
  assert.deepEqual(statuses, ["afk", "offline", "afk"]);

  ada.close();
  await ada.auth.register(name(), "correct horse battery");
  await ada.socket.connect();
  assert.equal(ada.presence.status, "online");
});
