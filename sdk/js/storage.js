import { path } from "./rest.js";

/**
 * @typedef {"owner" | "public"} Perm
 *
 * @typedef {{
 *   id: string, collection: string, key: string, player_id: string | null, value: any,
 *   version: number, read_perm: Perm, write_perm: Perm, updated_at: string,
 * }} StoredObject
 *   `player_id` is its owner; `version` is 1 at first, one more each time it is written.
 *
 * @typedef {{player_id?: string}} Whose
 *   Whose object is meant, `me` for one's own. Without it: one's own if there is one, else the
 *   oldest that the permissions let one use.
 *
 * @typedef {Whose & {version?: number, read_perm?: Perm, write_perm?: Perm}} PutOptions
 *   `version`, the one last read or written here, makes it fail with `storage.version_conflict`
 *   when somebody wrote meanwhile (`details.current_version`); 0 expects that there is none.
 */

/** Objects by collection and key, owned by a player, with permissions for the others. */
export class Storage {
  #rest;

  /** @param {import("./rest.js").Rest} rest */
  constructor(rest) {
    this.#rest = rest;
  }

  /**
   * The objects of a collection that this player may read, newest first. `next_before` is the
   * `before` of the next page, null when this was the last.
   * @param {string} collection
   * @param {import("./rest.js").Page} [page]
   * @returns {Promise<{objects: StoredObject[], next_before: string | null}>}
   */
  list(collection, page) {
    return this.#rest.get(path`/storage/${collection}`, { query: page });
  }

  /**
   * Fails with `storage.not_found`, or `storage.forbidden` if there is one for somebody else.
   * @param {string} collection
   * @param {string} key
   * @param {Whose} [whose]
   * @returns {Promise<StoredObject>}
   */
  get(collection, key, whose) {
    return this.#rest.get(path`/storage/${collection}/${key}`, { query: whose });
  }

  /**
   * Writes the object the key means, or a new one of this player's. The owner says who may read
   * and write it each time: what is left out is `owner`, but stays while everybody may write it.
   * What others say of it does not count.
   * @param {string} collection
   * @param {string} key
   * @param {any} value any JSON, up to 256 KiB
   * @param {PutOptions} [options]
   * @returns {Promise<StoredObject>}
   */
  put(collection, key, value, { player_id, ...options } = {}) {
    return this.#rest.put(path`/storage/${collection}/${key}`, { value, ...options }, { query: { player_id } });
  }

  /**
   * @param {string} collection
   * @param {string} key
   * @param {Whose} [whose]
   * @returns {Promise<void>}
   */
  async delete(collection, key, whose) {
    await this.#rest.delete(path`/storage/${collection}/${key}`, { query: whose });
  }
}
