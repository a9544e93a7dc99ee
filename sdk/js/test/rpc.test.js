import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { startServer } from "./server.js";
import { guest, withCode } from "./support.js";

let server;
before(async () => (server = await startServer()));
after(() => server?.stop());

test("methods of the game answer, refuse and fail", async (t) => {
  const ada = await guest(t, { url: server.url });
  assert.deepEqual(await ada.rpc.call("echo", { n: 7 }), { player: ada.auth.playerId, params: { n: 7 } });
  await assert.rejects(ada.rpc.call("refuse"), (error) => {
    withCode("rpc.failed")(error);
    assert.equal(error.details.reason, "not today");
    return true;
  });
  await assert.rejects(ada.rpc.call("crash"), withCode("internal"));
  await assert.rejects(ada.rpc.call("nothing"), withCode("rpc.unknown_method"));
});
