// SPDX-License-Identifier: MIT
// Goal: a run whose file wants links traced, where nothing can trace them, says which and why.
// Method: the shipped agents of a run beside back ends that shape nothing, and that shape without
// seeing packets, as those of other machines do.
import { describe, expect, it } from "vitest";
import type { Link, LinkMember } from "../../../src/experiment/model.ts";
import type { NodeBackend } from "../../../src/testbed/nodes/index.ts";
import { RunLinkAgents } from "../../../src/testbed/run-link-agents.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";

const shape = { bandwidthBps: 0, delayUs: 0, loss: 0 };
const members = ["a", "b"].map((node): LinkMember => {
  const trace = { kind: "headers" } as const;
  return { node, port: 0, address: "", toLink: shape, fromLink: shape, trace };
});
const at = { file: "", line: 1, column: 1 };
const links: readonly Link[] = [{ name: "l0", kind: "link", netmask: "", members, at }];
const failed = new Promise<string>(() => undefined);

async function warningsOf(nodeLinks: unknown): Promise<readonly string[]> {
  const warnings: string[] = [];
  const agents = await RunLinkAgents.open({
    ...{ backend: { nodeLinks } as unknown as NodeBackend, clock: new VirtualClock(), links },
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
