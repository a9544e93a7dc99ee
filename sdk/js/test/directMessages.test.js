import assert from "node:assert/strict";
import { test } from "node:test";

import { eventually, guest, newClient, NOBODY, withCode } from "./support.js";

const texts = (messages) => messages.map(({ content }) => content);

/** What arrives from now on. */
function inbox(client) {
  const messages = [];
  client.directMessages.onMessage((message) => messages.push(message));
  return messages;
}

test("a message arrives, is answered, and both are in the history", async (t) => {
  const [ada, bob] = [await guest(t), await guest(t)];
  const arrived = bob.directMessages.next("message", { timeout: 5_000 });
  const receipt = await ada.directMessages.send(bob.auth.playerId, "zwei Wörter 🦊");
  const message = await arrived;
  assert.deepEqual(message, {
    ...receipt,
    sender_id: ada.auth.playerId,
    content: "zwei Wörter 🦊",
  });
  assert.ok(Math.abs(message.sent_at - Date.now()) < 60_000);
  const answered = ada.directMessages.next("message", { timeout: 5_000 });
  await bob.directMessages.send(ada.auth.playerId, "and back");
  const history = [message, await answered];
  assert.deepEqual(await ada.directMessages.history(bob.auth.playerId), history);
  assert.deepEqual(await bob.directMessages.history(ada.auth.playerId), history);
});

test("what was written to somebody away waits for them", async (t) => {
  const ada = await guest(t);
  const bob = newClient();
  t.after(() => bob.close());
  await bob.auth.guest();
  for (const text of ["one", "two", "three"]) await ada.directMessages.send(bob.auth.playerId, text);
  const messages = inbox(bob);
  await bob.socket.connect();
  await eventually(() => messages.length === 3);
  assert.deepEqual(texts(messages), ["one", "two", "three"]);

  const page = await bob.directMessages.history(ada.auth.playerId, { limit: 2 });
  assert.deepEqual(texts(page), ["two", "three"]);
  const before = await bob.directMessages.history(ada.auth.playerId, { limit: 2, before: page[0].id });
  assert.deepEqual(texts(before), ["one"]);
});

test("without a connection a message goes over REST", async (t) => {
  const bob = await guest(t);
  const ada = newClient();
  await ada.auth.guest();
  const arrived = bob.directMessages.next("message", { timeout: 5_000 });
  const receipt = await ada.directMessages.send(bob.auth.playerId, "from the menu");
  const { id, channel_id, sent_at } = await arrived;
  assert.deepEqual(receipt, { id, channel_id, sent_at });
});

test("each message is heard once, in whatever way it comes", async (t) => {
  const [ada, bob] = [await guest(t), await guest(t)];
  const messages = inbox(bob);
  const { channel_id } = await ada.directMessages.send(bob.auth.playerId, "one");
  await Promise.all([ada.chat.join(channel_id), bob.chat.join(channel_id)]);
  const frames = [];
  bob.socket.on("*", ({ type }) => frames.push(type));
  await ada.directMessages.send(bob.auth.playerId, "two");
  await ada.chat.send(channel_id, "three");
  await bob.directMessages.send(ada.auth.playerId, "mine");
  // "two" came both ways, "three" and bob's own in the channel alone.
  await eventually(() => frames.filter((type) => type === "chat.message").length === 3);
  assert.equal(frames.filter((type) => type === "dm.message").length, 1);
  assert.deepEqual(texts(messages), ["one", "two", "three"]);
});

test("a message that the server sends again is not heard again", async (t) => {
  const [ada, bob] = [await guest(t), await guest(t)];
  const messages = inbox(bob);
  await ada.directMessages.send(bob.auth.playerId, "one");
  await eventually(() => messages.length === 1);
  bob.socket.emit("dm.message", { ...messages[0] }, {});
  for (let n = 0; n < 600; n += 1) bob.socket.emit("dm.message", { ...messages[0], id: `made up ${n}` }, {});
  assert.equal(messages.length, 601);
  bob.socket.emit("dm.message", { ...messages[0], id: "made up 599" }, {});
  assert.equal(messages.length, 601);
});

test("messages that cannot be are refused with a code, on either way", async (t) => {
  const [ada, bob] = [await guest(t), await guest(t)];
  const offline = newClient();
  await offline.auth.guest();
  for (const client of [ada, offline]) {
    const refused = (to, text, code) => assert.rejects(client.directMessages.send(to, text), withCode(code));
    await refused(NOBODY, "x", "dm.recipient_not_found");
    await refused("no id", "x", "dm.recipient_not_found");
    await refused(bob.auth.playerId, "", "dm.content_empty");
    await refused(bob.auth.playerId, "x".repeat(2001), "dm.content_too_large");
    await refused(bob.auth.playerId, "a\u0000b", "dm.invalid_content");
  }
  await bob.friends.block(ada.auth.playerId);
  await assert.rejects(ada.directMessages.send(bob.auth.playerId, "x"), withCode("dm.blocked"));
  await assert.rejects(ada.directMessages.history("no id"), withCode("dm.recipient_not_found"));
});
