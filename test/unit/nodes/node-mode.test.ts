// SPDX-License-Identifier: MIT
// Goal: nodes whose holders somebody kills while their network is made end the run; where nobody
// has, what fails is a lack of the machine, and the run does with less. Method: holders that never
// were, so that nothing can be done in their networks.
import { expect, it } from "vitest";
import { newRunId } from "../../../src/host/ids.ts";
import { planControlNetwork } from "../../../src/network/control-network.ts";
import type { Namespaces } from "../../../src/testbed/nodes/namespaces.ts";
import type { NetworkPlan } from "../../../src/testbed/nodes/network-plan.ts";
import type { BackendOptions } from "../../../src/testbed/nodes/node-backend.ts";
import { chooseMode } from "../../../src/testbed/nodes/node-mode.ts";
import { FakeClock } from "../record/fake-clock.ts";

/** No process has it: the kernel's numbers end far below. */
const nobody = 2 ** 30;

const network: NetworkPlan = {
  topology: { nodes: new Map(), subnets: [] },
  control: planControlNetwork([]) as NetworkPlan["control"],
  links: [],
  shapeLinks: () => ({
    backend: { kind: "none", stop: () => Promise.resolve() } as never,
    plans: new Map(),
  }),
  isRequired: false,
};

/** @param gone whose holders are said to be gone when the network could not be made */
async function choose(gone: readonly string[]) {
  const namespaces = {
    ...{ entrances: new Map(), holders: new Map(), keeper: nobody, asUser: false, warnings: "" },
    gone: () => gone,
    stop: () => Promise.resolve(),
  } as unknown as Namespaces;
  const options = { runId: newRunId(), clock: new FakeClock(), environment: [], network };
  return await chooseMode({
    ...{ options: options as unknown as BackendOptions, block: 1, temporary: "/nowhere" },
    ...{ addresses: new Map(), draft: () => [], writeFiles: () => undefined },
    hold: () => Promise.resolve(namespaces),
  });
}

it("ends the run over holders that somebody has killed meanwhile", async () => {
  await expect(choose(["a", "b"])).rejects.toThrow(
    "somebody has ended the processes that hold nodes a, b, with all that ran there; start it",
  );
});

it("does without the network where nobody has", async () => {
  const { network: own, lost } = await choose([]);
  expect([own, lost]).toEqual([
    undefined,
    [expect.stringMatching(/^nodes share the network of this machine: /)],
  ]);
});
