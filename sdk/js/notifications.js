import { Emitter } from "./emitter.js";
import { path } from "./rest.js";

/**
 * @typedef {{
 *   id: string, player_id: string, type: string, subject: string,
 *   content: Record<string, any>, read: boolean, sent_at: string,
 * }} Notification
 *   `type` is for a program (`friend_request`, `group_invite`, whatever the game sends), `subject`
 *   for a person, `content` has the particulars; `sent_at` is ISO 8601.
 */

/**
 * What the game and the server have to tell this player. Those that come while nobody is
 * connected wait in the list.
 *
 * Events: `new` (a {@link Notification}).
 */
export class Notifications extends Emitter {
  #rest;

  /**
   * @param {import("./socket.js").Socket} socket
   * @param {import("./rest.js").Rest} rest
   */
  constructor(socket, rest) {
    super();
    this.#rest = rest;
    socket.on("notification.new", (payload) => this.emit("new", payload));
  }

  /**
   * The event `new`, with types.
   * @param {(notification: Notification) => void} listener
   * @returns {() => void} call it to stop listening
   */
  onNew(listener) {
    return this.on("new", listener);
  }

  /**
   * Newest first.
   * @param {import("./rest.js").Page & {read?: boolean}} [filter]
   * @returns {Promise<Notification[]>}
   */
  async list(filter) {
    return (await this.#rest.get("/notifications", { query: filter })).notifications;
  }

  /**
   * @param {string} id
   * @returns {Promise<Notification>}
   */
  markRead(id) {
    return this.#rest.put(path`/notifications/${id}/read`);
  }

  /** @returns {Promise<void>} */
  async markAllRead() {
    await this.#rest.put("/notifications/read");
  }

  /**
   * @param {string} id
   * @returns {Promise<void>}
   */
  async delete(id) {
    await this.#rest.delete(path`/notifications/${id}`);
  }
}
