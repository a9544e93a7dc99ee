import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { startServer } from "./server.js";
import { eventually, guest as anyGuest, name, until, withCode } from "./support.js";

let server;
before(async () => (server = await startServer()));
after(() => server?.stop());

const guest = (t, options) => anyGuest(t, { url: server.url, ...options });
const texts = (messages) => messages.map(({ content }) => content);

test("a global channel: who joined it hears what is said, oneself included", async (t) => {
  const [ada, bob] = [await guest(t), await guest(t)];
  await Promise.all([ada, bob].map((client) => client.chat.join("global:lobby")));
  assert.deepEqual(ada.chat.channels, ["global:lobby"]);
  const text = name();
  const heard = [ada, bob].map((client) => until(client.chat, "message", (message) => message.content === text && message));
  const receipt = await ada.chat.send("global:lobby", text);
  const message = { ...receipt, sender_id: ada.auth.playerId, content: text };
  assert.deepEqual(await Promise.all(heard), [message, message]);
  assert.deepEqual((await bob.chat.history("global:lobby")).at(-1), message);

  await bob.chat.leave("global:lobby");
  await bob.chat.leave("global:lobby");
  assert.deepEqual(bob.chat.channels, []);
  bob.chat.onMessage(() => assert.fail("has left"));
  await ada.chat.send("global:lobby", "anybody there?");
  await bob.socket.heartbeat();
});

test("the members of a group have a room, with its own listeners and pages of history", async (t) => {
  const [ada, bob, eve] = [await guest(t), await guest(t), await guest(t)];
  const group = await ada.groups.create({ name: "Room", open: true });
  const room = `room:${group.id}`;
  await bob.groups.join(group.id);
  await Promise.all([bob.chat.join(room), bob.chat.join("global:lobby")]);
  const heard = [];
  bob.chat.onMessage((message) => heard.push(message.content), room);
  await ada.chat.send("global:lobby", "elsewhere");
  for (const text of ["one", "two", "three"]) await ada.chat.send(room, text);
  await eventually(() => heard.length === 3);
  assert.deepEqual(heard, ["one", "two", "three"]);

  const page = await bob.chat.history(room, { limit: 2 });
  assert.deepEqual(texts(page), ["two", "three"]);
  assert.deepEqual(texts(await bob.chat.history(room, { limit: 2, before: page[0].id })), ["one"]);

  for (const refused of [() => eve.chat.join(room), () => eve.chat.send(room, "x"), () => eve.chat.history(room)]) {
    await assert.rejects(refused, withCode("forbidden"));
  }
  assert.deepEqual(eve.chat.channels, []);
});

test("the players of a match have a channel", async (t) => {
  const [ada, eve] = [await guest(t), await guest(t)];
  const joined = ada.match.next("joined", { timeout: 15_000 });
  await ada.matchmaker.add({ mode: "default" });
  const channel = `match:${(await joined).match_id}`;
  await ada.chat.join(channel);
  await ada.chat.send(channel, "to the left");
  await assert.rejects(eve.chat.join(channel), withCode("forbidden"));
});

test("channels are joined again after a reconnect", async (t) => {
  const [ada, bob] = [await guest(t), await guest(t)];
  const group = await ada.groups.create({ name: "Again", open: true });
  const channels = ["global:lobby", `room:${group.id}`];
  for (const channel of [...channels, "global:slow"]) await ada.chat.join(channel);
  await ada.chat.leave("global:slow");

  const back = channels.map((channel) =>
    until(ada.chat, "joined", (event) => event.channel_id === channel && event.reconnected && event),
  );
  ada.socket.drop();
  await Promise.all(back);
  assert.deepEqual(ada.chat.channels, channels);
  const text = name();
  const heard = until(ada.chat, "message:global:lobby", ({ content }) => content === text);
  await bob.chat.send("global:lobby", text);
  await heard;

  // Closed on purpose and opened again: what was joined stays so until it is left.
  ada.close();
  await ada.chat.leave(channels[1]);
  const again = ada.chat.next("joined", { timeout: 5_000 });
  await ada.socket.connect();
  assert.deepEqual(await again, { channel_id: "global:lobby", reconnected: true });
});

test("who is kicked out of a group is told at once", async (t) => {
  const [ada, bob] = [await guest(t), await guest(t)];
  const group = await ada.groups.create({ name: "Told", open: true });
  await bob.groups.join(group.id);
  await bob.chat.join(`room:${group.id}`);
  const left = bob.chat.next("left", { timeout: 5_000 });
  await ada.groups.kick(group.id, bob.auth.playerId);
  assert.deepEqual(await left, { channel_id: `room:${group.id}`, lost: true });
});

