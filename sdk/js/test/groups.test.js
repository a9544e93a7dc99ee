import assert from "node:assert/strict";
import { test } from "node:test";

import { guest, NOBODY, withCode } from "./support.js";

/** The next notification of a type. */
async function told(client, type) {
  const notification = await client.notifications.next("new", { timeout: 5_000 });
  assert.equal(notification.type, type);
  return notification;
}

test("an open group: made, changed, joined, left, gone", async (t) => {
  const [ada, bob] = [await guest(t), await guest(t)];
  const group = await ada.groups.create({ name: "Crew", open: true, max_members: 2, metadata: { flag: "black" } });
  assert.equal(group.member_count, 1);
  const changed = await ada.groups.update(group.id, { description: "Ahoy" });
  assert.equal(changed.description, "Ahoy");
  assert.deepEqual((await bob.groups.get(group.id)).metadata, { flag: "black" });

  await bob.groups.join(group.id);
  await assert.rejects(bob.groups.join(group.id), withCode("social.already_member"));
  const full = await guest(t);
  await assert.rejects(full.groups.join(group.id), withCode("social.group_full"));
  const [own] = await bob.groups.list();
  assert.equal(own.id, group.id);
  assert.equal(own.role, "member");
  const members = await bob.groups.members(group.id);
  assert.deepEqual(members.map(({ player_id, role }) => [player_id, role]), [
    [ada.auth.playerId, "owner"],
    [bob.auth.playerId, "member"],
  ]);

  const heir = told(bob, "group_role_changed");
  await ada.groups.leave(group.id);
  await ada.groups.leave(group.id);
  assert.equal((await heir).content.role, "owner");
  await bob.groups.leave(group.id);
  await assert.rejects(bob.groups.get(group.id), withCode("social.group_not_found"));
});

test("a closed group takes an attempt to join as a request", async (t) => {
  const [ada, bob] = [await guest(t), await guest(t)];
  const { id } = await ada.groups.create({ name: "Closed" });
  const asked = told(ada, "group_join_request");
  await assert.rejects(bob.groups.join(id), (error) => {
    assert.equal(error.details.requested, true);
    return withCode("social.group_closed")(error);
  });
  assert.equal((await asked).content.from_player_id, bob.auth.playerId);
  const [request] = await ada.groups.invites(id);
  assert.equal(request.player_id, bob.auth.playerId);
  assert.equal(request.requested, true);
  assert.equal((await bob.groups.invites())[0].id, request.id);

  await bob.groups.removeInvite(id);
  assert.deepEqual(await ada.groups.invites(id), []);
  await assert.rejects(bob.groups.join(id), withCode("social.group_closed"));
  await ada.groups.removeInvite(id, bob.auth.playerId);
  await assert.rejects(ada.groups.removeInvite(id, bob.auth.playerId), withCode("social.invite_not_found"));
  await assert.rejects(bob.groups.join(id), withCode("social.group_closed"));
  const admitted = told(bob, "group_joined");
  assert.equal(await ada.groups.invite(id, bob.auth.playerId), "joined");
  await admitted;
  assert.equal((await bob.groups.list())[0].id, id);
});

test("an invitation is taken up or declined", async (t) => {
  const [ada, bob] = [await guest(t), await guest(t)];
  const groups = [await ada.groups.create({ name: "One" }), await ada.groups.create({ name: "Two" })];
  for (const { id } of groups) {
    const invited = told(bob, "group_invite");
    assert.equal(await ada.groups.invite(id, bob.auth.playerId), "invited");
    assert.equal((await invited).content.group_id, id);
  }
  const [newest] = await bob.groups.invites(null, { limit: 1 });
  const [older] = await bob.groups.invites(null, { before: newest.id });
  assert.deepEqual([older.group_id, newest.group_id], groups.map(({ id }) => id));
  assert.equal(newest.invited_by, ada.auth.playerId);
  await bob.groups.join(groups[0].id);
  await bob.groups.removeInvite(groups[1].id);
  assert.deepEqual(await bob.groups.invites(), []);
  await assert.rejects(bob.groups.join(groups[1].id), withCode("social.group_closed"));
});

test("who may do what", async (t) => {
  const [ada, bob, eve] = [await guest(t), await guest(t), await guest(t)];
  const { id } = await ada.groups.create({ name: "Ranks", open: true });
  await Promise.all([bob.groups.join(id), eve.groups.join(id)]);
  await assert.rejects(bob.groups.kick(id, eve.auth.playerId), withCode("forbidden"));
  await assert.rejects(bob.groups.update(id, { name: "Mine" }), withCode("forbidden"));
  const promoted = told(bob, "group_role_changed");
  assert.equal((await ada.groups.setRole(id, bob.auth.playerId, "moderator")).role, "moderator");
  await promoted;
  await assert.rejects(bob.groups.setRole(id, eve.auth.playerId, "admin"), withCode("forbidden"));
  await assert.rejects(ada.groups.setRole(id, eve.auth.playerId, "captain"), withCode("social.invalid_role"));
  await bob.groups.kick(id, eve.auth.playerId);
  await assert.rejects(bob.groups.kick(id, eve.auth.playerId), withCode("social.member_not_found"));
  await ada.groups.setRole(id, bob.auth.playerId, "owner");
  const roles = new Map((await eve.groups.members(id)).map(({ player_id, role }) => [player_id, role]));
  assert.equal(roles.get(bob.auth.playerId), "owner");
  assert.equal(roles.get(ada.auth.playerId), "admin");
});

test("groups that cannot be are refused with a code", async (t) => {
  const ada = await guest(t);
  await assert.rejects(ada.groups.create({ name: "x", max_members: 1 }), (error) => {
    assert.deepEqual(Object.keys(error.details.errors).sort(), ["max_members", "name"]);
    return withCode("validation_failed")(error);
  });
  await assert.rejects(ada.groups.create({}), withCode("missing_field"));
  for (const nothing of [NOBODY, "a/b"]) {
    await assert.rejects(ada.groups.get(nothing), withCode("social.group_not_found"));
    await assert.rejects(ada.groups.join(nothing), withCode("social.group_not_found"));
    await assert.rejects(ada.groups.members(nothing), withCode("social.group_not_found"));
  }
  const { id } = await ada.groups.create({ name: "Alone" });
  await assert.rejects(ada.groups.invite(id, NOBODY), withCode("player.not_found"));
  const eve = await guest(t);
  await assert.rejects(eve.groups.invites(id), withCode("forbidden"));
  await assert.rejects(eve.groups.invite(id, ada.auth.playerId), withCode("forbidden"));
  await eve.friends.block(ada.auth.playerId);
  await assert.rejects(ada.groups.invite(id, eve.auth.playerId), withCode("social.blocked"));
});
