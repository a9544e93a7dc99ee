import { Emitter } from "./emitter.js";

/**
 * @typedef {{ticket_id: string, status: string, players_needed: number | null, already_queued: boolean}} Ticket
 * @typedef {{mode: string, waiting: number, players_needed: number, bots_in_ms: number | null}} QueueStatus
 */

/**
 * Waiting for a match. A ticket survives a dropped connection: it is handed in again, and the
 * server takes it for the one it knows.
 *
 * Events: `queued` (a {@link Ticket}), `update` (a {@link QueueStatus}, for modes that send it),
 * `matched` (`{match_id, players}`), `expired`, `failed`, `removed`.
 */
export class Matchmaker extends Emitter {
  #socket;
  /** @type {Ticket | null} */
  #ticket = null;
  /** @type {{mode: string, properties?: object} | null} */
  #wanted = null;

  /** @param {import("./socket.js").Socket} socket */
  constructor(socket) {
    super();
    this.#socket = socket;
    socket.on("matchmaker.update", (payload) => this.emit("update", payload));
    socket.on("match.matched", (payload) => {
      this.#forget();
      this.emit("matched", payload);
    });
    socket.on("match.matchmaker_expired", (payload) => {
      if (this.#ticket && payload?.ticket_id && payload.ticket_id !== this.#ticket.ticket_id) return;
      this.#forget();
      this.emit("expired", payload);
    });
    socket.on("match.matchmaker_failed", (payload) => {
      this.#forget();
      this.emit("failed", payload);
    });
    socket.on("open", (hello) => {
      const wanted = this.#wanted;
      if (!wanted) return;
      // Matched while the line was down: the match is where we are now.
      if (hello.match_id) this.#forget();
      else if (hello.resumed) this.add(wanted).catch((error) => this.emit("failed", { reason: error.code }));
    });
  }

  /** @returns {Ticket | null} the ticket that waits, if one does */
  get ticket() {
    return this.#ticket;
  }

  /**
   * Queues. Queuing again for the same mode gives the same ticket.
   * @param {{mode: string, properties?: object}} request
   * @returns {Promise<Ticket>}
   */
  async add(request) {
    this.#wanted = request;
    try {
      const ticket = await this.#socket.request("matchmaker.add", { properties: {}, ...request });
      // The answer can come after the match: then there is nothing left to wait for.
      if (this.#wanted === request) {
        this.#ticket = ticket;
        this.emit("queued", ticket);
      }
      return ticket;
    } catch (error) {
      if (this.#wanted === request && /** @type {any} */ (error).code !== "client.closed") this.#forget();
      throw error;
    }
  }

  /** Stops waiting. @returns {Promise<void>} */
  async remove() {
    const ticket = this.#ticket;
    this.#forget();
    if (!ticket) return;
    await this.#socket.request("matchmaker.remove", { ticket_id: ticket.ticket_id });
    this.emit("removed", ticket);
  }

  #forget() {
    this.#ticket = null;
    this.#wanted = null;
  }
}
