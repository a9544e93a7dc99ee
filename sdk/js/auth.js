import { clearDevice, loadOrCreateDevice } from "./device.js";
import { Emitter } from "./emitter.js";
import { AsobiError } from "./errors.js";

/**
 * Who is signed in, and with what.
 * @typedef {{
 *   player_id: string,
 *   username: string,
 *   access_token: string,
 *   refresh_token: string,
 *   guest: boolean,
 *   created: boolean,
 * }} Session
 *   `created` is true when this sign-in made the account.
 */

/** Where a session is kept when the client was made with `persistSession`. */
export const SESSION_KEY = "asobi.session";

/**
 * Signing in and staying signed in.
 *
 * Events: `session` (a new {@link Session}, or `null` after signing out).
 */
export class Auth extends Emitter {
  #rest;
  #store;
  #slot;
  #persist;
  /** @type {Session | null} */
  #session = null;
  /** @type {Promise<string> | null} */
  #refreshing = null;
  /** @type {import("./device.js").DevicePair | null} the pair of the guest who is signed in */
  #device = null;

  /**
   * @param {import("./rest.js").Rest} rest
   * @param {{store: import("./device.js").Store, slot?: string | number, persistSession?: boolean}} options
   */
  constructor(rest, options) {
    super();
    this.#rest = rest;
    this.#store = options.store;
    this.#slot = options.slot;
    this.#persist = options.persistSession ?? false;
    if (this.#persist) this.#session = this.#load();
  }

  /** @returns {Session | null} */
  get session() {
    return this.#session;
  }

  /** @returns {string | null} */
  get playerId() {
    return this.#session?.player_id ?? null;
  }

  /**
   * A new account. Fields that are not valid are named in the error's `details`.
   * @param {string} username
   * @param {string} password
   */
  register(username, password) {
    return this.#signIn("/auth/register", { username, password });
  }

  /**
   * @param {string} username
   * @param {string} password
   */
  login(username, password) {
    return this.#signIn("/auth/login", { username, password });
  }

  /**
   * Plays without an account: makes a guest of this device, or resumes the one it has.
   * @param {import("./device.js").DevicePair} [device] a pair to use instead of the stored one
   */
  async guest(device) {
    const pair = device ?? loadOrCreateDevice(this.#store, this.#slot);
    const session = await this.#signIn("/auth/guest", pair);
    this.#device = pair;
    return session;
  }

  /**
   * Signs in whom a provider vouches for, and makes an account the first time. Fails with
   * `auth.unsupported_provider` for one the server is not set up for, `auth.provider_rejected`
   * (`details.reason`).
   * @param {string} provider e.g. `google`, `apple`, `discord`, `steam`
   * @param {string} token what the provider gave this client: an ID token, or a Steam ticket in hex
   */
  oauth(provider, token) {
    return this.#signIn("/auth/oauth", { provider, token });
  }

  /**
   * Lets the player sign in through one more provider; linking it again is harmless. A guest is
   * one no longer, and their device still signs them in. Fails as {@link Auth.oauth}, and with
   * `auth.provider_already_linked` when it is another player's.
   * @param {string} provider
   * @param {string} token
   * @returns {Promise<{provider: string, provider_uid: string, linked: boolean}>}
   */
  async link(provider, token) {
    const linked = await this.#rest.post("/auth/link", { provider, token });
    const session = this.#session;
    if (session?.guest) {
      // The same object: a refresh under way knows by it that nobody else has signed in.
      session.guest = false;
      this.#set(session);
    }
    return linked;
  }

  /**
   * Takes a provider off the account. Fails with `auth.identity_not_found`, and with
   * `auth.last_auth_method` when there would be no way left to sign in.
   * @param {string} provider
   * @returns {Promise<void>}
   */
  async unlink(provider) {
    await this.#rest.delete("/auth/unlink", { query: { provider } });
  }

  /**
   * Erases the account that is signed in and everything of it, for good. One that has a password
   * needs it: `missing_field` without it, `player.confirmation_failed` for a wrong one. Then
   * nothing was deleted.
   * @param {string} [password]
   * @returns {Promise<void>}
   */
  async erase(password) {
    const { playerId } = this;
    const device = this.#device;
    const guest = this.#session?.guest;
    // Whatever else is refused meanwhile must not come back as a new guest.
    this.#device = null;
    try {
      await this.#rest.post("/players/me/erase", { password });
    } catch (error) {
      this.#device = device;
      throw error;
    }
    if (guest) clearDevice(this.#store, this.#slot);
    if (this.playerId === playerId) this.#set(null);
  }

  /**
   * Makes the guest who is signed in a real account. Progress stays; the device pair is dead
   * afterwards and forgotten.
   * @param {string} username
   * @param {string} password
   */
  async upgrade(username, password) {
    const body = await this.#rest.post("/auth/guest/upgrade", { username, password });
    clearDevice(this.#store, this.#slot);
    this.#device = null;
    return this.#accept(body, false);
  }

  /**
   * Signs out. The tokens are dead on the server as well, if it can be reached; the device pair
   * stays, so that the same guest can come back.
   */
  async logout() {
    const session = this.#session;
    this.#device = null;
    this.#set(null);
    if (!session) return;
    try {
      await this.#rest.request("POST", "/auth/logout", {
        body: { refresh_token: session.refresh_token },
        token: session.access_token,
      });
    } catch {
      // Signed out here either way.
    }
  }

  /**
   * A token to use instead of one that was refused. However many callers ask at once, the
   * refresh token, which is good for one use, is used once.
   * @param {string} [refused] the token that did not work
   * @returns {Promise<string>}
   */
  freshToken(refused) {
    const session = this.#session;
    if (!session) {
      return Promise.reject(new AsobiError("client.signed_out", "Nobody is signed in"));
    }
    // Somebody else was faster.
    if (refused !== undefined && session.access_token !== refused) {
      return Promise.resolve(session.access_token);
    }
    this.#refreshing ??= this.#renew(session).finally(() => {
      this.#refreshing = null;
    });
    return this.#refreshing;
  }

