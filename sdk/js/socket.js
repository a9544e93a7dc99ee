import { Emitter } from "./emitter.js";
import { AsobiError } from "./errors.js";

/**
 * The part of a WebSocket this library uses; the browser's, Node's (22 and newer) and the one
 * of the `ws` package have it.
 * @typedef {{new (url: string): any}} WebSocketClass
 *
 * @typedef {{type: string, payload: any, cid?: string}} Frame
 *
 * @typedef {{
 *   WebSocket?: WebSocketClass,
 *   heartbeat?: number,
 *   timeout?: number,
 *   backoff?: {first?: number, most?: number},
 *   reconnect?: boolean,
 * }} SocketOptions
 *   Times in milliseconds: `heartbeat` between two signs of life (20000), `timeout` for an
 *   answer (10000), `backoff.first` (400) and `backoff.most` (10000) before a new attempt.
 */

/** Reasons after which a new attempt would end the same way. */
const FINAL_REASONS = new Set(["origin_rejected", "banned", "kicked", "session_displaced", "account_erased"]);

/**
 * One connection that stays: it authenticates, keeps itself alive, and comes back after a drop.
 *
 * Every frame of the server is an event by its type, with its payload and the frame itself, and
 * also the event `*` with the frame. Beside those:
 *
 * - `open` `{player_id, match_id?, resumed}`: authenticated; `resumed` after a drop
 * - `close` `{code, reason}`: the connection is gone
 * - `reconnecting` `{attempt, delay, reason}`: a new attempt follows in `delay` ms
 * - `failed` an {@link AsobiError}: it is gone for good, no attempt follows
 * - `error` an {@link AsobiError}: the server refused something nobody waits for
 */
export class Socket extends Emitter {
  #url;
  #auth;
  #options;
  /** @type {any} */
  #ws = null;
  /** @type {"closed" | "connecting" | "open" | "waiting"} */
  #state = "closed";
  #nextCid = 1;
  /** @type {Map<string, {resolve: (payload: any) => void, reject: (error: Error) => void, timer: any}>} */
  #pending = new Map();
  /** @type {{resolve: (payload: any) => void, reject: (error: Error) => void, promise: Promise<any>} | null} */
  #opening = null;
  #attempt = 0;
  #everOpen = false;
  /** @type {any} */
  #retryTimer = null;
  /** @type {any} */
  #heartbeatTimer = null;
  #roundTrip = 0;
  #clockOffset = 0;

  /**
   * @param {string} url e.g. `wss://play.example/ws`
   * @param {import("./auth.js").Auth} auth
   * @param {SocketOptions} [options]
   */
  constructor(url, auth, options = {}) {
    super();
    this.#url = url;
    this.#auth = auth;
    this.#options = {
      WebSocket: options.WebSocket ?? /** @type {any} */ (globalThis).WebSocket,
      heartbeat: options.heartbeat ?? 20_000,
      timeout: options.timeout ?? 10_000,
      first: options.backoff?.first ?? 400,
      most: options.backoff?.most ?? 10_000,
      reconnect: options.reconnect ?? true,
    };
    if (typeof this.#options.WebSocket !== "function") {
      throw new TypeError("No WebSocket here: pass one as the option `WebSocket` (Node 20: the package `ws`)");
    }
    // Back on the network, or back in this window: try now, not when the backoff is over.
    const hurry = () => {
      if (this.#state === "waiting") this.#connectNow();
    };
    globalThis.addEventListener?.("online", hurry);
    globalThis.addEventListener?.("focus", hurry);
  }

  /** @returns {"closed" | "connecting" | "open" | "waiting"} `waiting`: between two attempts */
  get state() {
    return this.#state;
  }

  /** The last measured round trip in milliseconds. */
  get roundTrip() {
    return this.#roundTrip;
  }

  /** The server's clock minus this one's, in milliseconds. */
  get clockOffset() {
    return this.#clockOffset;
  }

