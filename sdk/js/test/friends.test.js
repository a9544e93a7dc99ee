import assert from "node:assert/strict";
import { test } from "node:test";

import { befriend, guest, NOBODY, withCode } from "./support.js";

test("a request is told, accepted, and both see the friend", async (t) => {
  const [ada, bob] = [await guest(t), await guest(t)];
  const told = bob.notifications.next("new", { timeout: 5_000 });
  const asked = await ada.friends.ask(bob.auth.playerId);
  assert.equal(asked.status, "pending");
  assert.equal(asked.direction, "outgoing");
  const { type, content } = await told;
  assert.equal(type, "friend_request");
  assert.equal(content.from_player_id, ada.auth.playerId);

  const [incoming] = await bob.friends.list({ status: "pending" });
  assert.equal(incoming.direction, "incoming");
  assert.equal(incoming.friend.username, ada.auth.session.username);
  const accepted = await bob.friends.accept(ada.auth.playerId);
  assert.equal(accepted.status, "accepted");
  for (const [one, other] of [[ada, bob], [bob, ada]]) {
    const [friend, ...more] = await one.friends.list({ status: "accepted" });
    assert.deepEqual(more, []);
    assert.equal(friend.friend_id, other.auth.playerId);
    assert.equal(friend.friend.online, true);
  }

  await ada.friends.remove(bob.auth.playerId);
  assert.deepEqual(await bob.friends.list(), []);
  await assert.rejects(ada.friends.remove(bob.auth.playerId), withCode("social.friendship_not_found"));
});

test("two who ask each other are friends; a request turned down is gone", async (t) => {
  const [ada, bob] = [await guest(t), await guest(t)];
  await ada.friends.ask(bob.auth.playerId);
  await assert.rejects(ada.friends.accept(bob.auth.playerId), withCode("forbidden"));
  assert.equal((await bob.friends.reject(ada.auth.playerId)).status, "rejected");
  assert.deepEqual(await ada.friends.list(), []);
  await ada.friends.ask(bob.auth.playerId);
  assert.equal((await bob.friends.ask(ada.auth.playerId)).status, "accepted");
});

test("whoever is blocked can neither ask nor write, and is not shown the block", async (t) => {
  const [ada, bob] = [await guest(t), await guest(t)];
  await befriend(ada, bob);
  assert.equal((await ada.friends.block(bob.auth.playerId)).status, "blocked");
  await assert.rejects(bob.friends.ask(ada.auth.playerId), withCode("social.blocked"));
  await assert.rejects(bob.directMessages.send(ada.auth.playerId, "hello?"), withCode("dm.blocked"));
  await assert.rejects(ada.directMessages.send(bob.auth.playerId, "go away"), withCode("dm.blocked"));
  assert.deepEqual(await bob.friends.list(), []);
  assert.equal((await ada.friends.list({ status: "blocked" })).length, 1);
  await ada.friends.remove(bob.auth.playerId);
  assert.equal((await bob.friends.ask(ada.auth.playerId)).status, "pending");
});

test("a list comes page by page", async (t) => {
  const ada = await guest(t);
  const others = [await guest(t), await guest(t), await guest(t)];
  for (const other of others) await ada.friends.ask(other.auth.playerId);
  const first = await ada.friends.list({ limit: 2 });
  const second = await ada.friends.list({ limit: 2, before: first.at(-1).id });
  const listed = [...first, ...second].map((row) => row.friend_id);
  assert.deepEqual(listed, others.map((other) => other.auth.playerId).reverse());
});

test("requests that cannot be are refused with a code", async (t) => {
  const ada = await guest(t);
  await assert.rejects(ada.friends.ask(ada.auth.playerId), withCode("social.cannot_friend_self"));
  for (const nobody of [NOBODY, "no id", "", "../players/me", "a/b?c#d"]) {
    await assert.rejects(ada.friends.ask(nobody), withCode("social.friend_not_found"));
    if (nobody) await assert.rejects(ada.friends.accept(nobody), withCode("social.friendship_not_found"));
  }
  await assert.rejects(ada.friends.list({ status: "rejected" }), (error) => {
    assert.equal(error.code, "validation_failed");
    assert.ok(error.details.errors.status[0]);
    return true;
  });
});
