import { Emitter } from "./emitter.js";
import { AsobiError } from "./errors.js";

/**
 * @typedef {{
 *   vote_id: string, options: {id: string, label?: string}[], method: string, window_ms: number,
 *   template?: string, visibility?: "live" | "hidden", veto_enabled?: boolean,
 *   endsAt: number, tallies: Record<string, number>, total_votes: number,
 *   mine: string | string[] | null,
 * }} Vote
 *   `endsAt` is in milliseconds of this machine's clock; `mine` is the ballot cast here.
 */

/**
 * Votes of the match this player is in. Several can be open at once; where no id is given the
 * newest is meant.
 *
 * Events: `start` (a {@link Vote}), `tally` (the vote, updated), `result` (the server's result),
 * `vetoed`.
 */
export class Votes extends Emitter {
  #socket;
  /** @type {Map<string, Vote>} */
  #open = new Map();

  /** @param {import("./socket.js").Socket} socket */
  constructor(socket) {
    super();
    this.#socket = socket;
    socket.on("match.vote_start", (payload) => {
      // After a reconnect the server sends an open vote again: what we cast still stands.
      const known = this.#open.get(payload.vote_id);
      /** @type {Vote} */
      const vote = {
        tallies: {},
        total_votes: 0,
        mine: null,
        ...known,
        ...payload,
        endsAt: Date.now() + (payload.window_ms ?? 0),
      };
      this.#open.delete(vote.vote_id);
      this.#open.set(vote.vote_id, vote);
      this.emit("start", vote);
    });
    socket.on("match.vote_tally", (payload) => {
      const vote = this.#open.get(payload.vote_id);
      if (!vote) return;
      vote.tallies = payload.tallies ?? {};
      vote.total_votes = payload.total_votes ?? 0;
      if (typeof payload.time_remaining_ms === "number") vote.endsAt = Date.now() + payload.time_remaining_ms;
      this.emit("tally", vote);
    });
    socket.on("match.vote_result", (payload) => {
      this.#open.delete(payload.vote_id);
      this.emit("result", payload);
    });
    socket.on("match.vote_vetoed", (payload) => {
      this.#open.delete(payload.vote_id);
      this.emit("vetoed", payload);
    });
    const forget = () => this.#open.clear();
    socket.on("match.finished", forget);
    socket.on("match.left", forget);
  }

  /** @returns {Vote | null} the newest open vote */
  get current() {
    return [...this.#open.values()].at(-1) ?? null;
  }

  /**
   * Casts a ballot, or changes it.
   * @param {string | string[]} choice an option's id; for approval votes a list of those approved,
   *   for ranked votes a list with the first choice first
   * @param {string} [voteId]
   * @returns {Promise<void>}
   */
  async cast(choice, voteId) {
    const vote = this.#find(voteId);
    const ballot = Array.isArray(choice) ? [...choice] : choice;
    await this.#socket.request("vote.cast", { vote_id: vote.vote_id, option_id: ballot });
    vote.mine = ballot;
  }

  /**
   * Cancels the vote at the price of a veto token, where the vote allows it (`veto_enabled`).
   * @param {string} [voteId]
   * @returns {Promise<void>}
   */
  async veto(voteId) {
    await this.#socket.request("vote.veto", { vote_id: this.#find(voteId).vote_id });
  }

  /** @param {string} [voteId] @returns {Vote} */
  #find(voteId) {
    const vote = voteId === undefined ? this.current : this.#open.get(voteId);
    if (!vote) throw new AsobiError("vote.not_found", "There is no such vote open");
    return vote;
  }
}
