// SPDX-License-Identifier: MIT
// What networks of nodes on this machine would be, without a run: the real thing, once, with two
// scratch nodes and a link, and the kernel's parts that links can be shaped with.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { errorText } from "../../core/text.ts";
import type { Clock } from "../../host/clock.ts";
import { newIncarnation, newRunId } from "../../host/ids.ts";
import type { NamespaceCommands } from "../../network/link-backend.ts";
import type { NetworkPlan } from "./network-plan.ts";
import type { NodeMode } from "./node-backend.ts";
import type { NodePlan } from "./node-plan.ts";
import { startProcessNodes } from "./process-nodes.ts";

export interface NetworkProbe {
  readonly mode: NodeMode;
  /** Nodes have networks of their own. */
  readonly hasNetwork: boolean;
  /** What nodes of a run would lack, why first. */
  readonly lost: readonly string[];
  /** As in `NodeBackend`. */
  readonly shell: string;
  readonly parts: readonly KernelPart[];
}

export interface KernelPart {
  readonly name: "veth" | "bridge" | "vxlan" | "tbf" | "netem";
  /** `""` when it works; otherwise what the kernel, or the shell, says. */
  readonly fault: string;
}

export interface ProbeInput {
  readonly clock: Clock;
  readonly nodes: readonly NodePlan[];
  readonly network: NetworkPlan;
}

/** Tries. @throws NodesError when not even process nodes can be had */
export async function probeNetwork({ clock, nodes, network }: ProbeInput): Promise<NetworkProbe> {
  const out = mkdtempSync(join(tmpdir(), "muster-doctor-"));
  try {
    const backend = await startProcessNodes({
      ...{ runId: newRunId(), pid: "muster", eid: "doctor", domain: "muster.local", out },
      ...{ seed: newIncarnation(), nodes, links: [], syncServer: undefined, environment: [] },
      ...{ tools: {}, clock, network, onMessage: () => undefined },
    });
    try {
      const { mode, lost, shell, doors } = backend;
      const parts = doors === undefined ? [] : await tryParts(doors.commands);
      return { mode, lost, shell, hasNetwork: doors !== undefined, parts };
    } finally {
      await backend.stop();
    }
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

/** In the scratch run's own network, which goes with it. */
async function tryParts(commands: NamespaceCommands): Promise<readonly KernelPart[]> {
  const { hub } = commands;
  const attempts: readonly (readonly [KernelPart["name"], () => Promise<unknown>])[] = [
    ["veth", () => commands.ip(hub, ["link add probe0 type veth peer name probe1"])],
    ["bridge", () => commands.ip(hub, ["link add probe2 type bridge"])],
    ["vxlan", () => commands.ip(hub, ["link add probe3 type vxlan id 1 dstport 4789"])],
    ["tbf", () => commands.run(hub, qdisc("probe1", "tbf rate 1mbit burst 5k latency 50ms"))],
    ["netem", () => commands.run(hub, qdisc("probe0", "netem delay 1ms"))],
  ];
  const parts: KernelPart[] = [];
  for (const [name, attempt] of attempts) {
    const fault = await attempt().then(
      () => "",
      (error: unknown) => errorText(error),
    );
    parts.push({ name, fault });
  }
  return parts;
}

function qdisc(device: string, what: string): readonly string[] {
  return ["tc", "qdisc", "add", "dev", device, "root", ...what.split(" ")];
}
