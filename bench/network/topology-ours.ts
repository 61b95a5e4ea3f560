// SPDX-License-Identifier: MIT
// One measurement of ours, in a process of its own: a ring of nodes up, a program on each, down.
// Prints one line of JSON: milliseconds, and what the process holds of memory.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Link } from "../../src/experiment/model.ts";
import { systemClock } from "../../src/host/clock.ts";
import { newRunId } from "../../src/host/ids.ts";
import { createUnshapedLinks } from "../../src/network/unshaped-links.ts";
import { startProcessNodes } from "../../src/testbed/nodes/index.ts";
import { planNetwork } from "../../src/testbed/plan-network.ts";

const at = { file: "", line: 1, column: 1 };
const shape = { bandwidthBps: 0, delayUs: 0, loss: 0 };
const count = Number(process.argv[2]);
const names = Array.from({ length: count }, (_, index) => `node${index}`);
const links = names.map((name, index): Link => {
  const ends = [name, `node${(index + 1) % count}`];
  const members = ends.map((node, port) => {
    const address = `10.${1 + Math.trunc(index / 250)}.${index % 250}.${port + 2}`;
    return { node, port, address, toLink: shape, fromLink: shape };
  });
  return { name: `link${index}`, kind: "link", netmask: "255.255.255.0", members, at };
});
const elapsed = (sinceUs: number): number => (systemClock.nowUs() - sinceUs) / 1_000;

const out = mkdtempSync(join(tmpdir(), "muster-bench-"));
try {
  const beginUs = systemClock.nowUs();
  const network = planNetwork({
    experiment: {
      links,
      nodes: names.map((name) => {
        return { name, osName: "", hardwareType: "", failureAction: "fatal" as const, at };
      }),
    },
    wanted: "own",
    shapeLinks: (commands) => ({ backend: createUnshapedLinks(commands), plans: new Map() }),
  });
  const backend = await startProcessNodes({
    ...{ runId: newRunId(), pid: "bench", eid: "network", domain: "muster.local", out, links },
    ...{ seed: process.pid, syncServer: undefined, environment: [], tools: {}, network },
    ...{ clock: systemClock, onMessage: (_level, _node, text) => process.stderr.write(text) },
    nodes: names.map((name) => ({
      name,
      links: links.flatMap(({ name: link, members }) =>
        members
          .filter(({ node }) => node === name)
          .map(({ address }) => ({ link, experiment: address })),
      ),
    })),
  });
  const upMs = elapsed(beginUs);
  const programUs = systemClock.nowUs();
  const ended = await Promise.all(
    [...backend.nodes.values()].map(async (node) => {
      const log = join(node.hostPath.localLogs, "true.out");
      const spec = { name: "true", argv: ["true"], directory: "", stdout: log, stderr: log };
      const program = await node.spawn(spec);
      if ("startError" in program) throw new Error(program.startError);
      return (await program.done).exitCode;
    }),
  );
  if (ended.some((code) => code !== 0)) throw new Error("a program did not end with 0");
  const programsMs = elapsed(programUs);
  const rssBytes = process.memoryUsage().rss;
  const downUs = systemClock.nowUs();
  await backend.stop();
  const downMs = elapsed(downUs);
  process.stdout.write(`${JSON.stringify({ upMs, programsMs, downMs, rssBytes })}\n`);
} finally {
  rmSync(out, { recursive: true, force: true });
}
process.exit(0);
