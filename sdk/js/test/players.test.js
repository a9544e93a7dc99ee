import assert from "node:assert/strict";
import { test } from "node:test";

import { guest, NOBODY, withCode } from "./support.js";

test("profiles: one's own changes, others see it", async (t) => {
  const [ada, bob] = [await guest(t), await guest(t)];
  const before = await ada.players.get();
  assert.equal(before.id, ada.auth.playerId);
  assert.equal(before.stats?.games_played ?? 0, 0);
  const changed = await ada.players.update({ display_name: "Ada 🦊", metadata: { title: "Captain" } });
  assert.equal(changed.display_name, "Ada 🦊");
  const seen = await bob.players.get(ada.auth.playerId);
  assert.equal(seen.display_name, "Ada 🦊");
  assert.deepEqual(seen.metadata, { title: "Captain" });
  assert.equal(seen.online, true);
  await assert.rejects(ada.players.update({ display_name: "", avatar_url: "http://a.b/" }), (error) => {
    assert.equal(error.code, "validation_failed");
    assert.deepEqual(Object.keys(error.details.errors).sort(), ["avatar_url", "display_name"]);
    return true;
  });
  await assert.rejects(bob.players.get(NOBODY), withCode("player.not_found"));
});
