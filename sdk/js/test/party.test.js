import assert from "node:assert/strict";
import { test } from "node:test";

import { guest, withCode } from "./support.js";

test("a party forms, queues as one, and ends", async (t) => {
  const [one, two] = [await guest(t), await guest(t)];
  const made = await one.party.create();
  assert.equal(made.leader, one.auth.playerId);
  const asked = two.party.next("invited", { timeout: 10_000 });
  await one.party.invite(two.auth.playerId);
  assert.equal((await asked).party_id, made.party_id);
  const joined = await two.party.accept(made.party_id);
  assert.deepEqual(joined.members.map((member) => member.player_id), [one.auth.playerId, two.auth.playerId]);
  await assert.rejects(two.party.queue({ mode: "arena" }), withCode("party.not_leader"));
  const told = two.party.next("queued", { timeout: 10_000 });
  const ticket = await one.party.queue({ mode: "arena" });
  assert.equal((await told).ticket_id, ticket.ticket_id);
  assert.equal((await two.party.cancel()).ticket, null);
  const out = two.party.next("left", { timeout: 10_000 });
  await one.party.kick(two.auth.playerId);
  assert.equal((await out).kicked, true);
  assert.equal(two.party.current, null);
  await one.party.leave();
  await assert.rejects(one.party.leave(), withCode("party.not_in_party"));
});
