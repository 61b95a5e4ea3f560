// SPDX-License-Identifier: MIT
// Goal: emulab-syncd inside a run is a door of the run's core, and not its memory (D14).
// Method: the core in this process behind a UNIX socket, the server as a process of its own.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { resolveLimits } from "../../src/core/limits.ts";
import { MemoryLog } from "../../src/engine/memory-log.ts";
import { systemClock } from "../../src/host/clock.ts";
import { Host } from "../../src/host/host.ts";
import { LinkListener } from "../../src/host/link-listener.ts";
import { silentLogger } from "../../src/host/logger.ts";
import { until } from "../unit/syncd/harness.ts";
import { type Program, runSync, runSyncd, startSyncd } from "../unit/syncd/programs.ts";

const scope = "pid/eid";
const secret = "0123456789abcdef";
const nodes = { "127.0.0.21": "node0", "127.0.0.22": "node1", "127.0.0.23": "node2" };
let folder: string;
let host: Host;
let listener: LinkListener;
let program: Program | undefined;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "muster-test-"));
  const log = new MemoryLog({ nowUs: systemClock.nowUs });
  const limits = resolveLimits({ edgeLeaseUs: 200_000 });
  host = new Host({ log, clock: systemClock, limits, logger: silentLogger });
  await host.start();
  const admitted = [{ edge: "node0/syncd", secret, rights: { kind: "sync", scope } as const }];
  listener = new LinkListener({ host, admitted, logger: silentLogger });
  await listener.listen(join(folder, "core"));
});
afterEach(async () => {
  await program?.end();
  program = undefined;
  await listener.close();
  await host.close();
  rmSync(folder, { recursive: true });
});

function environment(): Record<string, string> {
  return {
    MUSTER_CORE_SOCKET: join(folder, "core"),
    MUSTER_CORE_SECRET: secret,
    MUSTER_SCOPE: scope,
    MUSTER_NODE: "node0",
    MUSTER_SYNCD_ADDRESSES: JSON.stringify(nodes),
  };
}

async function start(): Promise<number> {
  const started = await startSyncd(["--pidfile", join(folder, "pid")], environment());
  program = started.program;
  return started.port;
}

function arrived(count: number): Promise<void> {
  return until(() => (host.describe(scope).barriers[0]?.arrived ?? 0) === count, `${count} there`);
}

test("the address called at names the node, over both transports, also to who times out", async () => {
  const port = await start();
  host.connectEdge("test", { onEffects: () => undefined }).submit({
    kind: "open-scope",
    scope,
    nodes: Object.values(nodes),
  });
  const over = (address: string, ...args: string[]): Program =>
    runSync(["-s", address, "-p", String(port), ...args]);
  const udp = over("127.0.0.22", "-u");
  await arrived(1);
  const late = await over("127.0.0.21", "-i", "2", "--timeout", "0.3").ended;
  expect(late.code).toBe(241);
  expect(late.stderr).toContain("2 of 3 arrived (node1, node0); missing: anonymous, from node");
  expect(late.stderr).toContain("node2");
  await arrived(1);
  const rest = [over("127.0.0.21", "-i", "2", "-e", "5"), over("127.0.0.23")];
  const ends = await Promise.all([udp, ...rest].map(({ ended }) => ended));
  expect(ends.map(({ code }) => code)).toEqual([5, 5, 5]);
});

test("a client over UDP that times out before its first repeat is off the list at once", async () => {
  // Mutant: the client sends no leave: the server would count it for ever.
  const port = await start();
  const args = ["-s", "127.0.0.21", "-p", String(port), "-u", "--timeout", "0.2"];
  const { code, stderr } = await runSync(args).ended;
  expect(code).toBe(241);
  expect(stderr).toContain(": 1 arrived (node0)");
  await arrived(0);
});

test("a server that is killed takes its waiters off the list when its lease ends", async () => {
  const port = await start();
  const client = runSync(["-s", "127.0.0.21", "-p", String(port)]);
  await arrived(1);
  await program?.end("SIGKILL");
  expect((await client.ended).code).toBe(76);
  await arrived(0);
});

test("a wrong secret ends the server with a message", async () => {
  const { ended } = runSyncd(["--foreground", "--pidfile", join(folder, "pid")], {
    ...environment(),
    MUSTER_CORE_SECRET: "wrong",
  });
  const { code, stderr } = await ended;
  expect(code).toBe(1);
  expect(stderr).toContain("emulab-syncd: the core refuses this server: ");
});

test("a run that is not described whole is refused with what is missing", async () => {
  const { ended } = runSyncd(["--foreground"], { ...environment(), MUSTER_NODE: "" });
  const { code, stderr } = await ended;
  expect(code).toBe(1);
  expect(stderr).toContain("MUSTER_NODE is not; set it");
});
