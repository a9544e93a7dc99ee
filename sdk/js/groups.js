import { path } from "./rest.js";

/**
 * @typedef {"owner" | "admin" | "moderator" | "member"} GroupRole
 *
 * @typedef {{
 *   id: string, name: string, description: string | null, max_members: number,
 *   member_count: number, open: boolean, creator_id: string | null,
 *   metadata: Record<string, any>, inserted_at: string, updated_at: string,
 * }} Group
 *   `open`: anybody may join; `creator_id` is null once that account is erased.
 *
 * @typedef {Group & {role: GroupRole, joined_at: string}} OwnGroup with this player's role
 *
 * @typedef {{
 *   name?: string, description?: string, max_members?: number, open?: boolean,
 *   metadata?: Record<string, any>,
 * }} GroupForm
 *   `name`: 2 to 64 characters; `max_members`: 2 to 1000 (50); `open`: false unless said.
 *
 * @typedef {import("./friends.js").PlayerSeen & {
 *   id: string, group_id: string, player_id: string, role: GroupRole, joined_at: string,
 * }} GroupMember
 *
 * An invitation, or a player's own request to join.
 * @typedef {import("./friends.js").PlayerSeen & {
 *   id: string, group_id: string, group_name: string, player_id: string,
 *   invited_by: string | null, requested: boolean, inserted_at: string,
 * }} GroupInvite
 *   `player_id` is who may become a member; `requested`: they asked themselves.
 */

/**
 * Groups: clans, guilds, teams. Members talk in the channel `room:<group id>`. Invitations,
 * requests and roles are told to whom they concern as notifications (`group_invite`,
 * `group_join_request`, `group_joined`, `group_role_changed`).
 */
export class Groups {
  #rest;
  #auth;

  /**
   * @param {import("./rest.js").Rest} rest
   * @param {import("./auth.js").Auth} auth
   */
  constructor(rest, auth) {
    this.#rest = rest;
    this.#auth = auth;
  }

  /**
   * The groups this player is in, the one joined last first.
   * @returns {Promise<OwnGroup[]>}
   */
  async list() {
    return (await this.#rest.get("/groups")).groups;
  }

  /**
   * Makes a group, with this player as its owner.
   * @param {GroupForm & {name: string}} form
   * @returns {Promise<Group>}
   */
  create(form) {
    return this.#rest.post("/groups", form);
  }

  /**
   * @param {string} groupId
   * @returns {Promise<Group>}
   */
  get(groupId) {
    return this.#rest.get(path`/groups/${groupId}`);
  }

  /**
   * Changes a group; for its admins and its owner. What is left out stays.
   * @param {string} groupId
   * @param {GroupForm} form
   * @returns {Promise<Group>}
   */
  update(groupId, form) {
    return this.#rest.put(path`/groups/${groupId}`, form);
  }

  /**
   * Joins a group that is open or has invited this player. Any other fails with
   * `social.group_closed` and takes the attempt as a request (`details.requested`), which its
   * moderators can grant with {@link Groups.invite}.
   * @param {string} groupId
   * @returns {Promise<void>}
   */
  async join(groupId) {
    await this.#rest.post(path`/groups/${groupId}/join`);
  }

  /**
   * Leaves; harmless when there is nothing to leave. An owner's place goes to the highest member,
   * and a group without members is gone.
   * @param {string} groupId
   * @returns {Promise<void>}
   */
  async leave(groupId) {
    await this.#rest.post(path`/groups/${groupId}/leave`);
  }

  /**
   * All members, the highest role first.
   * @param {string} groupId
   * @returns {Promise<GroupMember[]>}
   */
  async members(groupId) {
    return (await this.#rest.get(path`/groups/${groupId}/members`)).members;
  }

  /**
   * Gives a member who stands lower another role; for admins and the owner. An owner who makes
   * somebody else owner hands the group over.
   * @param {string} groupId
   * @param {string} playerId
   * @param {GroupRole} role
   * @returns {Promise<GroupMember>}
   */
  setRole(groupId, playerId, role) {
    return this.#rest.put(path`/groups/${groupId}/members/${playerId}/role`, { role });
  }

  /**
   * Removes a member who stands lower; for moderators and up.
   * @param {string} groupId
   * @param {string} playerId
   * @returns {Promise<void>}
   */
  async kick(groupId, playerId) {
    await this.#rest.delete(path`/groups/${groupId}/members/${playerId}`);
  }

  /**
   * Invites a player, or admits one who has asked; for moderators and up.
   * @param {string} groupId
   * @param {string} playerId
   * @returns {Promise<"invited" | "joined">} `joined` if they had asked
   */
  async invite(groupId, playerId) {
    return (await this.#rest.post(path`/groups/${groupId}/invites`, { player_id: playerId })).status;
  }

  /**
   * The invitations and requests of a group, newest first, for its moderators and up; without a
   * group those of this player.
   * @param {string | null} [groupId]
   * @param {import("./rest.js").Page} [page]
   * @returns {Promise<GroupInvite[]>}
   */
  async invites(groupId, page) {
    const where = groupId ? path`/groups/${groupId}/invites` : "/groups/invites";
    return (await this.#rest.get(where, { query: page })).invites;
  }

  /**
   * Ends an invitation or a request. Without a player: declines this player's invitation, or
   * takes their request back. With one: for moderators and up.
   * @param {string} groupId
   * @param {string} [playerId]
   * @returns {Promise<void>}
   */
  async removeInvite(groupId, playerId = this.#auth.playerId ?? "") {
    await this.#rest.delete(path`/groups/${groupId}/invites/${playerId}`);
  }
}