  /**
   * Connects and authenticates. While a connection is being made or kept, the same promise or
   * an immediate answer.
   * @returns {Promise<{player_id: string, match_id?: string, wire: string}>}
   */
  connect() {
    if (this.#opening) return this.#opening.promise;
    /** @type {any} */
    const opening = {};
    opening.promise = new Promise((resolve, reject) => Object.assign(opening, { resolve, reject }));
    if (this.#state === "open") {
      opening.resolve({ player_id: this.#auth.playerId ?? "", wire: "json" });
      return opening.promise;
    }
    this.#opening = opening;
    if (this.#state === "closed") {
      this.#attempt = 0;
      this.#everOpen = false;
    }
    this.#connectNow();
    return opening.promise;
  }

  /** Ends the connection; nothing brings it back but {@link Socket.connect}. */
  close() {
    this.#finish(1000, "", new AsobiError("client.closed", "The connection was closed"));
  }

  /**
   * Cuts the connection as a network failure would; it comes back by itself.
   * @param {string} [reason]
   */
  drop(reason = "dropped") {
    if (this.#ws) this.#lost(this.#ws, 4000, reason);
  }

  /**
   * Sends and waits for the reply.
   * @param {string} type
   * @param {object} [payload]
   * @param {{timeout?: number}} [options]
   * @returns {Promise<any>} the reply's payload
   */
  request(type, payload = {}, options = {}) {
    if (this.#state !== "open") {
      return Promise.reject(new AsobiError("client.not_open", `${type}: the connection is not open`));
    }
    return this.#ask(type, payload, options.timeout ?? this.#options.timeout);
  }

  /**
   * Sends and forgets.
   * @param {string} type
   * @param {object} [payload]
   * @returns {boolean} whether there was a connection to send it on
   */
  send(type, payload = {}) {
    if (this.#state !== "open") return false;
    this.#write({ type, payload });
    return true;
  }

  /** A sign of life now; resolves to the round trip in milliseconds. */
  async heartbeat() {
    const sent = Date.now();
    const { ts } = await this.request("session.heartbeat");
    this.#roundTrip = Date.now() - sent;
    if (typeof ts === "number") this.#clockOffset = ts + this.#roundTrip / 2 - Date.now();
    return this.#roundTrip;
  }

  /** @param {Frame} frame */
  #write(frame) {
    this.#ws.send(JSON.stringify(frame));
  }

  /**
   * @param {string} type
   * @param {object} payload
   * @param {number} timeout
   * @returns {Promise<any>}
   */
  #ask(type, payload, timeout) {
    const cid = String(this.#nextCid++);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(cid);
        reject(new AsobiError("client.timeout", `${type}: no answer within ${timeout} ms`));
      }, timeout);
      this.#pending.set(cid, { resolve, reject, timer });
      this.#write({ type, payload, cid });
    });
  }

