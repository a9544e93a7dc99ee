import { path } from "./rest.js";

/**
 * What others see of a player in a list.
 * @typedef {{username: string, display_name: string, avatar_url: string | null, online: boolean}} PlayerSeen
 *
 * What stands between this player and another.
 * @typedef {{
 *   id: string, player_id: string, friend_id: string,
 *   status: "pending" | "accepted" | "blocked" | "rejected",
 *   direction?: "incoming" | "outgoing",
 *   inserted_at: string, updated_at: string,
 *   friend: PlayerSeen & {id: string},
 * }} Friendship
 *   `player_id` is this player, `friend_id` the other; `direction` says of a pending request who
 *   asked; `rejected` is seen only in the answer to {@link Friends.reject}.
 */

/**
 * Friends, requests and blocks. A new request and its acceptance are told to the other as a
 * notification (`friend_request`, `friend_accepted`); who is online, by `Presence`.
 */
export class Friends {
  #rest;

  /** @param {import("./rest.js").Rest} rest */
  constructor(rest) {
    this.#rest = rest;
  }

  /**
   * Friends, requests either way and one's own blocks, newest first.
   * @param {import("./rest.js").Page & {status?: "pending" | "accepted" | "blocked"}} [filter]
   * @returns {Promise<Friendship[]>}
   */
  async list(filter) {
    return (await this.#rest.get("/friends", { query: filter })).friends;
  }

  /**
   * Asks to be friends; accepts if the other has asked already. Fails with `social.blocked` when
   * the other does not want to be asked, `social.friend_limit_reached` when a list is full
   * (`details.player_id`: whose).
   * @param {string} playerId
   * @returns {Promise<Friendship>}
   */
  ask(playerId) {
    return this.#rest.post("/friends", { friend_id: playerId });
  }

  /**
   * Accepts a player's request.
   * @param {string} playerId
   * @returns {Promise<Friendship>}
   */
  accept(playerId) {
    return this.#answer(playerId, "accepted");
  }

  /**
   * Turns a player's request down; they may ask again.
   * @param {string} playerId
   * @returns {Promise<Friendship>}
   */
  reject(playerId) {
    return this.#answer(playerId, "rejected");
  }

  /**
   * Blocks a player, friend or not: they can neither ask nor write.
   * @param {string} playerId
   * @returns {Promise<Friendship>}
   */
  block(playerId) {
    return this.#answer(playerId, "blocked");
  }

  /**
   * Ends a friendship, takes back a request of one's own, or lifts a block of one's own.
   * @param {string} playerId
   * @returns {Promise<void>}
   */
  async remove(playerId) {
    await this.#rest.delete(path`/friends/${playerId}`);
  }

  /**
   * @param {string} playerId
   * @param {string} status
   */
  #answer(playerId, status) {
    return this.#rest.put(path`/friends/${playerId}`, { status });
  }
}