test("a channel that cannot be joined again is lost; another player has none", async (t) => {
  const [ada, bob] = [await guest(t), await guest(t, { backoff: { first: 1000, most: 1000 } })];
  const group = await ada.groups.create({ name: "Lost", open: true });
  const room = `room:${group.id}`;
  await bob.groups.join(group.id);
  for (const channel of [room, "global:lobby"]) await bob.chat.join(channel);
  const left = bob.chat.next("left", { timeout: 10_000 });
  bob.socket.drop();
  await ada.groups.kick(group.id, bob.auth.playerId);
  const { channel_id, lost, error } = await left;
  assert.equal(channel_id, room);
  assert.equal(lost, true);
  withCode("forbidden")(error);
  assert.deepEqual(bob.chat.channels, ["global:lobby"]);

  bob.close();
  await bob.auth.register(name(), "correct horse battery");
  await bob.socket.connect();
  assert.deepEqual(bob.chat.channels, []);
});

test("the game speaks, looks at what is said, and notifies", async (t) => {
  const ada = await guest(t);
  const joined = ada.match.next("joined", { timeout: 15_000 });
  await ada.matchmaker.add({ mode: "default" });
  await joined;
  await ada.chat.join("global:lobby");
  const text = name();
  const heard = until(ada.chat, "message", (message) => message.content === text && message);
  ada.match.send({ say: text });
  assert.equal((await heard).sender_id, "herald");

  const changed = until(ada.chat, "message", ({ sender_id, content }) => sender_id === ada.auth.playerId && content);
  await ada.chat.send("global:lobby", "darn it");
  assert.equal(await changed, "**** it");
  await assert.rejects(ada.chat.send("global:lobby", "forbidden"), (error) => {
    assert.equal(error.details.reason, "house rules");
    return withCode("chat.refused")(error);
  });

  const told = ada.notifications.next("new", { timeout: 5_000 });
  ada.match.send({ notify: 5 });
  const { type, subject, content } = await told;
  assert.deepEqual({ type, subject, content }, { type: "quest", subject: "Quest done", content: { gold: 5 } });
});

test("whoever talks too fast is told how long to wait", async (t) => {
  const ada = await guest(t);
  await ada.chat.send("global:slow", "one");
  await assert.rejects(ada.chat.send("global:slow", "two"), (error) => {
    assert.ok(error.details.retry_after > 0 && error.details.retry_after <= 30);
    return withCode("chat.slow_mode")(error);
  });
  const many = Array.from({ length: 15 }, () => ada.chat.send("global:lobby", "spam"));
  const refused = (await Promise.allSettled(many)).filter(({ status }) => status === "rejected");
  assert.ok(refused.length > 0 && refused.length < 15, `${refused.length}`);
  for (const { reason } of refused) {
    withCode("rate_limited")(reason);
    assert.equal(reason.details.retry_after, 1);
  }
});

test("channels and messages that cannot be are refused with a code", async (t) => {
  const ada = await guest(t);
  await assert.rejects(ada.chat.join("global:nowhere"), withCode("forbidden"));
  await assert.rejects(ada.chat.join("lobby"), withCode("chat.invalid_channel_id"));
  await assert.rejects(ada.chat.send("global:lobby", ""), withCode("chat.content_empty"));
  await assert.rejects(ada.chat.send("global:lobby", "x".repeat(2001)), withCode("chat.content_too_large"));
  await assert.rejects(ada.chat.send("global:lobby", "a\u001bb"), withCode("chat.invalid_content"));
  await assert.rejects(ada.chat.history("global:nowhere"), withCode("forbidden"));
  ada.close();
  await assert.rejects(ada.chat.join("global:lobby"), withCode("client.not_open"));
  assert.deepEqual(ada.chat.channels, []);
});

test("a connection is in so many channels and no more", async (t) => {
  const ada = await guest(t);
  const rooms = [];
  for (let n = 0; n < 33; n += 1) {
    const { id } = await ada.groups.create({ name: `Room ${n}` });
    rooms.push(`room:${id}`);
  }
  for (const room of rooms.slice(0, 32)) await ada.chat.join(room);
  await assert.rejects(ada.chat.join(rooms[32]), withCode("chat.too_many_channels"));
  assert.equal(ada.chat.channels.length, 32);
  // All of them at once are not too fast for the server.
  let back = 0;
  const all = until(ada.chat, "joined", ({ reconnected }) => reconnected && (back += 1) === 32);
  ada.socket.drop();
  await all;
});
