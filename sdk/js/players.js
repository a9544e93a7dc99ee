import { path } from "./rest.js";

/**
 * A player as everybody sees them.
 * @typedef {{
 *   id: string, username: string, display_name: string, avatar_url: string | null,
 *   metadata: Record<string, any>, online: boolean, last_seen_at: string | null,
 *   inserted_at: string, updated_at: string, stats: PlayerStats | null,
 * }} Profile
 *   Times are ISO 8601; `stats` is null before the first match.
 *
 * @typedef {{games_played: number, wins: number, losses: number, rating: number}} PlayerStats
 *
 * @typedef {{display_name?: string, avatar_url?: string | null, metadata?: Record<string, any>}} ProfileChange
 *   `display_name`: 1 to 64 characters; `avatar_url`: `https`, or null for none; `metadata`: up to
 *   16 KB, replaces what was there.
 */

/** Profiles. To erase the account that is signed in, see `Auth.erase`. */
export class Players {
  #rest;

  /** @param {import("./rest.js").Rest} rest */
  constructor(rest) {
    this.#rest = rest;
  }

  /**
   * A player's profile; without an id one's own.
   * @param {string} [playerId]
   * @returns {Promise<Profile>}
   */
  get(playerId = "me") {
    return this.#rest.get(path`/players/${playerId}`);
  }

  /**
   * Changes one's own profile. What is left out stays. Fields that are not valid are named in the
   * error's `details` (`validation_failed`).
   * @param {ProfileChange} change
   * @returns {Promise<Profile>}
   */
  update(change) {
    return this.#rest.put("/players/me", change);
  }
}
