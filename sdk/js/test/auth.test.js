import assert from "node:assert/strict";
import { test } from "node:test";

import { DEVICE_KEY, MemoryStore } from "../index.js";
import { guest, name, newClient, withCode } from "./support.js";

const PASSWORD = "correct horse battery";

test("register, log in, log out", async () => {
  const username = name();
  const first = newClient();
  const session = await first.auth.register(username, PASSWORD);
  assert.equal(session.username, username);
  assert.equal(first.auth.playerId, session.player_id);

  const second = newClient();
  await assert.rejects(second.auth.login(username, "not the password"), withCode("auth.invalid_credentials"));
  assert.equal(second.auth.session, null);
  assert.equal((await second.auth.login(username, PASSWORD)).player_id, session.player_id);

  await second.auth.logout();
  assert.equal(second.auth.session, null);
  await assert.rejects(second.auth.refresh(), withCode("client.signed_out"));
});

test("fields that are not valid are named", async () => {
  await assert.rejects(newClient().auth.register("x", "y"), (error) => {
    assert.equal(error.status, 422);
    assert.ok(Object.keys(error.details).length > 0);
    return true;
  });
});

test("a username is taken once", async () => {
  const username = name();
  await newClient().auth.register(username, PASSWORD);
  await assert.rejects(newClient().auth.register(username, PASSWORD), (error) => {
    assert.ok(error.status === 409 || error.status === 422, `status ${error.status}`);
    return true;
  });
});

test("a guest comes back by the stored pair and is somebody else in another slot", async () => {
  const store = new MemoryStore();
  const first = newClient({ store });
  const session = await first.auth.guest();
  assert.equal(session.created, true);
  assert.equal(session.guest, true);
  assert.ok(store.getItem(DEVICE_KEY));

  const again = await newClient({ store }).auth.guest();
  assert.equal(again.player_id, session.player_id);
  assert.equal(again.created, false);

  const other = await newClient({ store, slot: 2 }).auth.guest();
  assert.notEqual(other.player_id, session.player_id);
});

test("a wrong secret is refused", async () => {
  const store = new MemoryStore();
  await newClient({ store }).auth.guest();
  const pair = JSON.parse(store.getItem(DEVICE_KEY));
  const forged = { ...pair, device_secret: Buffer.alloc(32, 7).toString("base64") };
  await assert.rejects(newClient().auth.guest(forged), withCode("guest.invalid_device_secret"));
});

test("a guest becomes a real account and stays the same player", async () => {
  const store = new MemoryStore();
  const client = newClient({ store });
  const session = await client.auth.guest();
  const username = name();
  const upgraded = await client.auth.upgrade(username, PASSWORD);
  assert.equal(upgraded.player_id, session.player_id);
  assert.equal(upgraded.guest, false);
  assert.equal(store.getItem(DEVICE_KEY), null);
  assert.equal((await newClient().auth.login(username, PASSWORD)).player_id, session.player_id);
});

test("refreshing at the same time spends one refresh token", async () => {
  let refreshes = 0;
  const counting = (url, init) => {
    if (String(url).endsWith("/auth/refresh")) refreshes += 1;
    return fetch(url, init);
  };
  const client = newClient({ fetch: counting });
  const before = await client.auth.register(name(), PASSWORD);
  // An access token made within the same second can be the same again.
  await new Promise((resolve) => setTimeout(resolve, 1100));
  const tokens = await Promise.all([1, 2, 3, 4].map(() => client.auth.freshToken(before.access_token)));
  assert.equal(refreshes, 1);
  assert.equal(new Set(tokens).size, 1);
  assert.notEqual(client.auth.session.refresh_token, before.refresh_token);
  assert.equal(await client.auth.freshToken(before.access_token), tokens[0], "late askers get the same");
  assert.equal(refreshes, 1);
});

test("a spent refresh token takes the whole family down; a guest signs in again", async () => {
  const client = newClient();
  const session = await client.auth.register(name(), PASSWORD);
  const spent = session.refresh_token;
  await client.auth.refresh();
  const replay = () => client.rest.post("/auth/refresh", { refresh_token: spent }, { auth: false });
  await assert.rejects(replay(), (error) => error.status === 401);
  await assert.rejects(client.auth.refresh(), (error) => error.status === 401);
  assert.equal(client.auth.session, null);

  const visitor = newClient();
  const first = await visitor.auth.guest();
  const burnt = first.refresh_token;
  await visitor.auth.refresh();
  await assert.rejects(visitor.rest.post("/auth/refresh", { refresh_token: burnt }, { auth: false }));
  const back = await visitor.auth.refresh();
  assert.equal(back.player_id, first.player_id);
});

test("a request with a dead token is made again with a fresh one", async () => {
  const seen = [];
  let spoil = true;
  const client = newClient({
    fetch: (url, init) => {
      const headers = { ...init.headers };
      if (headers.authorization && spoil) {
        headers.authorization = "Bearer not-a-token";
        spoil = false;
      }
      seen.push(new URL(url).pathname);
      return fetch(url, { ...init, headers });
    },
  });
  await client.auth.guest();
  seen.length = 0;
  const username = name();
  await client.auth.upgrade(username, PASSWORD);
  assert.deepEqual(seen, ["/api/v1/auth/guest/upgrade", "/api/v1/auth/refresh", "/api/v1/auth/guest/upgrade"]);
});

test("an erased guest is gone, and this device is somebody new", async (t) => {
  const store = new MemoryStore();
  const client = await guest(t, { store });
  const { player_id, access_token } = client.auth.session;
  const failed = client.socket.next("failed", { timeout: 5_000 });
  await client.auth.erase();
  assert.equal(client.auth.session, null);
  assert.equal(store.getItem(DEVICE_KEY), null);
  assert.equal((await failed).reason, "account_erased");
  assert.equal(client.socket.state, "closed");
  await assert.rejects(client.rest.get("/players/me", { token: access_token }), withCode("unauthenticated"));
  assert.notEqual((await client.auth.guest()).player_id, player_id);
  await assert.rejects(client.players.get(player_id), withCode("player.not_found"));
});

test("an account with a password is erased with it alone", async () => {
  const username = name();
  const client = newClient();
  await client.auth.register(username, PASSWORD);
  await assert.rejects(client.auth.erase(), withCode("missing_field"));
  await assert.rejects(client.auth.erase("not the password"), withCode("player.confirmation_failed"));
  assert.equal((await client.players.get()).username, username);
  await client.auth.erase(PASSWORD);
  await assert.rejects(client.auth.erase(PASSWORD), withCode("unauthenticated"));
  await assert.rejects(newClient().auth.login(username, PASSWORD), withCode("auth.invalid_credentials"));
});

test("a server that is not there is a network error", async () => {
  const client = newClient({ url: "http://127.0.0.1:1" });
  await assert.rejects(client.auth.guest(), withCode("client.network"));
});
