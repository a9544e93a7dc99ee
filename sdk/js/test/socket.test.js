import assert from "node:assert/strict";
import { test } from "node:test";
import { WebSocket } from "ws";

import { MemoryStore } from "../index.js";
import { guest, newClient, withCode } from "./support.js";

test("connects, answers requests by cid, shows every frame to the catch-all", async (t) => {
  const client = await guest(t);
  assert.equal(client.socket.state, "open");
  const types = [];
  client.socket.on("*", (frame) => types.push(frame.type));
  const answers = await Promise.all([1, 2, 3].map(() => client.socket.request("session.heartbeat")));
  for (const { ts } of answers) assert.ok(Math.abs(ts - Date.now()) < 60_000);
  assert.deepEqual(types, Array(3).fill("session.heartbeat"));
  assert.ok((await client.socket.heartbeat()) < 5_000);
});

test("an error reply rejects its request and no other", async (t) => {
  const client = await guest(t);
  const [bad, good] = await Promise.allSettled([
    client.socket.request("no.such_type"),
    client.socket.request("session.heartbeat"),
  ]);
  assert.equal(bad.reason.code, "unknown_type");
  assert.equal(good.status, "fulfilled");
});

test("an error nobody waits for is an event", async (t) => {
  const client = await guest(t);
  const error = client.socket.next("error", { timeout: 5_000 });
  client.socket.send("no.such_type");
  assert.equal((await error).code, "unknown_type");
});

test("without a connection requests fail and sends say so", async () => {
  const client = newClient();
  await assert.rejects(client.socket.request("session.heartbeat"), withCode("client.not_open"));
  assert.equal(client.socket.send("session.heartbeat"), false);
  await assert.rejects(client.socket.connect(), withCode("client.signed_out"));
});

test("comes back after a drop; what was under way fails", async (t) => {
  const client = await guest(t);
  const reconnecting = client.socket.next("reconnecting", { timeout: 5_000 });
  const open = client.socket.next("open", { timeout: 10_000 });
  const underway = assert.rejects(client.socket.request("session.heartbeat"), withCode("client.closed"));
  client.socket.drop();
  await underway;
  const { attempt, delay } = await reconnecting;
  assert.equal(attempt, 1);
  assert.ok(delay >= 50 && delay <= 100, `delay ${delay}`);
  assert.equal((await open).resumed, true);
  await client.socket.heartbeat();
});

test("a refused access token is refreshed on the same connection", async (t) => {
  let connections = 0;
  let spoil = true;
  class Spoiling extends WebSocket {
    constructor(url) {
      super(url);
      connections += 1;
    }
    send(text) {
      if (spoil && text.includes("session.connect")) {
        spoil = false;
        const frame = JSON.parse(text);
        frame.payload.token = "not-a-token";
        text = JSON.stringify(frame);
      }
      super.send(text);
    }
  }
  const client = newClient({ WebSocket: Spoiling });
  t.after(() => client.close());
  const before = await client.auth.guest();
  await client.socket.connect();
  assert.equal(connections, 1);
  assert.notEqual(client.auth.session.refresh_token, before.refresh_token);
});

test("closing is final", async (t) => {
  const client = await guest(t);
  let attempts = 0;
  client.socket.on("reconnecting", () => (attempts += 1));
  client.close();
  assert.equal(client.socket.state, "closed");
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(attempts, 0);
  await client.socket.connect();
  await client.socket.heartbeat();
});

test("a server that is not there is tried again and again, slower each time", async (t) => {
  class Nowhere extends WebSocket {
    constructor() {
      super("ws://127.0.0.1:1/");
    }
  }
  const client = newClient({ WebSocket: Nowhere, backoff: { first: 20, most: 60 } });
  t.after(() => client.close());
  await client.auth.guest();
  const delays = [];
  const enough = new Promise((resolve) => {
    client.socket.on("reconnecting", ({ delay }) => {
      delays.push(delay);
      if (delays.length === 5) resolve();
    });
  });
  const connecting = assert.rejects(client.socket.connect(), withCode("client.closed"));
  await enough;
  assert.ok(delays[0] <= 20 && delays[4] >= 30 && delays[4] <= 60, `${delays}`);
  client.close();
  await connecting;
});

test("a second sign-in takes the place, and the first does not fight for it", async (t) => {
  const store = new MemoryStore();
  const first = await guest(t, { store });
  const failed = first.socket.next("failed", { timeout: 5_000 });
  const second = await guest(t, { store });
  assert.equal(second.auth.playerId, first.auth.playerId);
  assert.equal((await failed).reason, "session_displaced");
  const still = await second.socket.request("session.heartbeat", {});
  assert.ok(still.ts > 0);
});