  #connectNow() {
    clearTimeout(this.#retryTimer);
    if (this.#ws) return;
    this.#state = "connecting";
    let ws;
    try {
      ws = new this.#options.WebSocket(this.#url);
    } catch (cause) {
      this.#finish(1006, "", new AsobiError("client.network", `Cannot connect to ${this.#url}`, { cause }));
      return;
    }
    this.#ws = ws;
    // A server that accepts and then says nothing.
    const stuck = setTimeout(() => this.#lost(ws, 4001, "no answer"), this.#options.timeout);
    ws.onopen = () => {
      this.#authenticate(ws).then(
        () => clearTimeout(stuck),
        (error) => {
          clearTimeout(stuck);
          if (ws !== this.#ws) return;
          if (error instanceof AsobiError && (error.isAuth || error.code === "client.signed_out")) {
            this.#finish(4002, "unauthenticated", error);
          } else {
            this.#lost(ws, 4001, error?.code ?? "failed");
          }
        },
      );
    };
    ws.onmessage = (/** @type {{data: any}} */ event) => {
      if (ws === this.#ws && typeof event.data === "string") this.#receive(event.data);
    };
    ws.onerror = () => {
      // `onclose` follows and knows more.
    };
    ws.onclose = (/** @type {{code: number, reason: any}} */ event) => {
      clearTimeout(stuck);
      this.#lost(ws, event.code, String(event.reason ?? ""));
    };
  }

  /** @param {any} ws */
  async #authenticate(ws) {
    const token = this.#auth.session?.access_token;
    if (!token) throw new AsobiError("client.signed_out", "Sign in before connecting");
    let hello;
    try {
      hello = await this.#ask("session.connect", { token }, this.#options.timeout);
    } catch (error) {
      if (!(error instanceof AsobiError) || !error.isAuth) throw error;
      // Expired: the socket stays open for another try with a fresh token.
      const fresh = await this.#auth.freshToken(token);
      if (ws !== this.#ws) throw new AsobiError("client.closed", "The connection was lost");
      hello = await this.#ask("session.connect", { token: fresh }, this.#options.timeout);
    }
    if (ws !== this.#ws) return;
    const resumed = this.#everOpen;
    this.#state = "open";
    this.#everOpen = true;
    this.#attempt = 0;
    this.#scheduleHeartbeat();
    this.#opening?.resolve(hello);
    this.#opening = null;
    this.emit("open", { ...hello, resumed });
  }

  /** @param {string} text */
  #receive(text) {
    /** @type {Frame} */
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      return;
    }
    if (!frame || typeof frame.type !== "string") return;
    const waiting = frame.cid === undefined ? undefined : this.#pending.get(frame.cid);
    if (waiting && frame.cid !== undefined) {
      this.#pending.delete(frame.cid);
      clearTimeout(waiting.timer);
      if (frame.type === "error" || frame.type === "rpc.error") waiting.reject(AsobiError.fromFrame(frame.payload));
      else waiting.resolve(frame.payload);
    }
    this.emit("*", frame);
    if (frame.type !== "error") this.emit(frame.type, frame.payload, frame);
    else if (!waiting) this.emit("error", AsobiError.fromFrame(frame.payload), frame);
  }

  #scheduleHeartbeat() {
    clearTimeout(this.#heartbeatTimer);
    this.#heartbeatTimer = setTimeout(() => {
      const ws = this.#ws;
      this.heartbeat().then(
        () => this.#scheduleHeartbeat(),
        (error) => {
          if (ws !== this.#ws) return;
          // No answer: the line is dead even if nobody has said so. Any other error is an answer.
          if (error.code === "client.timeout") this.#lost(ws, 4001, "no heartbeat");
          else this.#scheduleHeartbeat();
        },
      );
    }, this.#options.heartbeat);
    unref(this.#heartbeatTimer);
  }

  /**
   * @param {any} ws
   * @param {number} code
   * @param {string} reason
   */
  #lost(ws, code, reason) {
    if (ws !== this.#ws) return;
    const final = (code === 1008 && FINAL_REASONS.has(reason)) || !this.#options.reconnect;
    if (final) {
      const why = reason || `code ${code}`;
      this.#finish(code, reason, new AsobiError("client.closed", `The server closed the connection: ${why}`, { reason }));
      return;
    }
    this.#detach(code, reason);
    // Doubling, up to the most; between half and all of it, so that the clients of a restarted
    // server do not come back all at once. A server that says it is flooded is given longer.
    const { first, most } = this.#options;
    const base = Math.min(most, first * 2 ** Math.min(this.#attempt, 16));
    const patience = code === 1008 && reason === "rate_limited" ? Math.max(base, 2000) : base;
    const delay = Math.round(patience * (0.5 + Math.random() / 2));
    this.#attempt += 1;
    this.#state = "waiting";
    this.#retryTimer = setTimeout(() => this.#connectNow(), delay);
    this.emit("reconnecting", { attempt: this.#attempt, delay, reason });
  }

  /**
   * @param {number} code
   * @param {string} reason
   * @param {AsobiError} error
   */
  #finish(code, reason, error) {
    clearTimeout(this.#retryTimer);
    const asked = code === 1000;
    this.#state = "closed";
    this.#detach(code, reason);
    const opening = this.#opening;
    this.#opening = null;
    opening?.reject(error);
    if (!asked) this.emit("failed", error);
  }

  /**
   * Lets go of the current WebSocket, whatever state it is in.
   * @param {number} code
   * @param {string} reason
   */
  #detach(code, reason) {
    clearTimeout(this.#heartbeatTimer);
    const ws = this.#ws;
    if (!ws) return;
    this.#ws = null;
    ws.onopen = ws.onmessage = ws.onclose = null;
    try {
      ws.close(code === 1000 ? 1000 : 4000);
    } catch {
      // Never opened.
    }
    for (const [cid, waiting] of this.#pending) {
      this.#pending.delete(cid);
      clearTimeout(waiting.timer);
      waiting.reject(new AsobiError("client.closed", "The connection ended before the answer came", { reason }));
    }
    this.emit("close", { code, reason });
  }
}

/** Lets a Node process end although this timer runs. @param {any} timer */
function unref(timer) {
  timer?.unref?.();
}
