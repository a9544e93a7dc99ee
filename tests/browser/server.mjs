// The real server on a copy of the arena, for one test.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { access, constants, cp, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

const ARENA = join(import.meta.dirname, "../../examples/arena");

/** Times that fit a test; a test overrides what it is about. */
const PACE = { countdown_seconds: 1.5, bots_after: 1.5, fill_to: 4, respawn_seconds: 1 };

const SETTINGS = {
  ASOBI_LIMITS__API_PER_SECOND: "0",
  ASOBI_LIMITS__AUTH_PER_SECOND: "0",
  ASOBI_LIMITS__JOINS_PER_MINUTE: "0",
  ASOBI_LIMITS__REGISTER_PER_SECOND: "0",
  ASOBI_LIMITS__WS_CONNECTS_PER_SECOND: "0",
  ASOBI_MATCHMAKER__TICK_INTERVAL_MS: "100",
};

export class Server {
  url = "";
  #folder = "";
  #process = null;
  #log = "";

  /**
   * Starts one; it ends with the test.
   * @param {import("node:test").TestContext} t
   * @param {Record<string, number>} [pace] changes to settings.lua
   */
  static async start(t, pace = {}) {
    const server = new Server();
    server.#folder = await mkdtemp(join(tmpdir(), "asobi-browser-"));
    t.after(() => server.#end(t));
    await cp(ARENA, server.#path(""), { recursive: true });
    for (const [name, value] of Object.entries({ ...PACE, ...pace })) {
      await server.edit("settings.lua", new RegExp(`\\b${name} = [\\d.]+`), `${name} = ${value}`);
    }
    await server.#launch(0);
    return server;
  }

  /** `kill -9`: no goodbye to anybody. */
  async kill() {
    const dead = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await dead;
  }

  /** A new process where the killed one was: the same port, the same data. */
  restart() {
    return this.#launch(Number(new URL(this.url).port));
  }

  /** A file of the game as it is now. @param {string} file */
  read(file) {
    return readFile(this.#path(file), "utf8");
  }

  /** Saves a file of the game as an editor does: the new one takes the old one's place. */
  async write(file, text) {
    const draft = join(this.#folder, "draft");
    await writeFile(draft, text);
    await rename(draft, this.#path(file));
  }

  /** Replaces something in a file of the game, which has to be there. */
  async edit(file, before, after) {
    const text = await this.read(file);
    assert.notEqual(text.split(before).length, 1, `${file} has ${before}`);
    await this.write(file, text.replace(before, () => after));
  }

  #path(file) {
    return join(this.#folder, "arena", file);
  }

  async #launch(port) {
    const binary = process.env.ASOBI_BIN;
    assert.ok(binary, "set ASOBI_BIN to the server's binary, e.g. ../../target/debug/asobi");
    await access(resolve(binary), constants.X_OK);
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("ASOBI_")));
    this.#process = spawn(
      resolve(binary),
      ["dev", this.#path(""), "--port", String(port), "--data", join(this.#folder, "data")],
      { cwd: this.#folder, env: { ...env, ...SETTINGS }, stdio: ["ignore", "pipe", "pipe"] },
    );
    const child = this.#process;
    const kill = () => child.kill("SIGKILL");
    process.once("exit", kill);
    child.once("exit", () => process.off("exit", kill));
    child.stderr.on("data", (data) => (this.#log += data));
    const lines = createInterface({ input: child.stdout });
    this.url = await new Promise((found) => {
      lines.on("line", (line) => {
        const [, url] = line.match(/^listening on (http:\S+)/) ?? [];
        if (url) found(url);
      });
      lines.on("close", () => found(""));
    });
    assert.ok(this.url, `the server did not start:\n${this.#log}`);
  }

  async #end(t) {
    if (this.#process?.exitCode === null && this.#process.signalCode === null) await this.kill();
    if (t.passed === false) t.diagnostic(`the server's log:\n${this.#log.slice(-4000)}`);
    await rm(this.#folder, { recursive: true, force: true });
  }
}
