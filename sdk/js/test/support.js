// What the tests share. Unless they start a server of their own (server.js), they speak to a real
// one that runs `examples/arena`, at the address in ASOBI_URL; without one they fail.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { WebSocket } from "ws";

import { AsobiClient, MemoryStore } from "../index.js";

export function serverUrl() {
  const url = process.env.ASOBI_URL;
  assert.ok(url, "set ASOBI_URL to the address of a running server");
  return url;
}

/** @param {object} [options] */
export function newClient(options = {}) {
  return new AsobiClient({
    store: new MemoryStore(),
    WebSocket,
    backoff: { first: 100, most: 1000 },
    ...options,
    url: options.url ?? serverUrl(),
  });
}

/** A guest with an open connection; closed when the test ends. */
export async function guest(t, options) {
  const client = newClient(options);
  t.after(() => client.close());
  await client.auth.guest();
  await client.socket.connect();
  return client;
}

/** Makes two players friends. */
export async function befriend(one, other) {
  await one.friends.ask(other.auth.playerId);
  await other.friends.accept(one.auth.playerId);
}

/** An id that is well-formed and nobody's. */
export const NOBODY = "00000000-0000-7000-8000-000000000000";

export const name = () => `t_${randomBytes(6).toString("hex")}`;

/** Waits until `check` gives something truthy for an event's arguments. */
export function until(emitter, event, check, ms = 15_000) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      stop();
      reject(new Error(`"${event}" did not get there within ${ms} ms`));
    }, ms);
    const stop = emitter.on(event, (...args) => {
      const result = check(...args);
      if (!result) return;
      clearTimeout(timer);
      stop();
      resolve(result);
    });
  });
}

/** Waits until `check` is true of what has come, or may have come already. */
export async function eventually(check, ms = 10_000) {
  const end = Date.now() + ms;
  while (!check()) {
    assert.ok(Date.now() < end, `not within ${ms} ms: ${check}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Puts the clients into one running match of the arena; resolves to its id. */
export async function matchOf(...clients) {
  const joined = clients.map((client) => client.match.next("joined", { timeout: 30_000 }));
  await Promise.all(clients.map((client) => client.matchmaker.add({ mode: "arena" })));
  const ids = new Set((await Promise.all(joined)).map((info) => info.match_id));
  assert.equal(ids.size, 1, "all in the same match");
  return [...ids][0];
}

/** @param {string} code */
export const withCode = (code) => (error) => {
  assert.equal(error.name, "AsobiError");
  assert.equal(error.code, code);
  return true;
};
