import { path } from "./rest.js";

/**
 * @typedef {{slot: string, version: number, updated_at: string}} SaveSummary
 *   `version` is 1 at first, one more each time the slot is written; `updated_at` is ISO 8601.
 *
 * @typedef {SaveSummary & {id: string, player_id: string, data: any}} Save
 */

/** Cloud saves: this player's own, in up to 10 named slots, whatever device they play on. */
export class Saves {
  #rest;

  /** @param {import("./rest.js").Rest} rest */
  constructor(rest) {
    this.#rest = rest;
  }

  /**
   * Which slots hold something, by name.
   * @returns {Promise<SaveSummary[]>}
   */
  async list() {
    return (await this.#rest.get("/saves")).saves;
  }

  /**
   * What a slot holds; `save.not_found` if that is nothing.
   * @param {string} slot
   * @returns {Promise<Save>}
   */
  get(slot) {
    return this.#rest.get(path`/saves/${slot}`);
  }

  /**
   * Writes a slot. With a `version`, the one last read or written here, it fails with
   * `save.version_conflict` when another device wrote meanwhile (`details.current_version`);
   * without one the last to write wins. 0 expects an empty slot.
   * @param {string} slot
   * @param {any} data any JSON, up to 256 KiB
   * @param {{version?: number}} [options]
   * @returns {Promise<Save>}
   */
  put(slot, data, options = {}) {
    return this.#rest.put(path`/saves/${slot}`, { data, version: options.version });
  }

  /**
   * Empties a slot.
   * @param {string} slot
   * @returns {Promise<void>}
   */
  async delete(slot) {
    await this.#rest.delete(path`/saves/${slot}`);
  }
}
