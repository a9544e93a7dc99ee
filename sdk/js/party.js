import { Emitter } from "./emitter.js";

/**
 * @typedef {{
 *   party_id: string, leader: string, members: {player_id: string, connected: boolean}[],
 *   invited: string[], max_members: number,
 *   ticket: {ticket_id: string, mode: string, submitted_at: number} | null,
 * }} PartyView
 * @typedef {{party_id: string, from: string, leader: string, members: string[], expires_at: string}} Invitation
 */

/**
 * Players who stay together and queue as one. Chat is the channel `party:<id>`.
 *
 * Events: `updated` (a {@link PartyView}: roster, leader, invitations, ticket), `invited` (an
 * {@link Invitation}), `queued` (a ticket of the whole party), `left` (`{party_id, kicked}`: we
 * are out), `disbanded` (`{party_id}`: we were invited there, and it is no more).
 */
export class Party extends Emitter {
  #socket;
  /** @type {PartyView | null} */
  #party = null;

  /** @param {import("./socket.js").Socket} socket */
  constructor(socket) {
    super();
    this.#socket = socket;
    socket.on("party.updated", (payload) => this.#take(payload));
    socket.on("party.invited", (payload) => this.emit("invited", payload));
    socket.on("party.queued", (payload) => this.emit("queued", payload));
    socket.on("party.disbanded", (payload) => this.emit("disbanded", payload));
    socket.on("party.kicked", (payload) => this.#lose({ ...payload, kicked: true }));
  }

  /** @returns {PartyView | null} the party we are in, as last heard of */
  get current() {
    return this.#party;
  }

  /** Makes a party of us alone. @returns {Promise<PartyView>} */
  async create() {
    return this.#take(await this.#socket.request("party.create", {}));
  }

  /** Asks a player to come. @param {string} playerId @returns {Promise<PartyView>} */
  async invite(playerId) {
    return this.#take(await this.#socket.request("party.invite", { player_id: playerId }));
  }

  /** Takes an invitation up. @param {string} partyId @returns {Promise<PartyView>} */
  async accept(partyId) {
    return this.#take(await this.#socket.request("party.accept", { party_id: partyId }));
  }

  /** Turns an invitation down. @param {string} partyId */
  async decline(partyId) {
    await this.#socket.request("party.decline", { party_id: partyId });
  }

  /** Leaves. A leader hands over. */
  async leave() {
    const party = this.#party;
    await this.#socket.request("party.leave", {});
    this.#lose({ party_id: party?.party_id, kicked: false });
  }

  /** Takes another member out (leader only). @param {string} playerId @returns {Promise<PartyView>} */
  async kick(playerId) {
    return this.#take(await this.#socket.request("party.kick", { player_id: playerId }));
  }

  /** Makes another member the leader. @param {string} playerId @returns {Promise<PartyView>} */
  async promote(playerId) {
    return this.#take(await this.#socket.request("party.promote", { player_id: playerId }));
  }

  /**
   * Queues the whole party (leader only). It waits for one mode at a time.
   * @param {{mode: string, properties?: object}} request
   * @returns {Promise<import("./matchmaker.js").Ticket>}
   */
  async queue(request) {
    return this.#socket.request("party.queue", request);
  }

  /** Takes the party's ticket back; any member may. @returns {Promise<PartyView>} */
  async cancel() {
    return this.#take(await this.#socket.request("party.cancel", {}));
  }

  /** @param {PartyView} party */
  #take(party) {
    this.#party = party;
    this.emit("updated", party);
    return party;
  }

  /** @param {{party_id?: string, kicked: boolean}} how */
  #lose(how) {
    this.#party = null;
    this.emit("left", how);
  }
}
