import { Emitter } from "./emitter.js";
import { messageFrom, receiptFrom } from "./messages.js";
import { path } from "./rest.js";

/** Ids of messages remembered. The server hands over 200 at most on connecting. */
const REMEMBERED = 500;

/** @typedef {import("./messages.js").Message} Message */

/**
 * Messages from one player to another. Those that come while the recipient is away are handed
 * over when they connect, so listen before connecting.
 *
 * Events: `message` (a {@link Message} to this player, each once: by its id, since the server
 * sends one again when it cannot know whether it arrived, and twice to whoever has joined the
 * channel of the two).
 */
export class DirectMessages extends Emitter {
  #socket;
  #rest;
  /** @type {Set<string>} */
  #seen = new Set();

  /**
   * @param {import("./socket.js").Socket} socket
   * @param {import("./rest.js").Rest} rest
   * @param {import("./auth.js").Auth} auth
   */
  constructor(socket, rest, auth) {
    super();
    this.#socket = socket;
    this.#rest = rest;
    socket.on("dm.message", (payload) => this.#receive(payload));
    socket.on("chat.message", (payload) => {
      // In the channel of the two one hears oneself too.
      if (payload.channel_id.startsWith("dm:") && payload.sender_id !== auth.playerId) this.#receive(payload);
    });
  }

  /**
   * The event `message`, with types.
   * @param {(message: Message) => void} listener
   * @returns {() => void} call it to stop listening
   */
  onMessage(listener) {
    return this.on("message", listener);
  }

  /**
   * Writes to a player, online or not; over REST when there is no connection. Answers once it is
   * written. Fails with `dm.blocked` when either has blocked the other, `dm.recipient_not_found`,
   * `dm.content_too_large`, `rate_limited` (`details.retry_after` in seconds), `chat.refused` by
   * the game.
   * @param {string} playerId
   * @param {string} content up to 2000 bytes
   * @returns {Promise<import("./messages.js").Receipt>}
   */
  async send(playerId, content) {
    const message = { recipient_id: playerId, content };
    const open = this.#socket.state === "open";
    return receiptFrom(await (open ? this.#socket.request("dm.send", message) : this.#rest.post("/dm", message)));
  }

  /**
   * The newest messages between this player and another, or those before one; oldest first.
   * @param {string} playerId
   * @param {import("./rest.js").Page} [page]
   * @returns {Promise<Message[]>}
   */
  async history(playerId, page) {
    const answer = await this.#rest.get(path`/dm/${playerId}/history`, { query: page });
    return answer.messages.map(messageFrom);
  }

  /** @param {any} payload */
  #receive(payload) {
    const message = messageFrom(payload);
    if (this.#seen.has(message.id)) return;
    this.#seen.add(message.id);
    const [oldest] = this.#seen;
    if (this.#seen.size > REMEMBERED) this.#seen.delete(oldest);
    this.emit("message", message);
  }
}
