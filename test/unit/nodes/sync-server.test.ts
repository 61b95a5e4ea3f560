// SPDX-License-Identifier: MIT
// Goal: a sync server that does not come up is one sentence, and leaves no timer, observer,
// rejection or secret behind.
// Method: a node that starts nothing, or something that ends at once, under virtual time.
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { resolveLimits } from "../../../src/core/limits.ts";
import { MemoryLog } from "../../../src/engine/memory-log.ts";
import { Host } from "../../../src/host/host.ts";
import { silentLogger } from "../../../src/host/logger.ts";
import type { ExitStatus, NodeBackend, RunningNode } from "../../../src/testbed/nodes/index.ts";
import { startSyncServer } from "../../../src/testbed/sync-server.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";

const rejections: unknown[] = [];
const onRejection = (reason: unknown): void => void rejections.push(reason);
let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "muster-syncd-"));
  rejections.length = 0;
  process.on("unhandledRejection", onRejection);
});
afterEach(() => {
  process.off("unhandledRejection", onRejection);
  rmSync(folder, { recursive: true, force: true });
});

async function startOn(spawn: RunningNode["spawn"], registered = Promise.resolve()) {
  const clock = new VirtualClock();
  const log = new MemoryLog({ nowUs: () => clock.nowUs() });
  const host = new Host({ log, clock, limits: resolveLimits(), logger: silentLogger });
  const timers = new Set<object>();
  const counting = {
    ...{ nowUs: () => clock.nowUs(), wallMs: () => clock.wallMs() },
    endOfTurn: (callback: () => void) => clock.endOfTurn(callback),
    after: (delayMs: number, callback: () => void) => {
      const timer = {};
      timers.add(timer);
      const cancel = clock.after(delayMs, () => {
        timers.delete(timer);
        callback();
      });
      return () => {
        timers.delete(timer);
        cancel();
      };
    },
  };
  const observers = new Set<Parameters<Host["observe"]>[0]>();
  vi.spyOn(host, "observe").mockImplementation((observer) => {
    observers.add(observer);
    return () => observers.delete(observer);
  });
  const hostPath = { boot: folder, localLogs: folder, root: folder };
  const node = { name: "n0", addresses: [], calledAt: "127.1.2.3", hostPath, spawn };
  const nodes = new Map([["n0", { ...node, prepare: () => Promise.reject(new Error("no")) }]]);
  const backend: NodeBackend = {
    ...{ mode: "environment", lost: [], nodes, shell: "" },
    ...{ add: () => Promise.resolve(), remove: () => Promise.resolve() },
    stop: () => Promise.resolve(),
  };
  const started = startSyncServer({
    ...{
      backend,
      host,
      node: "n0",
      edge: "n0/syncd",
      memberBarriers: new Map(),
      clients: [...nodes.values()],
      scope: "p/e",
      executable: "emulab-syncd",
      port: 1,
    },
    ...{ socket: "@none", secret: "the secret", clock: counting, onUnexpectedEnd: () => {} },
    registered,
  });
  const outcome = started.then(
    () => "up",
    (error: unknown) => String(error),
  );
  return { clock, outcome, timers, observers };
}

async function expectNothingLeft({
  clock,
  timers,
  observers,
}: Awaited<ReturnType<typeof startOn>>) {
  expect([timers.size, observers.size, readdirSync(folder)]).toEqual([0, 0, []]);
  await clock.pass(20_000_000);
  await new Promise((resolve) => setImmediate(resolve));
  expect(rejections).toEqual([]);
}

test("a server that cannot be started", async () => {
  const started = await startOn(() => Promise.resolve({ startError: "there is none" }));
  expect(await started.outcome).toBe("Error: the sync server: there is none");
  await expectNothingLeft(started);
});

test("a server that ends before it listens", async () => {
  const ended: ExitStatus = { exitCode: 3, signal: null, endedMonotonicUs: 0 };
  const process = { pid: 1, startedMonotonicUs: 0, done: Promise.resolve(ended), signal: () => {} };
  const started = await startOn(() => Promise.resolve(process));
  expect(await started.outcome).toContain("the sync server on n0 ended with exit code 3");
  await expectNothingLeft(started);
});

test("a server that never listens, though starting it takes longer than the limit", async () => {
  const { promise: spawned, resolve } = Promise.withResolvers<{ startError: string }>();
  const started = await startOn(() => spawned);
  await started.clock.pass(61_000_000);
  await new Promise((done) => setImmediate(done));
  resolve({ startError: "too late" });
  expect(await started.outcome).toBe("Error: the sync server: too late");
  await expectNothingLeft(started);
});

const running = {
  ...{ pid: 1, startedMonotonicUs: 0, signal: () => {} },
  done: new Promise<ExitStatus>(() => undefined),
};

/** The core takes in the server's first command. */
function attach({ observers }: Awaited<ReturnType<typeof startOn>>): void {
  const batch = { edge: "n0/syncd", incarnation: 1, number: 1, commands: [] };
  const entry = { sequence: 1, stampUs: 0, entry: { format: 1 as const, batches: [batch] } };
  for (const observe of observers) {
    observe(entry, { nowUs: 0, addressed: [], observed: [], keptPayloads: [], freedPayloads: [] });
  }
}

test("a server that listens is up when it is registered, and not before", async () => {
  const registration = Promise.withResolvers<void>();
  const started = await startOn(() => Promise.resolve(running), registration.promise);
  let isUp = false;
  void started.outcome.then(() => {
    isUp = true;
  });
  attach(started);
  await new Promise((done) => setImmediate(done));
  expect(isUp).toBe(false);
  registration.resolve();
  expect(await started.outcome).toBe("up");
  await expectNothingLeft(started);
});

test("a server that listens and is never registered", async () => {
  const started = await startOn(() => Promise.resolve(running), new Promise(() => undefined));
  attach(started);
  await started.clock.pass(61_000_000);
  expect(await started.outcome).toContain("did not register its port");
  await expectNothingLeft(started);
});

test("the secret is handed over in a file that only its owner reads", async () => {
  let seen: unknown;
  const started = await startOn((spec) => {
    const file = spec.environment?.["MUSTER_CORE_SECRET_FILE"] ?? "";
    const environment = JSON.stringify(spec.environment).includes("the secret");
    seen = [readFileSync(file, "utf8"), statSync(file).mode & 0o777, environment];
    return Promise.resolve({ startError: "enough" });
  });
  await started.outcome;
  expect(seen).toEqual(["the secret", 0o600, false]);
  await expectNothingLeft(started);
});