  /**
   * Exchanges the refresh token for a new pair, now.
   * @returns {Promise<Session>}
   */
  async refresh() {
    await this.freshToken();
    if (!this.#session) throw new AsobiError("client.signed_out", "Nobody is signed in");
    return this.#session;
  }

  /** @param {Session} session */
  async #renew(session) {
    try {
      return await this.#exclusively(async () => {
        // Another window of this browser may have done it; its pair is the valid one.
        const kept = this.#persist ? this.#load() : null;
        if (kept && kept.player_id === session.player_id && kept.refresh_token !== session.refresh_token) {
          this.#set(kept);
          return kept.access_token;
        }
        const body = await this.#rest.request("POST", "/auth/refresh", {
          body: { refresh_token: session.refresh_token },
          auth: false,
        });
        // Signed in as somebody else, or out, while the answer was on its way: that stands.
        if (this.#session !== session) {
          if (this.#session) return this.#session.access_token;
          throw new AsobiError("client.signed_out", "Nobody is signed in");
        }
        const renewed = sessionFrom({ ...session, ...body }, session.guest);
        this.#set(renewed);
        return renewed.access_token;
      });
    } catch (error) {
      if (!(error instanceof AsobiError) || error.status !== 401) throw error;
      // The refresh token is spent or revoked. A guest can sign in again without being asked.
      if (this.#session === session) {
        if (this.#device) return (await this.guest(this.#device)).access_token;
        this.#set(null);
      }
      throw error;
    }
  }

  /**
   * Runs `work` while no other window of this browser runs its own, where that can be had.
   * @template T
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   */
  async #exclusively(work) {
    const locks = this.#persist ? globalThis.navigator?.locks : undefined;
    return locks ? await locks.request(this.#sessionKey(), work) : await work();
  }

  /**
   * @param {string} path
   * @param {object} body
   */
  async #signIn(path, body) {
    const answer = await this.#rest.request("POST", path, { body, auth: false });
    this.#device = null;
    return this.#accept(answer, answer?.guest === true);
  }

  /**
   * @param {any} body
   * @param {boolean} guest
   */
  #accept(body, guest) {
    const session = sessionFrom(body, guest);
    this.#set(session);
    return session;
  }

  /** @param {Session | null} session */
  #set(session) {
    this.#session = session;
    if (this.#persist) {
      if (session) this.#store.setItem(this.#sessionKey(), JSON.stringify(session));
      else this.#store.removeItem(this.#sessionKey());
    }
    this.emit("session", session);
  }

  #load() {
    try {
      const kept = JSON.parse(this.#store.getItem(this.#sessionKey()) ?? "null");
      return kept ? sessionFrom(kept, kept.guest === true) : null;
    } catch {
      return null;
    }
  }

  #sessionKey() {
    return this.#slot === undefined ? SESSION_KEY : `${SESSION_KEY}.${this.#slot}`;
  }
}

/**
 * @param {any} body
 * @param {boolean} guest
 * @returns {Session}
 */
function sessionFrom(body, guest) {
  const access = body?.access_token ?? body?.session_token;
  if (typeof access !== "string" || typeof body?.refresh_token !== "string") {
    throw new AsobiError("client.bad_answer", "The server's answer has no tokens");
  }
  return {
    player_id: String(body.player_id),
    username: String(body.username ?? ""),
    access_token: access,
    refresh_token: body.refresh_token,
    guest,
    created: body.created === true,
  };
}
