import assert from "node:assert/strict";
import { test } from "node:test";

import { Emitter } from "../emitter.js";
import { Votes } from "../votes.js";
import { withCode } from "./support.js";

/** A socket that writes down what is asked of it and agrees to everything. */
class Agreeable extends Emitter {
  asked = [];
  async request(type, payload) {
    this.asked.push([type, payload]);
    return { success: true };
  }
}

function open(id, more = {}) {
  const socket = new Agreeable();
  const votes = new Votes(socket);
  socket.emit("match.vote_start", { vote_id: id, options: [{ id: "a" }, { id: "b" }], window_ms: 1000, ...more });
  return { socket, votes };
}

test("ranked and approval ballots are lists", async () => {
  const { socket, votes } = open("v1", { method: "ranked" });
  const ballot = ["b", "a"];
  await votes.cast(ballot);
  assert.deepEqual(socket.asked, [["vote.cast", { vote_id: "v1", option_id: ["b", "a"] }]]);
  ballot.reverse();
  assert.deepEqual(votes.current.mine, ["b", "a"], "the ballot cast, not the caller's list");
});

test("a veto names the newest vote, or the one asked for, and the vote is gone once it counts", async () => {
  const { socket, votes } = open("v1", { veto_enabled: true });
  socket.emit("match.vote_start", { vote_id: "v2", options: [], window_ms: 1000 });
  await votes.veto();
  await votes.veto("v1");
  assert.deepEqual(socket.asked, [["vote.veto", { vote_id: "v2" }], ["vote.veto", { vote_id: "v1" }]]);
  const vetoed = votes.next("vetoed");
  socket.emit("match.vote_vetoed", { vote_id: "v2", vetoed_by: "p1" });
  assert.equal((await vetoed).vetoed_by, "p1");
  assert.equal(votes.current.vote_id, "v1");
  await assert.rejects(votes.veto("v2"), withCode("vote.not_found"));
});

test("a hidden vote has no tallies until its result", async () => {
  const { socket, votes } = open("v1", { visibility: "hidden" });
  assert.deepEqual([votes.current.tallies, votes.current.total_votes], [{}, 0]);
  const result = votes.next("result");
  socket.emit("match.vote_result", { vote_id: "v1", winner: null, status: "no_quorum" });
  assert.equal((await result).status, "no_quorum");
  assert.equal(votes.current, null);
});
