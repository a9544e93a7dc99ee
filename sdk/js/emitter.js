/**
 * Listeners by event name. A listener that throws does not keep the others from running; its
 * error surfaces as an unhandled one, where a developer sees it.
 */
export class Emitter {
  /** @type {Map<string, Set<(...args: any[]) => void>>} */
  #listeners = new Map();

  /**
   * @param {string} event
   * @param {(...args: any[]) => void} listener
   * @returns {() => void} call it to stop listening
   */
  on(event, listener) {
    let set = this.#listeners.get(event);
    if (!set) this.#listeners.set(event, (set = new Set()));
    set.add(listener);
    return () => this.off(event, listener);
  }

  /**
   * @param {string} event
   * @param {(...args: any[]) => void} listener
   * @returns {() => void}
   */
  once(event, listener) {
    const stop = this.on(event, (...args) => {
      stop();
      listener(...args);
    });
    return stop;
  }

  /**
   * @param {string} event
   * @param {(...args: any[]) => void} listener
   */
  off(event, listener) {
    this.#listeners.get(event)?.delete(listener);
  }

  /**
   * The next time the event happens, as a promise of its first argument.
   * @param {string} event
   * @param {{timeout?: number}} [options] milliseconds; none waits for ever
   * @returns {Promise<any>}
   */
  next(event, { timeout } = {}) {
    return new Promise((resolve, reject) => {
      /** @type {ReturnType<typeof setTimeout> | undefined} */
      let timer;
      const stop = this.once(event, (value) => {
        clearTimeout(timer);
        resolve(value);
      });
      if (timeout !== undefined) {
        timer = setTimeout(() => {
          stop();
          reject(new Error(`no "${event}" within ${timeout} ms`));
        }, timeout);
      }
    });
  }

  /**
   * @param {string} event
   * @param {...any} args
   * @returns {boolean} whether anybody listened
   */
  emit(event, ...args) {
    const set = this.#listeners.get(event);
    if (!set || set.size === 0) return false;
    for (const listener of [...set]) {
      try {
        listener(...args);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
    return true;
  }
}
