// SPDX-License-Identifier: MIT
// Goal: the large numbers. 15,000 waiting TCP clients, a storm of 10,000 connects without a
// refusal, 50,000 UDP waiters on one socket with every datagram accounted for.
// Method: the shipped server in a process of its own, clients in others; nothing sleeps for a
// result.
import { afterEach, beforeEach, expect, test } from "vitest";
import { listenOverflows, udpDrops } from "../../bench/syncd/kernel.ts";
import { Remote } from "../../bench/syncd/rpc.ts";
import type { UdpCounters } from "../../src/edges/syncd/index.ts";

let server: Remote;
let port: number;
const generators: Remote[] = [];

beforeEach(async () => {
  server = new Remote("./serve-ours.ts");
  port = await server.call<number>("port");
});
afterEach(() => {
  server.end();
  for (const generator of generators.splice(0)) generator.end();
});

async function startGenerators(count: number): Promise<readonly Remote[]> {
  for (let index = 0; index < count; index += 1) {
    const generator = new Remote("./generator.ts");
    generators.push(generator);
    await generator.call("port", port);
    await generator.call("source", index + 1);
  }
  return generators;
}

interface Release {
  readonly answered: number;
  readonly failed: number;
}

test("15,000 TCP clients wait and are released; those who vanish are uncounted", async () => {
  const count = 15_000;
  const [crowd, others] = await startGenerators(2);
  await crowd?.call("connect", count);
  await crowd?.call("send");
  await server.until("arrived", count);
  await others?.call("connect", 500);
  await others?.call("send");
  await server.until("arrived", count + 500);
  await others?.call("vanish", 500);
  await server.until("arrived", count);
  const result = await crowd?.call<Release>("release", count);
  expect(result).toMatchObject({ answered: count + 1, failed: 0 });
  await server.until("open", 0);
});

test("a storm of 10,000 connects is taken without a refusal", async () => {
  // Faults 3 and 4 at full size. Mutant: one listener with a backlog of 128.
  const count = 10_000;
  const both = await startGenerators(2);
  const before = listenOverflows();
  await Promise.all(both.map((generator) => generator.call("storm", count / 2)));
  await server.until("arrived", count);
  expect(listenOverflows() - before).toBe(0);
  await both[0]?.call<Release>("release", count);
  await both[1]?.until("answered", count / 2);
  for (const generator of both) expect(await generator.call("failed")).toBe(0);
});

test("50,000 UDP waiters on one socket: all released, every repeat and loss accounted for", async () => {
  const count = 50_000;
  const four = await startGenerators(4);
  await Promise.all(four.map((generator) => generator.call("openUdp", count / 4)));
  await Promise.all(four.map((generator) => generator.call("sendUdp")));
  // Those whose datagram the kernel dropped come in by their repeats.
  const repeat = async (): Promise<number> => {
    const waiting = await Promise.all(four.map((generator) => generator.call<number>("repeatUdp")));
    return waiting.reduce((sum, value) => sum + value, 0);
  };
  while ((await server.call<number>("arrived")) < count) await repeat();
  // The master comes over TCP, from a generator that has no TCP clients.
  const release = await four[0]?.call<Release>("release", count);
  expect(release).toMatchObject({ answered: 1, failed: 0 });
  while ((await repeat()) > 0);
  const totals = await Promise.all(
    four.map((generator) => generator.call<{ sent: number; answers: number }>("udpTotals")),
  );
  const sent = totals.reduce((sum, { sent: value }) => sum + value, 0);
  let counters = await server.call<UdpCounters>("udp");
  let lost = udpDrops(port);
  // The last repeats may still be on their way into the server.
  while (counters.requests + counters.repeats + lost < sent) {
    counters = await server.call<UdpCounters>("udp");
    lost = udpDrops(port);
  }
  expect(counters).toMatchObject({ requests: count, refused: 0, dropped: 0, dead: 0 });
  expect(counters.requests + counters.repeats + lost).toBe(sent);
  expect(counters.answers).toBeGreaterThanOrEqual(count);
  await Promise.all(four.map((generator) => generator.call("closeUdp")));
});
