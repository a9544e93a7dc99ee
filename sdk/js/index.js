/**
 * Client for Asobi game servers.
 *
 *     const client = new AsobiClient({ url: "https://play.example" });
 *     await client.auth.guest();
 *     await client.socket.connect();
 *     client.match.on("state", draw);
 *     await client.matchmaker.add({ mode: "arena" });
 *
 * @module
 */

import { Auth } from "./auth.js";
import { Chat } from "./chat.js";
import { defaultStore } from "./device.js";
import { DirectMessages } from "./directMessages.js";
import { Friends } from "./friends.js";
import { Groups } from "./groups.js";
import { Match } from "./match.js";
import { Matchmaker } from "./matchmaker.js";
import { Notifications } from "./notifications.js";
import { Players } from "./players.js";
import { Presence } from "./presence.js";
import { Party } from "./party.js";
import { Rest } from "./rest.js";
import { Rpc } from "./rpc.js";
import { Saves } from "./saves.js";
import { Socket } from "./socket.js";
import { Storage } from "./storage.js";
import { Votes } from "./votes.js";

export { Auth, SESSION_KEY } from "./auth.js";
export { Chat } from "./chat.js";
export { clearDevice, DEVICE_KEY, defaultStore, generateDevice, loadDevice, loadOrCreateDevice, MemoryStore } from "./device.js";
export { DirectMessages } from "./directMessages.js";
export { Emitter } from "./emitter.js";
export { AsobiError } from "./errors.js";
export { Friends } from "./friends.js";
export { Groups } from "./groups.js";
export { Match } from "./match.js";
export { Matchmaker } from "./matchmaker.js";
export { Notifications } from "./notifications.js";
export { Players } from "./players.js";
export { Presence } from "./presence.js";
export { Party } from "./party.js";
export { Rest } from "./rest.js";
export { Rpc } from "./rpc.js";
export { Saves } from "./saves.js";
export { Socket } from "./socket.js";
export { Storage } from "./storage.js";
export { Votes } from "./votes.js";

/**
 * @typedef {{
 *   url: string,
 *   store?: import("./device.js").Store,
 *   slot?: string | number,
 *   persistSession?: boolean,
 *   fetch?: typeof fetch,
 *   timeout?: number,
 *   inputsPerSecond?: number,
 *   WebSocket?: import("./socket.js").WebSocketClass,
 *   heartbeat?: number,
 *   backoff?: {first?: number, most?: number},
 *   reconnect?: boolean,
 * }} ClientOptions
 *   `url` is the server's address; `store` keeps the guest's device pair (`localStorage` where
 *   there is one), `slot` tells several guests of one device apart, `persistSession` keeps the
 *   tokens in the store as well.
 */

/** Everything about one player on one server. */
export class AsobiClient {
  /** @param {ClientOptions} options */
  constructor(options) {
    const url = new URL(options.url);
    this.rest = new Rest(url.origin, { fetch: options.fetch, timeout: options.timeout });
    this.auth = new Auth(this.rest, {
      store: options.store ?? defaultStore(),
      slot: options.slot,
      persistSession: options.persistSession,
    });
    this.rest.useAuth(this.auth);
    const ws = new URL("/ws", url);
    ws.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    this.socket = new Socket(ws.href, this.auth, options);
    this.matchmaker = new Matchmaker(this.socket);
    this.match = new Match(this.socket, options);
    this.votes = new Votes(this.socket);
    this.players = new Players(this.rest);
    this.friends = new Friends(this.rest);
    this.groups = new Groups(this.rest, this.auth);
    this.notifications = new Notifications(this.socket, this.rest);
    this.presence = new Presence(this.socket, this.rest);
    this.chat = new Chat(this.socket, this.rest);
    this.directMessages = new DirectMessages(this.socket, this.rest, this.auth);
    this.rpc = new Rpc(this.socket);
    this.saves = new Saves(this.rest);
    this.storage = new Storage(this.rest);
    this.party = new Party(this.socket);
  }

  /** Ends the connection. Who is signed in stays so. */
  close() {
    this.socket.close();
  }
}
