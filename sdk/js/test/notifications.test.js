import assert from "node:assert/strict";
import { test } from "node:test";

import { guest, newClient, NOBODY, withCode } from "./support.js";

test("notifications come at once, stay in the list, are read and deleted", async (t) => {
  const ada = await guest(t);
  const askers = [await guest(t), await guest(t), await guest(t)];
  const pushed = [];
  const stop = ada.notifications.onNew((notification) => pushed.push(notification));
  for (const asker of askers) {
    const next = ada.notifications.next("new", { timeout: 5_000 });
    await asker.friends.ask(ada.auth.playerId);
    await next;
  }
  stop();
  const listed = await ada.notifications.list();
  assert.deepEqual(listed, [...pushed].reverse());
  assert.equal(listed[0].read, false);

  const [first] = await ada.notifications.list({ limit: 1 });
  const rest = await ada.notifications.list({ before: first.id });
  assert.deepEqual([first, ...rest], listed);

  assert.equal((await ada.notifications.markRead(first.id)).read, true);
  assert.deepEqual((await ada.notifications.list({ read: true })).map(({ id }) => id), [first.id]);
  await assert.rejects(askers[0].notifications.markRead(first.id), withCode("forbidden"));
  await ada.notifications.delete(first.id);
  await assert.rejects(ada.notifications.delete(first.id), withCode("notification.not_found"));
  await ada.notifications.markAllRead();
  assert.deepEqual(await ada.notifications.list({ read: false }), []);
  assert.equal((await ada.notifications.list()).length, 2);
});

test("what comes while nobody is connected is in the list", async (t) => {
  const ada = newClient();
  await ada.auth.guest();
  const bob = await guest(t);
  await bob.friends.ask(ada.auth.playerId);
  const [notification] = await ada.notifications.list({ read: false });
  assert.equal(notification.type, "friend_request");
  assert.equal(notification.content.from_player_id, bob.auth.playerId);
  await assert.rejects(ada.notifications.markRead(NOBODY), withCode("notification.not_found"));
  await assert.rejects(ada.notifications.list({ before: "yesterday" }), withCode("invalid_payload"));
});
