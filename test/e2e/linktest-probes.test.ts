// SPDX-License-Identifier: MIT
// Goal: probes measure what packets really meet, each fault is found in its direction, and nothing
// of a test is left when it is cancelled or a probe cannot run.
// Method: real probe processes that meet at a real sync server; between them relays of this test,
// which delay and lose by their own counting, so that prober and link share no code.
import { spawn } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../src/host/clock.ts";
import {
  type LinktestEdge,
  type LinktestLimits,
  linktestLimits,
  planLinktest,
  type Verdict,
} from "../../src/linktest/index.ts";
import {
  type LinktestOutcome,
  type ProbeHost,
  probePort,
  runLinktest,
} from "../../src/testbed/linktest/run-linktest.ts";
import { startServer, type TestServer } from "../unit/syncd/harness.ts";

const probeMain = new URL("../../src/testbed/linktest/probe-main.ts", import.meta.url).pathname;
/** Addresses of the loopback net that no other test has, by the process. */
const net = `127.${100 + (process.pid % 100)}.${(process.pid >> 7) % 256}`;
const addresses = { a: `${net}.1`, b: `${net}.2`, relayA: `${net}.3`, relayB: `${net}.4` };
/** So few that what comes while this process stands still fits into a relay's socket. */
const limits: LinktestLimits = { ...linktestLimits, packetsPerSecondMax: 200 };

interface Fault {
  readonly delayMs?: number;
  /** One of so many is lost. */
  readonly loseOneIn?: number;
}

/** Passes on what comes for `to`, as if it came from `from`. */
async function relay(at: string, far: { from: string; to: string }, fault: Fault): Promise<Socket> {
  const socket = createSocket({ type: "udp4", recvBufferSize: 1 << 22 });
  socket.bind(probePort, at);
  await once(socket, "listening");
  let [count, isOpen] = [0, true];
  socket.on("close", () => {
    isOpen = false;
  });
  socket.on("message", (bytes) => {
    count += 1;
    const { loseOneIn, delayMs = 0 } = fault;
    if (loseOneIn !== undefined && count % loseOneIn === 0) return;
    const send = (): void => {
      if (isOpen) out.get(far.from)?.send(bytes, probePort, far.to);
    };
    if (delayMs === 0) send();
    else setTimeout(send, delayMs);
  });
  return socket;
}

/** By the address that packets seem to come from. */
const out = new Map<string, Socket>();
let server: TestServer;
const running = new Set<number>();

beforeEach(async () => {
  server = await startServer("memory log");
});
afterEach(async () => {
  for (const socket of out.values()) socket.close();
  out.clear();
  await server.close();
  expect(running.size).toBe(0);
});

/** `a` sees `b` at the relay in front of it, and the other way round. */
async function connect(there: Fault, back: Fault): Promise<void> {
  const { a, b, relayA, relayB } = addresses;
  out.set(relayB, await relay(relayB, { from: relayA, to: b }, there));
  out.set(relayA, await relay(relayA, { from: relayB, to: a }, back));
}

const host = (): ProbeHost => ({
  meetingOf: () => ({ address: "127.0.0.1", port: server.syncd.port }),
  addressOf: (node) => (node === "a" ? addresses.a : node === "b" ? addresses.b : undefined),
  start: async (node, order) => {
    const peer = { ...order.peer, address: node === "a" ? addresses.relayB : addresses.relayA };
    const child = spawn(process.execPath, [probeMain, JSON.stringify({ ...order, peer })]);
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (text: Buffer) => {
      stdout += text.toString();
    });
    child.stderr.on("data", (text: Buffer) => {
      stderr += text.toString();
    });
    running.add(child.pid ?? 0);
    const answer = once(child, "close").then(([code]) => {
      running.delete(child.pid ?? 0);
      return code === 0 ? JSON.parse(stdout) : `the probe of ${node} ended: ${stderr.trim()}`;
    });
    return { answer, end: () => child.kill("SIGKILL") };
  },
});

