import { AsobiError } from "./errors.js";

/**
 * @typedef {{
 *   query?: Record<string, string | number | boolean | undefined>,
 *   body?: unknown,
 *   auth?: boolean,
 *   token?: string,
 *   timeout?: number,
 * }} RestOptions
 *   `auth: false` sends no token, `token` sends that one and no other; `timeout` is in
 *   milliseconds.
 *
 * A part of a list.
 * @typedef {{limit?: number, before?: string}} Page
 *   `limit`: most rows, 1 to 200 (50); `before`: only rows older than this id, the last (of
 *   messages the first) of the page before.
 */

/**
 * Requests to the server's REST routes. A request that fails because the access token has
 * expired is made once more with a fresh one.
 */
export class Rest {
  #base;
  #fetch;
  #timeout;
  /** @type {import("./auth.js").Auth | undefined} */
  #auth;

  /**
   * @param {string} base the server's address, e.g. `https://play.example`
   * @param {{fetch?: typeof fetch, timeout?: number}} [options]
   */
  constructor(base, options = {}) {
    this.#base = base.replace(/\/+$/, "");
    // A bare `fetch` must not be called as a method of this object.
    const given = options.fetch;
    this.#fetch = given ?? ((/** @type {any} */ url, /** @type {any} */ init) => fetch(url, init));
    this.#timeout = options.timeout ?? 15_000;
  }

  /** @param {import("./auth.js").Auth} auth where tokens come from */
  useAuth(auth) {
    this.#auth = auth;
  }

  /** @param {string} path @param {RestOptions} [options] @returns {Promise<any>} */
  get(path, options) {
    return this.request("GET", path, options);
  }

  /** @param {string} path @param {unknown} [body] @param {RestOptions} [options] @returns {Promise<any>} */
  post(path, body, options) {
    return this.request("POST", path, { ...options, body: body ?? {} });
  }

  /** @param {string} path @param {unknown} [body] @param {RestOptions} [options] @returns {Promise<any>} */
  put(path, body, options) {
    return this.request("PUT", path, { ...options, body: body ?? {} });
  }

  /** @param {string} path @param {RestOptions} [options] @returns {Promise<any>} */
  delete(path, options) {
    return this.request("DELETE", path, options);
  }

  /**
   * @param {string} method
   * @param {string} path below `/api/v1`, or a full path starting with `/api/`
   * @param {RestOptions} [options]
   * @returns {Promise<any>} the answer's JSON
   */
  async request(method, path, options = {}) {
    const auth = options.auth === false || options.token ? undefined : this.#auth;
    const token = options.token ?? auth?.session?.access_token;
    try {
      return await this.#once(method, path, options, token);
    } catch (error) {
      // Other codes with a 401 are about what was sent along, such as a provider's token.
      const expired = error instanceof AsobiError && error.code === "unauthenticated";
      if (!auth || !token || !expired) throw error;
      const fresh = await auth.freshToken(token);
      return this.#once(method, path, options, fresh);
    }
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {RestOptions} options
   * @param {string | undefined} token
   */
  async #once(method, path, options, token) {
    const url = this.#base + (path.startsWith("/api/") ? path : `/api/v1${path}`) + queryOf(options.query);
    /** @type {Record<string, string>} */
    const headers = { accept: "application/json" };
    if (options.body !== undefined) headers["content-type"] = "application/json";
    if (token) headers.authorization = `Bearer ${token}`;
    let response;
    let text;
    try {
      response = await this.#fetch(url, {
        method,
        headers,
        body: options.body === undefined ? undefined : JSON.stringify(options.body),
        signal: AbortSignal.timeout(options.timeout ?? this.#timeout),
      });
      text = await response.text();
    } catch (cause) {
      const late = cause instanceof Error && cause.name === "TimeoutError";
      throw new AsobiError(
        late ? "client.timeout" : "client.network",
        late ? `${method} ${path}: no answer in time` : `${method} ${path}: the server could not be reached`,
        { cause },
      );
    }
    let body = null;
    if (text !== "") {
      try {
        body = JSON.parse(text);
      } catch (cause) {
        if (response.ok) {
          throw new AsobiError("client.bad_answer", `${method} ${path}: the answer is not JSON`, {
            status: response.status,
            cause,
          });
        }
      }
    }
    if (!response.ok) throw AsobiError.fromResponse(response.status, body);
    return body;
  }
}

/**
 * A path whose variable parts may hold anything: path`/friends/${id}`.
 * @param {TemplateStringsArray} parts
 * @param {...string} values
 */
export function path(parts, ...values) {
  return String.raw({ raw: parts }, ...values.map(encodeURIComponent));
}

/** @param {RestOptions["query"]} query */
function queryOf(query) {
  if (!query) return "";
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) params.set(name, String(value));
  }
  const text = params.toString();
  return text && `?${text}`;
}
