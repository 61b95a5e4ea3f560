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
/** How a probe is run on this machine. */
export const probeArgv: readonly string[] = [process.execPath, probeMain];
/** What the agent of another machine takes for that. */
export const probeWord = "muster:linktest-probe";

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
      const own = node(name);
      const address =
        backend.doors === undefined
          ? (own?.elsewhere?.serversAt ?? own?.calledAt)
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
      const peer = [...backend.nodes.values()].find(({ addresses }) =>
        addresses.some(({ loopback }) => loopback === order.peer.address),
      );
      const probe = await startProbe(found, order, options.directory);
      if (typeof probe === "string") return probe;
      const answer = probe.answer.then((said) =>
        typeof said === "string" ? said : inOwnTime(said, found, peer),
      );
      return { ...probe, answer };
    },
  };
}

/** Each end of a link counts by the clock of its machine: all as this one does. Pure. */
export function inOwnTime(
  { steps }: ProbeAnswer,
  own: Pick<RunningNode, "elsewhere">,
  peer: Pick<RunningNode, "elsewhere"> | undefined,
): ProbeAnswer {
  const ofOwn = (us: number): number => own.elsewhere?.toOwn(us) ?? us;
  // The clocks of the two ends differ by so much.
  const aheadUs = ofOwn(0) - (peer?.elsewhere?.toOwn(0) ?? 0);
  return {
    steps: steps.map(({ ping, sent, received }) => ({
      ...(ping && {
        ping: {
          sent: ping.sent,
          thereUs: ping.thereUs.map((us) => us - aheadUs),
          backUs: ping.backUs.map((us) => us + aheadUs),
        },
      }),
      ...(sent && { sent: { ...sent, lastUs: ofOwn(sent.lastUs) } }),
      ...(received && {
        received: {
          ...received,
          firstUs: ofOwn(received.firstUs),
          lastUs: ofOwn(received.lastUs),
          endedUs: ofOwn(received.endedUs),
        },
      }),
    })),
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
    argv: [...(node.elsewhere === undefined ? probeArgv : [probeWord]), JSON.stringify(order)],
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
