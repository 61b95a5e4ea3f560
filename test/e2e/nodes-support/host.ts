// SPDX-License-Identifier: MIT
// Stands for Muster in the tests of process nodes: a process of its own that brings nodes up and
// starts programs, so that a test can kill it. Reads one JSON line, answers with JSON lines.
import { createInterface } from "node:readline";
import { systemClock } from "../../../src/host/clock.ts";
import { type NodeMode, startProcessNodes } from "../../../src/testbed/nodes/index.ts";
import { ring } from "./ring.ts";

export interface HostRequest {
  readonly runId: string;
  readonly out: string;
  readonly mode: NodeMode | "";
  readonly seed: number;
  readonly nodes: number;
  /** They are in a ring, with a network of their own. */
  readonly hasNetwork?: boolean;
  /** Run on every node. */
  readonly programs: readonly (readonly string[])[];
}

export type HostAnswer =
  | {
      readonly kind: "up";
      readonly mode: NodeMode;
      readonly lost: readonly string[];
      readonly control: string;
      readonly upMs: number;
      readonly startMs: number;
      readonly rssBytes: number;
      readonly errors: readonly string[];
    }
  | { readonly kind: "ended"; readonly statuses: readonly string[] }
  | { readonly kind: "stopped"; readonly downMs: number };

const say = (answer: HostAnswer): void => {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
};
const elapsedMs = (sinceUs: number): number => (systemClock.nowUs() - sinceUs) / 1000;

async function main(request: HostRequest): Promise<void> {
  const beginUs = systemClock.nowUs();
  const backend = await startProcessNodes({
    runId: request.runId,
    pid: "proj",
    eid: "exp",
    domain: "muster.local",
    seed: request.seed,
    out: request.out,
    nodes: Array.from({ length: request.nodes }, (_, index) => ({
      name: `node${index}`,
      links: [],
    })),
    links: [],
    ...(request.hasNetwork === true ? ring(request.nodes) : {}),
    syncServer: "node0",
    environment: [],
    tools: {},
    ...(request.mode === "" ? {} : { mode: request.mode }),
    clock: systemClock,
    onMessage: (_level, _node, text) => process.stderr.write(`${text}\n`),
  });
  const upMs = elapsedMs(beginUs);
  const startUs = systemClock.nowUs();
  const started = await Promise.all(
    [...backend.nodes.values()].flatMap((node) =>
      request.programs.map((argv, index) => {
        const path = `${node.hostPath.localLogs}/p${index}`;
        return node.spawn({ name: `p${index}`, argv, directory: "", stdout: path, stderr: path });
      }),
    ),
  );
  const errors = started.flatMap((item) => ("startError" in item ? [item.startError] : []));
  const processes = started.flatMap((item) => ("startError" in item ? [] : [item]));
  const stop = async (): Promise<void> => {
    const stopUs = systemClock.nowUs();
    await backend.stop();
    say({ kind: "stopped", downMs: elapsedMs(stopUs) });
    process.exit(0);
  };
  process.on("SIGTERM", () => void stop());
  process.on("SIGINT", () => void stop());
  say({
    kind: "up",
    mode: backend.mode,
    lost: backend.lost,
    control: backend.nodes.get("node0")?.addresses[0]?.loopback ?? "",
    upMs,
    startMs: elapsedMs(startUs),
    rssBytes: process.memoryUsage().rss,
    errors,
  });
  void Promise.all(processes.map(({ done }) => done)).then((statuses) =>
    say({ kind: "ended", statuses: statuses.map((s) => String(s.exitCode ?? s.signal)) }),
  );
}

createInterface({ input: process.stdin }).once("line", (line) => {
  void main(JSON.parse(line) as HostRequest);
});
