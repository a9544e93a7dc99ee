import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { startIssuer } from "./issuer.js";
import { startServer } from "./server.js";
import { name, newClient as anyClient, withCode } from "./support.js";

const PASSWORD = "correct horse battery";

let issuer;
let server;
before(async () => {
  issuer = await startIssuer();
  server = await startServer(issuer.settings);
});
after(async () => {
  await server?.stop();
  issuer?.stop();
});

const newClient = (options) => anyClient({ url: server.url, ...options });

test("whom a provider vouches for is the same player each time", async () => {
  const token = issuer.token(name());
  const first = await newClient().auth.oauth("test", token);
  assert.equal(first.created, true);
  assert.equal(first.guest, false);
  const client = newClient();
  const again = await client.auth.oauth("test", token);
  assert.equal(again.created, false);
  assert.equal(again.player_id, first.player_id);
  assert.equal((await client.players.get()).id, first.player_id);
  await assert.rejects(client.auth.unlink("test"), withCode("auth.last_auth_method"));
});

test("tokens and providers that do not count are refused", async () => {
  const client = newClient();
  await assert.rejects(client.auth.oauth("nobody", "x"), withCode("auth.unsupported_provider"));
  await assert.rejects(client.auth.oauth("test", "x"), (error) => {
    assert.equal(error.details.reason, "invalid_token");
    return withCode("auth.provider_rejected")(error);
  });
  assert.equal(client.auth.session, null);
});

test("a guest who links a provider is one no longer, and keeps the device", async () => {
  const client = newClient();
  const { player_id } = await client.auth.guest();
  const sessions = [];
  client.auth.on("session", (session) => sessions.push({ ...session }));
  const token = issuer.token(name());
  const linked = await client.auth.link("test", token);
  assert.equal(linked.linked, true);
  assert.equal((await client.auth.link("test", token)).provider_uid, linked.provider_uid);
  assert.deepEqual(sessions.map(({ guest }) => guest), [false]);
  assert.equal((await newClient().auth.oauth("test", token)).player_id, player_id);
  const resumed = await client.auth.guest();
  assert.equal(resumed.player_id, player_id);
  assert.equal(resumed.guest, false);

  const other = newClient();
  await other.auth.guest();
  await assert.rejects(other.auth.link("test", token), withCode("auth.provider_already_linked"));
  await client.auth.unlink("test");
  await assert.rejects(client.auth.unlink("test"), withCode("auth.identity_not_found"));
});

test("a refused link costs no refresh token", async () => {
  const asked = [];
  const client = newClient({
    fetch: (url, init) => {
      asked.push(new URL(url).pathname);
      return fetch(url, init);
    },
  });
  await client.auth.register(name(), PASSWORD);
  asked.length = 0;
  await assert.rejects(client.auth.link("test", "x"), withCode("auth.provider_rejected"));
  assert.deepEqual(asked, ["/api/v1/auth/link"]);
});
