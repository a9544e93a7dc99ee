/** Methods of the game: the functions of its `rpc.lua` and `rpc/*.lua`, called by name. */
export class Rpc {
  #socket;

  /** @param {import("./socket.js").Socket} socket */
  constructor(socket) {
    this.#socket = socket;
  }

  /**
   * Calls a method. Fails with `rpc.failed` (`details.reason`) when the game says no,
   * `rpc.unknown_method`, `internal` when the method fails.
   * @param {string} method such as `quests.claim`
   * @param {object} [params]
   * @returns {Promise<Record<string, any>>}
   */
  async call(method, params = {}) {
    const answer = await this.#socket.request("rpc.call", { protocol: 1, method, params });
    return answer.result;
  }
}
