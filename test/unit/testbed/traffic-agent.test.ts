// SPDX-License-Identifier: MIT
// Goal: flows send and receive between real sockets as events say, and every packet is accounted
// for: sent and received, or lost in the generator, or lost on the way.
// Method: loopback and the real threads; the test waits for counts and never for a while.
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import type { TrafficFlow } from "../../../src/experiment/model.ts";
import { systemClock } from "../../../src/host/clock.ts";
import {
  type FlowCounts,
  TrafficAgent,
} from "../../../src/testbed/agents/trafgen/traffic-agent.ts";

const end = { name: "e", node: "n", port: 1, address: "" };
const base: TrafficFlow = {
  ...{ name: "f", kind: "cbr", protocol: "udp", source: end, sink: end, packetBytes: 500 },
  ...{ rateBps: 40_000_000, intervalSeconds: undefined, tos: undefined },
  at: { file: "a.ns", line: 1, column: 1 },
};

const agents: TrafficAgent[] = [];
afterEach(async () => {
  await Promise.all(agents.splice(0).map((agent) => agent.close()));
});

/** A port that nobody uses now. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

async function newAgent(part: Partial<TrafficFlow> = {}): Promise<TrafficAgent> {
  const [source, sink] = [await freePort(), await freePort()];
  const agent = new TrafficAgent({
    flows: [{ ...base, ...part }],
    locate: ({ protocol }) => ({
      protocol,
      source: { address: "127.0.0.1", port: source },
      sink: { address: "127.0.0.1", port: sink },
    }),
    clock: systemClock,
  });
  agents.push(agent);
  return agent;
}

async function until(
  agent: TrafficAgent,
  isSo: (counts: FlowCounts) => boolean,
): Promise<FlowCounts> {
  for (;;) {
    const [counts] = await agent.counts();
    if (counts !== undefined && isSo(counts)) return counts;
    await new Promise(setImmediate);
  }
}

describe.each(["udp", "tcp"] as const)("a flow of %s", (protocol) => {
  it("is sent from START to STOP, and everything is accounted for", async () => {
    const agent = await newAgent({ protocol });
    // Implied setup.
    expect((await agent.start("f", "")).outcome).toBe("done");
    await until(agent, ({ sentPackets }) => sentPackets >= 300);
    expect((await agent.stop("f")).outcome).toBe("done");
    const sent = (await agent.counts())[0]?.sentPackets ?? 0;
    const counts = await until(agent, ({ receivedPackets }) => receivedPackets >= sent);
    expect(counts).toMatchObject({
      ...{ name: "f", protocol, sentPackets: sent, sentBytes: sent * 500 },
      ...{ receivedPackets: sent, receivedBytes: sent * 500 },
    });
  });

  it("can be set up before, is changed while it runs, and is opened anew by RESET", async () => {
    const agent = await newAgent({ protocol });
    expect(await agent.startTime()).toEqual([]);
    await agent.start("f", "rate=80000");
    await until(agent, ({ sentPackets }) => sentPackets > 0);
    expect((await agent.modify("f", "PACKETSIZE=250")).outcome).toBe("done");
    await until(agent, ({ sentPackets, sentBytes }) => sentBytes < sentPackets * 500);
    expect((await agent.reset("f")).outcome).toBe("done");
    expect(await agent.counts()).toMatchObject([{ sentPackets: 0, receivedBytes: 0 }]);
    // Idle until it is started.
    await agent.start("f", "");
    await until(agent, ({ receivedBytes }) => receivedBytes > 0);
  });
});

describe("a flow", () => {
  it("that is started for an instant sends nothing before it", async () => {
    const agent = await newAgent();
    const dueUs = systemClock.nowUs() + 3_600_000_000;
    await agent.startTime();
    const start = agent.start("f", "", { dueUs });
    expect(await agent.counts()).toMatchObject([{ sentPackets: 0, generatorLostPackets: 0 }]);
    expect((await agent.stop("f")).outcome).toBe("done");
    expect((await start).outcome).toBe("cancelled");
  });

  it("tells the instant of its first packet, as its thread read it", async () => {
    const agent = await newAgent();
    await agent.startTime();
    const dueUs = systemClock.nowUs() + 10_000;
    const { firedMonotonicUs, outcome } = await agent.start("f", "", { dueUs });
    expect(outcome).toBe("done");
    expect(firedMonotonicUs).toBeGreaterThanOrEqual(dueUs);
    expect(firedMonotonicUs).toBeLessThanOrEqual(systemClock.nowUs());
  });

  it("whose START is invalid is idle, whose MODIFY is invalid goes on", async () => {
    const agent = await newAgent();
    await agent.start("f", "");
    expect((await agent.modify("f", "RATE=0")).outcome).toMatch(/^failed: RATE must/);
    const { sentPackets } = await until(agent, (counts) => counts.sentPackets > 0);
    await until(agent, (counts) => counts.sentPackets > sentPackets);
    expect((await agent.start("f", "PACKETSIZE=0")).outcome).toMatch(/^failed: PACKETSIZE must/);
    const [stopped] = await agent.counts();
    await new Promise(setImmediate);
    expect((await agent.counts())[0]?.sentPackets).toBe(stopped?.sentPackets);
  });

  it("that asks for more than can be sent loses the rest in the generator, and says so", async () => {
    const agent = await newAgent({ rateBps: undefined, intervalSeconds: 0.000_001 });
    await agent.start("f", "");
    const counts = await until(agent, ({ generatorLostPackets }) => generatorLostPackets > 0);
    expect(counts.sentPackets).toBeGreaterThan(0);
  });

  it("whose port is taken fails, and says by whom to look", async () => {
    const taken = createSocket("udp4");
    await new Promise<void>((resolve) => taken.bind(0, "127.0.0.1", resolve));
    const agent = new TrafficAgent({
      flows: [base],
      locate: ({ protocol }) => ({
        protocol,
        source: { address: "127.0.0.1", port: 0 },
        sink: { address: "127.0.0.1", port: taken.address().port },
      }),
      clock: systemClock,
    });
    agents.push(agent);
    expect((await agent.start("f", "")).outcome).toMatch(/^failed: f: .*EADDRINUSE/);
    taken.close();
  });

  it.each([
    ["of another kind", { kind: "ftp" } as const, /simulator/],
    ["without addresses", {}, /^failed: nowhere$/],
  ])("%s is refused", async (_what, part, why) => {
    const agent = new TrafficAgent({
      ...{ flows: [{ ...base, ...part }], locate: () => "nowhere", clock: systemClock },
    });
    agents.push(agent);
    expect((await agent.start("f", "")).outcome).toMatch(why);
    expect((await agent.start("g", "")).outcome).toBe("failed: there is no traffic generator g");
  });
});
