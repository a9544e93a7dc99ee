import { Emitter } from "./emitter.js";

/**
 * @typedef {{
 *   match_id: string, mode: string, status: string, player_count: number, max_players: number,
 *   players: string[], listed: boolean, joinable: boolean, reconnected?: boolean,
 * }} MatchInfo
 */

/** Frames under `match.` that are not the game's own. */
const BUILT_IN = new Set([
  "list", "joined", "left", "matched", "matchmaker_expired", "matchmaker_failed", "state", "finished",
  "phase_changed", "vote_start", "vote_tally", "vote_result", "vote_vetoed", "input", "join", "leave",
]);

/**
 * The match this player is in.
 *
 * Events: `joined` (`{match_id, ...}`, by whatever way: matched, joined, or back after a drop),
 * `state`, `finished` (`{match_id, result}`), `left`, `phase_changed`; and the game's own:
 * `event` with name and payload for each, and `event:<name>` with the payload.
 */
export class Match extends Emitter {
  #socket;
  /** @type {string | null} */
  #id = null;
  /** @type {Partial<MatchInfo> | null} */
  #info = null;
  /** @type {any} */
  #state = null;
  #interval;
  /** @type {object | null} */
  #waitingInput = null;
  /** @type {any} */
  #inputTimer = null;
  #lastInput = 0;

  /**
   * @param {import("./socket.js").Socket} socket
   * @param {{inputsPerSecond?: number}} [options]
   */
  constructor(socket, options = {}) {
    super();
    this.#socket = socket;
    this.#interval = 1000 / (options.inputsPerSecond ?? 20);
    socket.on("match.matched", (payload) => this.#enter({ ...payload, players: payload.players ?? payload.player_ids }));
    socket.on("match.joined", (payload) => this.#enter(payload));
    socket.on("match.state", (payload) => {
      this.#state = payload;
      this.emit("state", payload);
    });
    socket.on("match.finished", (payload) => {
      this.#exit();
      this.emit("finished", payload);
    });
    socket.on("match.left", (payload) => {
      this.#exit();
      this.emit("left", payload);
    });
    socket.on("match.phase_changed", (payload) => this.emit("phase_changed", payload));
    socket.on("open", (hello) => {
      // Back without a match: it ended or gave the place away while the line was down.
      if (this.#id && !hello.match_id) {
        this.#exit();
        this.emit("left", { success: true, lost: true });
      }
    });
    socket.on("*", ({ type, payload }) => {
      if (!type.startsWith("match.")) return;
      const name = type.slice("match.".length);
      if (BUILT_IN.has(name)) return;
      this.emit("event", name, payload);
      this.emit(`event:${name}`, payload);
    });
  }

  /** @returns {string | null} */
  get id() {
    return this.#id;
  }

  /** @returns {Partial<MatchInfo> | null} what the server said when we got in */
  get info() {
    return this.#info;
  }

  /** @returns {any} the newest state */
  get state() {
    return this.#state;
  }

  /**
   * @param {string} matchId
   * @param {Record<string, string | number | boolean>} [ctx] for the game's `join`: a code, a team
   * @returns {Promise<MatchInfo>}
   */
  join(matchId, ctx) {
    return this.#socket.request("match.join", ctx ? { match_id: matchId, ctx } : { match_id: matchId });
  }

  /**
   * A running match of the mode, or a new one, for modes that allow it.
   * @param {string} mode
   * @returns {Promise<MatchInfo>}
   */
  findOrCreate(mode) {
    return this.#socket.request("match.find_or_create", { mode });
  }

  /**
   * @param {{mode?: string, has_capacity?: boolean, joinable?: boolean}} [filter]
   * @returns {Promise<MatchInfo[]>}
   */
  async list(filter = {}) {
    return (await this.#socket.request("match.list", filter)).matches ?? [];
  }

  /** Leaves; harmless when there is nothing to leave. */
  leave() {
    return this.#socket.request("match.leave");
  }

  /**
   * What the player does now. At most so many a second are sent: of those that come too fast
   * the newest is sent when its time has come, the others are dropped. Right for "this is how I
   * steer"; for what must not get lost use {@link Match.send}.
   * @param {object} input
   */
  input(input) {
    this.#waitingInput = input;
    if (this.#inputTimer !== null) return;
    const wait = this.#lastInput + this.#interval - Date.now();
    if (wait <= 0) this.#sendInput();
    else this.#inputTimer = setTimeout(() => this.#sendInput(), wait);
  }

  /**
   * An input that is sent at once and on its own.
   * @param {object} input
   * @returns {boolean} whether there was a connection to send it on
   */
  send(input) {
    return this.#socket.send("match.input", input);
  }

  #sendInput() {
    clearTimeout(this.#inputTimer);
    this.#inputTimer = null;
    const input = this.#waitingInput;
    this.#waitingInput = null;
    if (input === null) return;
    this.#lastInput = Date.now();
    this.send(input);
  }

  /** @param {any} info */
  #enter(info) {
    if (this.#id !== info.match_id) this.#state = null;
    this.#id = info.match_id;
    this.#info = info;
    this.emit("joined", info);
  }

  #exit() {
    clearTimeout(this.#inputTimer);
    this.#inputTimer = null;
    this.#waitingInput = null;
    this.#id = null;
    this.#info = null;
  }
}
