/**
 * A place to keep a few strings: `localStorage` has this shape.
 * @typedef {{
 *   getItem(key: string): string | null,
 *   setItem(key: string, value: string): void,
 *   removeItem(key: string): void,
 * }} Store
 *
 * What makes this device's guest the same guest next time. The secret is as good as a password.
 * @typedef {{device_id: string, device_secret: string}} DevicePair
 */

/** Where the pair is kept. A `slot` other than the first is appended: `asobi.guest_device.2`. */
export const DEVICE_KEY = "asobi.guest_device";

/** A store that forgets everything when the page or process ends. */
export class MemoryStore {
  /** @type {Map<string, string>} */
  #items = new Map();

  /** @param {string} key */
  getItem(key) {
    return this.#items.get(key) ?? null;
  }

  /** @param {string} key @param {string} value */
  setItem(key, value) {
    this.#items.set(key, value);
  }

  /** @param {string} key */
  removeItem(key) {
    this.#items.delete(key);
  }
}

/**
 * The browser's `localStorage` where there is one that can be written to, else a
 * {@link MemoryStore}: private windows and blocked storage still let a guest play, once.
 * @returns {Store}
 */
export function defaultStore() {
  try {
    const store = globalThis.localStorage;
    if (store) {
      store.setItem("asobi.probe", "1");
      store.removeItem("asobi.probe");
      return store;
    }
  } catch {
    // Blocked, full or absent.
  }
  return new MemoryStore();
}

/**
 * A fresh pair, kept nowhere.
 * @returns {DevicePair}
 */
export function generateDevice() {
  return { device_id: random(16), device_secret: random(32) };
}

/**
 * @param {Store} store
 * @param {string | number} [slot] several players on one device each take their own
 * @returns {DevicePair}
 */
export function loadOrCreateDevice(store, slot) {
  const found = loadDevice(store, slot);
  if (found) return found;
  const pair = generateDevice();
  store.setItem(keyOf(slot), JSON.stringify(pair));
  return pair;
}

/**
 * @param {Store} store
 * @param {string | number} [slot]
 * @returns {DevicePair | null}
 */
export function loadDevice(store, slot) {
  try {
    const pair = JSON.parse(store.getItem(keyOf(slot)) ?? "null");
    if (typeof pair?.device_id === "string" && typeof pair?.device_secret === "string") {
      return { device_id: pair.device_id, device_secret: pair.device_secret };
    }
  } catch {
    // Not ours, or damaged: a new pair will replace it.
  }
  return null;
}

/**
 * Forgets the pair. The guest behind it cannot be resumed from this device any more.
 * @param {Store} store
 * @param {string | number} [slot]
 */
export function clearDevice(store, slot) {
  store.removeItem(keyOf(slot));
}

/** @param {string | number} [slot] */
function keyOf(slot) {
  return slot === undefined || slot === "" || String(slot) === "1" ? DEVICE_KEY : `${DEVICE_KEY}.${slot}`;
}

/** @param {number} bytes */
function random(bytes) {
  const data = globalThis.crypto.getRandomValues(new Uint8Array(bytes));
  return btoa(String.fromCharCode(...data));
}
