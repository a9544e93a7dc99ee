import { Emitter } from "./emitter.js";
import { milliseconds } from "./time.js";

/**
 * @typedef {{player_id: string, status: string, last_seen_at: number | null}} PlayerPresence
 *   `status` is what the player says, `online` if they say nothing, or `offline`; `last_seen_at`,
 *   in Unix milliseconds, is when they last came or went. A change of a player who is online has
 *   none.
 */

/**
 * Who is online and what they do. After connecting there is a change for each friend who is
 * online, so listen before.
 *
 * Events: `changed` (a friend's {@link PlayerPresence}).
 */
export class Presence extends Emitter {
  #socket;
  #rest;
  #status = "online";
  /** @type {string | null} whose status it is */
  #player = null;

  /**
   * @param {import("./socket.js").Socket} socket
   * @param {import("./rest.js").Rest} rest
   */
  constructor(socket, rest) {
    super();
    this.#socket = socket;
    this.#rest = rest;
    socket.on("presence.changed", (payload) => this.emit("changed", presenceFrom(payload)));
    socket.on("open", ({ player_id }) => {
      // The server has forgotten the status together with the last connection.
      if (this.#player !== player_id) this.#status = "online";
      else if (this.#status !== "online") socket.send("presence.update", { status: this.#status });
      this.#player = player_id;
    });
  }

  /** What this player says; it is said again after a reconnect. */
  get status() {
    return this.#status;
  }

  /**
   * The event `changed`, with types.
   * @param {(presence: PlayerPresence) => void} listener
   * @returns {() => void} call it to stop listening
   */
  onChanged(listener) {
    return this.on("changed", listener);
  }

  /**
   * Tells friends what this player does. Fails with `presence.invalid_status`.
   * @param {string} [status] any text of 1 to 64 bytes; `online` if left out
   * @returns {Promise<void>}
   */
  async update(status = "online") {
    await this.#socket.request("presence.update", { status });
    this.#status = status;
  }

  /**
   * How these players are: oneself and friends. Whoever is neither is left out.
   * @param {string[]} playerIds up to 100
   * @returns {Promise<PlayerPresence[]>}
   */
  async of(playerIds) {
    const answer = await this.#rest.get("/presence", { query: { ids: playerIds.join(",") } });
    return answer.presence.map(presenceFrom);
  }
}

/** @param {any} raw @returns {PlayerPresence} */
function presenceFrom({ player_id, status, last_seen_at }) {
  return { player_id, status, last_seen_at: last_seen_at ? milliseconds(last_seen_at) : null };
}
