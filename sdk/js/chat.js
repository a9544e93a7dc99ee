import { Emitter } from "./emitter.js";
import { AsobiError } from "./errors.js";
import { messageFrom, receiptFrom } from "./messages.js";
import { path } from "./rest.js";

/** @typedef {import("./messages.js").Message} Message */

/**
 * Channels: `global:<name>` if the game declares the name, `room:<group id>` for the members of a
 * group, `match:<match id>` for its players, `dm:<player id>:<player id>`.
 *
 * A channel once joined stays so until {@link Chat.leave}, whatever happens to the connection: the
 * server forgets it with the connection, so it is joined again on the next one. What was said
 * meanwhile is in the history.
 *
 * Events: `message` (a {@link Message}, one's own as well) and `message:<channel id>`; `joined`
 * `{channel_id, reconnected}`; `left` `{channel_id, lost, error?}`, with `lost` when the server
 * took the player out or would not let them in again.
 */
export class Chat extends Emitter {
  #socket;
  #rest;
  /** @type {Set<string>} what is to be joined again */
  #channels = new Set();
  /** @type {string | null} whose channels these are */
  #player = null;

  /**
   * @param {import("./socket.js").Socket} socket
   * @param {import("./rest.js").Rest} rest
   */
  constructor(socket, rest) {
    super();
    this.#socket = socket;
    this.#rest = rest;
    socket.on("chat.message", (payload) => {
      const message = messageFrom(payload);
      this.emit("message", message);
      this.emit(`message:${message.channel_id}`, message);
    });
    // Nobody asked: the player may not be there any more, or the channel is no more.
    socket.on("chat.left", ({ channel_id }) => {
      if (this.#channels.delete(channel_id)) this.emit("left", { channel_id, lost: true });
    });
    socket.on("open", ({ player_id }) => {
      if (this.#player !== player_id) this.#channels.clear();
      this.#player = player_id;
      for (const channel of this.#channels) this.#rejoin(channel);
    });
  }

  /** @returns {string[]} the channels that are joined */
  get channels() {
    return [...this.#channels];
  }

  /**
   * The event `message`, with types; of one channel if it is given.
   * @param {(message: Message) => void} listener
   * @param {string} [channelId]
   * @returns {() => void} call it to stop listening
   */
  onMessage(listener, channelId) {
    return this.on(channelId === undefined ? "message" : `message:${channelId}`, listener);
  }

  /**
   * Joins a channel; once more is harmless. Fails with `forbidden` for one this player may not be
   * in, `chat.invalid_channel_id`, `chat.too_many_channels`.
   * @param {string} channelId
   * @returns {Promise<void>}
   */
  async join(channelId) {
    const known = this.#channels.has(channelId);
    this.#channels.add(channelId);
    try {
      await this.#socket.request("chat.join", { channel_id: channelId });
    } catch (error) {
      // What was joined before is only lost if the server says so.
      if (!known || !isOurs(error)) this.#channels.delete(channelId);
      throw error;
    }
    this.emit("joined", { channel_id: channelId, reconnected: false });
  }

  /**
   * Leaves a channel; harmless when it is not joined.
   * @param {string} channelId
   * @returns {Promise<void>}
   */
  async leave(channelId) {
    const joined = this.#channels.delete(channelId);
    // Without a connection the server has forgotten it already.
    if (this.#socket.state === "open") await this.#socket.request("chat.leave", { channel_id: channelId });
    if (joined) this.emit("left", { channel_id: channelId, lost: false });
  }

  /**
   * Says something in a channel, joined or not. Answers once it is written. Fails with
   * `forbidden`, `chat.slow_mode` and `rate_limited` (`details.retry_after` in seconds),
   * `chat.refused` by the game (`details.reason`), `chat.content_too_large`.
   * @param {string} channelId
   * @param {string} content up to 2000 bytes
   * @returns {Promise<import("./messages.js").Receipt>}
   */
  async send(channelId, content) {
    return receiptFrom(await this.#socket.request("chat.send", { channel_id: channelId, content }));
  }

  /**
   * The newest messages, or those before one; oldest first.
   * @param {string} channelId
   * @param {import("./rest.js").Page} [page]
   * @returns {Promise<Message[]>}
   */
  async history(channelId, page) {
    const answer = await this.#rest.get(path`/chat/${channelId}/history`, { query: page });
    return answer.messages.map(messageFrom);
  }

  /** @param {string} channel */
  async #rejoin(channel) {
    try {
      await this.#socket.request("chat.join", { channel_id: channel });
      if (this.#channels.has(channel)) this.emit("joined", { channel_id: channel, reconnected: true });
    } catch (error) {
      // No answer: the next connection has another try.
      if (isOurs(error)) return;
      if (this.#channels.delete(channel)) this.emit("left", { channel_id: channel, lost: true, error });
    }
  }
}

/** Whether an error is of the connection, not the server's word. @param {unknown} error */
function isOurs(error) {
  return error instanceof AsobiError && error.code.startsWith("client.");
}
