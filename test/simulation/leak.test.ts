// SPDX-License-Identifier: MIT
// Goal: a simulated cluster leaves nothing behind: a campaign of thousands would end for want of
// memory. Method: seeds in which clients leave a server that stands still, then the engine is asked
// for what it still holds.
import { queryObjects } from "node:v8";
import { expect, it } from "vitest";
import { scriptOf } from "../../src/testing/cluster/campaign.ts";
import { runScript } from "../../src/testing/cluster/cluster-run.ts";
import { Network } from "../../src/testing/network.ts";

it("a run of a cluster is forgotten when it is over", async () => {
  for (const seed of [191_003, 191_005]) {
    const script = scriptOf({ seed, operations: 2_000, servers: 5, faults: "draw" });
    const { problems, struck } = await runScript({ script });
    expect([problems, struck["pause"]]).toEqual([[], expect.any(Number)]);
  }
  // What Node does behind the end of a connection.
  await new Promise((resolve) => setImmediate(resolve));
  expect(queryObjects(Network, { format: "count" })).toBe(0);
});