interface Asked extends Partial<LinktestEdge> {
  readonly first: 1 | 2 | 3 | 4;
  readonly last: 1 | 2 | 3 | 4;
  readonly interrupt?: AbortSignal;
}

async function test({ first, last, interrupt, ...asked }: Asked): Promise<LinktestOutcome> {
  const shape = { bandwidthBps: 50_000_000, delayMs: 0, loss: 0, queue: "droptail", ...asked };
  const edge = (from: string, to: string) => ({ from, to, link: "l", ...shape }) as LinktestEdge;
  const edges = [edge("a", "b"), edge("b", "a")];
  const map = { nodes: ["a", "b"], edges, routing: "none", simulator: "ns" };
  const plan = planLinktest(map, { first, last }, limits);
  return await runLinktest({
    ...{ map, plan, limits, host: host(), clock: systemClock, session: process.pid % 65_536 },
    ...(interrupt === undefined ? {} : { interrupt }),
  });
}

const short = ({ verdicts }: LinktestOutcome) =>
  verdicts.map(({ stage, edge, verdict }: Verdict) => `${stage} ${edge.from}${edge.to} ${verdict}`);

describe("probes", () => {
  it("find nothing wrong with a link that is as asked for", async () => {
    await connect({ delayMs: 5 }, { delayMs: 5 });
    expect(short(await test({ first: 1, last: 3, delayMs: 5 }))).toEqual([
      ...["latency ab ok", "latency ba ok", "loss ab ok", "loss ba ok"],
    ]);
  });

  it("find 4 ms too much, and losses, each in its direction", async () => {
    await connect({ delayMs: 9 }, { delayMs: 5, loseOneIn: 100 });
    const outcome = await test({ first: 1, last: 3, delayMs: 5 });
    expect(short(outcome)).toEqual([
      ...["latency ab bad", "latency ba ok", "loss ab ok", "loss ba bad"],
    ]);
    const lost = outcome.verdicts.find(({ stage, edge }) => stage === "loss" && edge.from === "b");
    expect(lost?.measured).toBeCloseTo(0.01, 3);
    expect(outcome.verdicts[0]?.measured).toBeGreaterThan(9);
  });

  it("find a link that is not shaped, by its rate and by the losses it lacks", async () => {
    await connect({}, {});
    const outcome = await test({ first: 3, last: 4, loss: 0.1, bandwidthBps: 1_000_000 });
    expect(short(outcome)).toEqual([
      ...["loss ab bad", "loss ba bad", "bandwidth ab bad", "bandwidth ba bad"],
    ]);
    expect(outcome.verdicts[2]?.why).toMatch(/% more than asked for/);
  });

  it("say that nothing comes over a link that is down", async () => {
    await connect({ loseOneIn: 1 }, {});
    const outcome = await test({ first: 1, last: 1 });
    expect(short(outcome)).toEqual(["latency ab bad", "latency ba bad"]);
    expect(outcome.verdicts[0]?.why).toMatch(/^none of \d+ packets came there and back$/);
  });

  it("that cannot run make their directions untestable, with the reason", async () => {
    const socket = createSocket("udp4").bind(probePort, addresses.a);
    await once(socket, "listening");
    const outcome = await test({ first: 1, last: 1 });
    socket.close();
    expect(short(outcome)).toEqual(["latency ab untestable", "latency ba untestable"]);
    expect(outcome.verdicts[0]?.why).toMatch(/the probe of a ended: .*EADDRINUSE/);
    expect(outcome.notProbed).toEqual(outcome.verdicts);
  });

  it("are gone when the test that was cancelled has ended", async () => {
    await connect({}, {});
    const cancel = new AbortController();
    const tested = test({ first: 3, last: 4, interrupt: cancel.signal });
    await expect.poll(() => running.size, { timeout: 60_000 }).toBe(2);
    cancel.abort();
    expect(await tested).toEqual({ verdicts: [], notProbed: [], isCancelled: true });
    expect(running.size).toBe(0);
  });
});
