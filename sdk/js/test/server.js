// A server of the tests' own, running `test/game`: the binary in ASOBI_BIN. Without one they fail.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** Tests come from one address and do in a second what players do in an hour. */
const LIMITS_OFF = {
  ASOBI_LIMITS__AUTH_PER_SECOND: "0",
  ASOBI_LIMITS__REGISTER_PER_SECOND: "0",
  ASOBI_LIMITS__API_PER_SECOND: "0",
  ASOBI_LIMITS__WS_CONNECTS_PER_SECOND: "0",
  ASOBI_LIMITS__JOINS_PER_MINUTE: "0",
};

/**
 * @param {Record<string, string>} [settings] environment variables
 * @returns {Promise<{url: string, stop: () => Promise<void>}>}
 */
export async function startServer(settings = {}) {
  const binary = process.env.ASOBI_BIN;
  assert.ok(binary, "set ASOBI_BIN to the server's binary");
  const data = await mkdtemp(join(tmpdir(), "asobi-sdk-"));
  const game = fileURLToPath(new URL("game", import.meta.url));
  const server = spawn(binary, ["dev", game, "--port", "0", "--data", data], {
    env: { ...process.env, ...LIMITS_OFF, ...settings },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const stop = async () => {
    const ended = once(server, "exit");
    if (server.kill("SIGKILL")) await ended;
    await rm(data, { recursive: true, force: true });
  };
  for await (const line of createInterface({ input: server.stdout })) {
    const [, url] = /^listening on (.*)/.exec(line) ?? [];
    if (url) {
      server.stdout.resume();
      return { url, stop };
    }
  }
  await stop();
  throw new Error("the server did not start");
}
