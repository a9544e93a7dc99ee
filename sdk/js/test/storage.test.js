import assert from "node:assert/strict";
import { test } from "node:test";

import { MemoryStore } from "../index.js";
import { guest, name, newClient, withCode } from "./support.js";

const conflict = (code, current) => (error) => {
  assert.equal(error.details.current_version, current);
  return withCode(code)(error);
};

test("saves: written, read on another device, emptied", async (t) => {
  const store = new MemoryStore();
  const [phone, laptop] = [newClient({ store }), newClient({ store })];
  await phone.auth.guest();
  await laptop.auth.guest();
  const saved = await phone.saves.put("campaign 1/ä", { level: 3, list: [1, null, "x"] });
  assert.equal(saved.version, 1);
  const read = await laptop.saves.get("campaign 1/ä");
  assert.deepEqual(read, saved);
  assert.deepEqual(read.data, { level: 3, list: [1, null, "x"] });
  const [{ slot, version }] = await laptop.saves.list();
  assert.deepEqual([slot, version], ["campaign 1/ä", 1]);
  await laptop.saves.delete(slot);
  await assert.rejects(phone.saves.get(slot), withCode("save.not_found"));
  await assert.rejects(phone.saves.delete(slot), withCode("save.not_found"));
});

test("saves: whoever writes on top of what they have not read is told", async () => {
  const client = newClient();
  await client.auth.guest();
  const { version } = await client.saves.put("auto", 1, { version: 0 });
  await client.saves.put("auto", 2, { version });
  await assert.rejects(client.saves.put("auto", 3, { version }), conflict("save.version_conflict", 2));
  assert.equal((await client.saves.put("auto", 4)).version, 3);
});

test("saves: limits have codes", async () => {
  const client = newClient();
  await client.auth.guest();
  await assert.rejects(client.saves.put("x".repeat(65), 1), withCode("save.invalid_slot"));
  await assert.rejects(client.saves.put("big", "x".repeat(256 * 1024)), withCode("save.too_large"));
  for (let n = 0; n < 10; n += 1) await client.saves.put(`slot ${n}`, n);
  await assert.rejects(client.saves.put("one more", 1), withCode("save.slot_limit_reached"));
});

test("objects: one's own, private and public", async () => {
  const [ada, bob] = [newClient(), newClient()];
  await Promise.all([ada.auth.guest(), bob.auth.guest()]);
  const collection = name();
  const base = await ada.storage.put(collection, "base", { walls: 3 }, { read_perm: "public" });
  assert.equal(base.player_id, ada.auth.playerId);
  await ada.storage.put(collection, "plans", { attack: true });
  assert.deepEqual(await bob.storage.get(collection, "base"), base);
  assert.deepEqual(await bob.storage.get(collection, "base", { player_id: ada.auth.playerId }), base);
  await assert.rejects(bob.storage.get(collection, "base", { player_id: "me" }), withCode("storage.not_found"));
  await assert.rejects(bob.storage.get(collection, "plans"), withCode("storage.forbidden"));
  await assert.rejects(bob.storage.delete(collection, "base"), withCode("storage.forbidden"));
  await assert.rejects(bob.storage.put(collection, "base", {}), withCode("storage.forbidden"));
  await ada.storage.delete(collection, "base");
  await assert.rejects(ada.storage.get(collection, "base"), withCode("storage.not_found"));
});

test("objects: several players write one, and nobody overwrites what they have not read", async () => {
  const [ada, bob] = [newClient(), newClient()];
  await Promise.all([ada.auth.guest(), bob.auth.guest()]);
  const collection = name();
  const options = { read_perm: "public", write_perm: "public", version: 0 };
  const { version } = await ada.storage.put(collection, "guestbook", ["ada"], options);
  const whose = { player_id: ada.auth.playerId };
  const written = await bob.storage.put(collection, "guestbook", ["ada", "bob"], { ...whose, version });
  assert.equal(written.player_id, ada.auth.playerId);
  assert.equal(written.version, 2);
  await assert.rejects(
    ada.storage.put(collection, "guestbook", [], { version }),
    conflict("storage.version_conflict", 2),
  );
  const bad = ada.storage.put(collection, "other", 1, { read_perm: /** @type {any} */ ("friends") });
  await assert.rejects(bad, withCode("storage.invalid_perm"));
  await assert.rejects(ada.storage.put(collection, "x".repeat(129), 1), withCode("storage.invalid_key"));
  const large = ada.storage.put(collection, "large", "x".repeat(256 * 1024));
  await assert.rejects(large, withCode("storage.value_too_large"));
});

test("objects: a collection comes page by page", async (t) => {
  const ada = await guest(t);
  const collection = name();
  for (const key of ["a", "b", "c"]) await ada.storage.put(collection, key, key);
  const keys = [];
  let before;
  do {
    const page = await ada.storage.list(collection, { limit: 2, before });
    keys.push(...page.objects.map(({ key }) => key));
    before = page.next_before;
  } while (before);
  assert.deepEqual(keys, ["c", "b", "a"]);
  assert.deepEqual(await ada.storage.list(name()), { objects: [], next_before: null });
});
