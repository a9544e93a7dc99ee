/**
 * The one error this library throws. Branch on `code`: it is the server's closed set
 * (`match.full`, `unauthenticated`, ...) plus this library's own, which start with `client.`:
 *
 * - `client.network`    the server could not be reached
 * - `client.timeout`    no answer in time
 * - `client.closed`     the connection ended before the answer came
 * - `client.not_open`   there is no open connection to send on
 * - `client.signed_out` there is nobody signed in
 * - `client.bad_answer` the server's answer was not what the protocol says
 */
export class AsobiError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {{status?: number, reason?: string, details?: Record<string, any>, cause?: unknown}} [more]
   */
  constructor(code, message, more = {}) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = "AsobiError";
    this.code = code;
    /** HTTP status, for an error that came over REST. */
    this.status = more.status;
    /** The flatter reason of a WebSocket error, e.g. `invalid_token`. */
    this.reason = more.reason;
    /** What the server had to add, e.g. `{fields: ...}`. */
    this.details = more.details ?? {};
  }

  /** Whether signing in again could help. */
  get isAuth() {
    return this.status === 401 || this.code === "unauthenticated";
  }

  /**
   * From the body of a REST answer that was not a success.
   * @param {number} status
   * @param {any} body
   */
  static fromResponse(status, body) {
    const error = body && typeof body === "object" ? body.error : undefined;
    if (error && typeof error === "object" && typeof error.code === "string") {
      return new AsobiError(error.code, String(error.message ?? error.code), {
        status,
        details: error.details,
      });
    }
    const code = typeof error === "string" ? error : `http_${status}`;
    return new AsobiError(code, `The server answered ${status}`, { status });
  }

  /**
   * From the payload of an `error` frame.
   * @param {any} payload
   */
  static fromFrame(payload) {
    const reason = typeof payload?.reason === "string" ? payload.reason : undefined;
    const error = payload?.error;
    if (error && typeof error.code === "string") {
      return new AsobiError(error.code, String(error.message ?? error.code), {
        reason,
        details: error.details,
      });
    }
    return new AsobiError(reason ?? "internal", reason ?? "The server reported an error", { reason });
  }
}
