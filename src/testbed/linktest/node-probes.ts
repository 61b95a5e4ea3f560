// SPDX-License-Identifier: MIT
// Probes on the nodes of a run: where they are started, at which addresses, and what they say.
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { NodeBackend, RunningNode } from "../nodes/index.ts";
import type { ProbeAnswer, ProbeOrder } from "./probe-order.ts";
import type { ProbeHost, RunningProbe } from "./run-linktest.ts";

const program = import.meta.url.endsWith(".ts") ? "./probe-main.ts" : "./probe-main.js";
const probeMain = fileURLToPath(new URL(program, import.meta.url));

export interface NodeProbesOptions {
  readonly backend: NodeBackend;
  readonly syncServer: string;
  readonly syncPort: number;
  /** Directory of this machine for what probes say, until it was read. */
  readonly directory: string;
}

export function createNodeProbes(options: NodeProbesOptions): ProbeHost {
  const { backend, syncServer, syncPort: port } = options;
  mkdirSync(options.directory, { recursive: true });
  const node = (name: string): RunningNode | undefined => backend.nodes.get(name);
  return {
    meetingOf(name) {
      // Without a network of their own all nodes share this machine's, and who calls is known by
      // the address it calls.
      const address =
        backend.doors === undefined
          ? node(name)?.calledAt
          : node(syncServer)?.addresses[0]?.loopback;
      return { address: address ?? "", port };
    },
    addressOf(name, link) {
      const [control, ...others] = node(name)?.addresses ?? [];
      const own = others.find((one) => one.link === link);
      return (own ?? others[0] ?? control)?.loopback;
    },
    async start(name, order) {
      const found = node(name);
      if (found === undefined) return `there is no node ${name}`;
      return await startProbe(found, order, options.directory);
    },
  };
}

async function startProbe(
  node: RunningNode,
  order: ProbeOrder,
  directory: string,
): Promise<RunningProbe | string> {
  const file = join(directory, `${node.name}-${order.session}`);
  const [stdout, stderr] = [`${file}.out`, `${file}.err`];
  const started = await node.spawn({
    name: "linktest",
    argv: [process.execPath, probeMain, JSON.stringify(order)],
    ...{ directory: "", stdout, stderr },
  });
  if ("startError" in started) return `a probe on ${node.name}: ${started.startError}`;
  const answer = started.done.then(({ exitCode, signal }): ProbeAnswer | string => {
    const read = (path: string): string => {
      const text = readFileSync(path, "utf8");
      rmSync(path, { force: true });
      return text;
    };
    const [said, why] = [read(stdout), read(stderr).trim()];
    if (exitCode === 0) return JSON.parse(said) as ProbeAnswer;
    const how = signal === null ? `exit status ${exitCode}` : signal;
    return `the probe on ${node.name} ended by ${how}${why === "" ? "" : `: ${why}`}`;
  });
  return {
    answer: answer.catch((error: unknown) => `the probe on ${node.name}: ${String(error)}`),
    end: () => started.signal("SIGKILL", "group"),
  };
}
