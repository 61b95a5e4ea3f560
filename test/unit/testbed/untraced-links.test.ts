// SPDX-License-Identifier: MIT
// Goal: a run whose file wants links traced, where nothing can trace them, says which and why.
// Method: the shipped agents of a run beside back ends that shape nothing, and that shape without
// seeing packets, as those of other machines do.
import { describe, expect, it } from "vitest";
import type { NodeBackend } from "../../../src/testbed/nodes/index.ts";
import { RunLinkAgents } from "../../../src/testbed/run-link-agents.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";

const row = { traced: "1", trace_type: "header", trace_expr: "", trace_snaplen: "0" };
const tables = {
  virt_lans: [
    { vname: "l0", vnode: "a", ...row },
    { vname: "l0", vnode: "b", ...row },
  ],
};
const failed = new Promise<string>(() => undefined);

async function warningsOf(nodeLinks: unknown): Promise<readonly string[]> {
  const warnings: string[] = [];
  const agents = await RunLinkAgents.open({
    ...{ backend: { nodeLinks } as unknown as NodeBackend, clock: new VirtualClock(), tables },
    ...{ scope: "p/e", hasLinks: true, out: "/nowhere", onFailed: () => undefined },
    onWarning: (text) => warnings.push(text),
  });
  expect(agents.traces).toBeUndefined();
  return warnings;
}

describe("links that nothing can trace", () => {
  it("are named where nobody shapes them", async () => {
    const why = "only who shapes links does, and nobody shapes these";
    expect(await warningsOf(undefined)).toEqual([`nothing traces l0: ${why}`]);
  });

  it("are named where other machines shape them", async () => {
    const why = "that is not built for nodes of other machines";
    expect(await warningsOf({ shaped: {}, failed })).toEqual([`nothing traces l0: ${why}`]);
  });
});
