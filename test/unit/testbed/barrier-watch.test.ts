// SPDX-License-Identifier: MIT
// Goal: what the core does becomes run events with times of the run: entries, barriers as they fill
// and end, slow waits, sequences that the agenda starts itself.
// Method: a real host on a memory log, with a clock moved by hand.
import { expect, it } from "vitest";
import { defaultLimits } from "../../../src/core/limits.ts";
import { MemoryLog } from "../../../src/engine/memory-log.ts";
import type { BarrierDeclaration } from "../../../src/experiment/model.ts";
import { Host } from "../../../src/host/host.ts";
import { BarrierWatch } from "../../../src/testbed/barrier-watch.ts";
import { fileParticipant } from "../../../src/testbed/declared-barriers.ts";
import type { RunEvent } from "../../../src/testbed/run-event.ts";
import { TimeBase } from "../../../src/testbed/time-base.ts";
import { within } from "../core/agenda/bench.ts";
import { FakeClock } from "../record/fake-clock.ts";
import { settle } from "./fake-backend.ts";

const ms = 1_000;
const scope = "p/e";

async function setUp(declared: readonly BarrierDeclaration[] = []) {
  const clock = new FakeClock();
  const log = new MemoryLog({ nowUs: () => clock.nowUs() });
  const silent = { log: () => undefined };
  const host = new Host({ log, clock, limits: defaultLimits, logger: silent, steadyTicks: true });
  const time = new TimeBase();
  const events: RunEvent[] = [];
  const watch = new BarrierWatch({
    ...{ host, scope, clock, time, declared, nodeOf: () => undefined },
    say: (body, us) => events.push({ ...body, atUs: time.fromMonotonic(us) }),
  });
  const to = async (us: number): Promise<void> => {
    for (let at = clock.nowUs(); ; at = Math.min(us, at + 100 * ms)) {
      clock.advanceTo(at);
      clock.endTurn();
      await settle();
      if (at === us) return;
    }
  };
  await host.start();
  watch.start();
  const link = host.connectEdge("test", { onEffects: () => undefined });
  link.submit({ kind: "open-scope", scope, nodes: ["n0", "n1"] });
  await to(1_000 * ms);
  time.setZero(1_000 * ms);
  events.length = 0;
  const wait = (connection: number, node: string, error = 0) => {
    const who = { address: `127.0.0.1:${connection}/tcp`, node };
    link.submit({ kind: "count-wait", scope, barrier: "meet", connection, who, error });
  };
  const init = (connection: number, node: string, count: number) => {
    const who = { address: `127.0.0.1:${connection}/tcp`, node };
    const facts = { scope, barrier: "meet", connection, who, error: 0 };
    link.submit({ kind: "count-init", ...facts, count, waits: true });
  };
  const told = <T extends RunEvent["type"]>(type: T) =>
    events.filter((event): event is RunEvent & { type: T } => event.type === type);
  return { link, watch, events, to, wait, init, told };
}

it("tells of a barrier as it fills, and of its end with who came when", async () => {
  const { to, wait, init, told } = await setUp();
  init(1, "n0", 1);
  await to(1_200 * ms);
  expect(told("barrier-changed")).toMatchObject([
    { name: "meet", arrived: 1, expected: 2, waiting: ["n0"] },
  ]);
  expect(told("barrier-changed")[0]?.missing.join()).toContain("n1");
  wait(2, "n1", 42);
  await to(1_300 * ms);
  expect(told("barrier-ended")).toMatchObject([
    {
      ...{ name: "meet", outcome: "crossed", expected: 2, error: 42, crossedUs: 200 * ms },
      participants: [
        { name: "anonymous, from n0", node: "n0", arrivedUs: 0, releasedUs: 200 * ms },
        { name: "anonymous, from n1", node: "n1", arrivedUs: 200 * ms, releasedUs: 200 * ms },
      ],
    },
  ]);
  expect(told("log").length).toBeGreaterThan(0);
});

it("does not repeat a state that has not changed", async () => {
  const { to, wait, told } = await setUp();
  wait(1, "n0");
  await to(5_000 * ms);
  expect(told("barrier-changed")).toHaveLength(1);
});

it("tells who is missing anew when nodes come and go", async () => {
  const { link, to, init, told } = await setUp();
  init(1, "n0", 1);
  await to(1_200 * ms);
  link.submit({ kind: "open-scope", scope, nodes: ["n0", "n2"] });
  await to(1_400 * ms);
  const missing = told("barrier-changed").map((event) => event.missing.join());
  expect(missing).toHaveLength(2);
  expect(missing[0]).toContain("n1");
  expect(missing[1]).toContain("n2");
  expect(missing[1]).not.toContain("n1");
});

it("tells once of a wait that gets long", async () => {
  const { to, wait, told } = await setUp();
  wait(1, "n0");
  await to(30_000 * ms);
  expect(told("barrier-slow")).toMatchObject([
    { name: "meet", arrived: ["anonymous, from n0"], atUs: expect.closeTo(10_000 * ms, -6) },
  ]);
});

it("says who left before the end, as not released", async () => {
  const { link, to, wait, init, told } = await setUp();
  init(1, "n0", 1);
  await to(1_100 * ms);
  init(2, "n1", 1);
  await to(1_150 * ms);
  link.submit({ kind: "leave", connection: 1 });
  wait(3, "n1");
  await to(1_200 * ms);
  const [end] = told("barrier-ended");
  const released = end?.participants.filter(({ releasedUs }) => releasedUs !== null);
  expect(end?.participants).toHaveLength(3);
  expect(released?.map(({ node }) => node)).toEqual(["n1", "n1"]);
});

it("tells of a sequence that the agenda starts itself, and of one that it refuses", async () => {
  const { link, to, told } = await setUp();
  const start = (id: number, object: string) => ({
    atUs: 500 * ms,
    event: { id, object, type: "SEQUENCE", event: "START", args: "" },
  });
  const step = { id: 9, object: "p", type: "PROGRAM", event: "RUN", args: "" };
  link.submit({
    kind: "agenda-load",
    scope,
    agents: [],
    groups: [],
    main: [start(4, "known"), start(1, "unknown")],
    timelines: [],
    sequences: [{ name: "known", steps: [{ atUs: 0, event: step }] }],
  });
  link.submit({ kind: "agenda-start", scope });
  await to(2_000 * ms);
  expect(told("event-fired")).toMatchObject([
    { id: 4, object: "known", plannedUs: 500 * ms, firedUs: 500 * ms, outcome: "done" },
    { id: 1, object: "unknown", outcome: expect.stringMatching(/^failed: /) },
  ]);
});

it("says nothing after stop()", async () => {
  const { watch, events, to, wait } = await setUp();
  watch.stop();
  events.length = 0;
  wait(1, "n0");
  await to(3_000 * ms);
  expect(events).toEqual([]);
});

it("names who is missing at a quorum of the file, and says of a barrier that it decides nothing", async () => {
  const declared: BarrierDeclaration = {
    ...{ name: "some", rule: { kind: "quorum", share: 0.6 }, members: ["n0", "n1", "p"] },
    ...{ deadlineUs: 0, onFailure: "continue", at: { file: "", line: 1, column: 1 } },
  };
  const { link, to, told } = await setUp([declared]);
  const at = { scope, barrier: "some", who: fileParticipant };
  const quorum = { kind: "count", count: 2 } as const;
  link.submit({ kind: "quorum-init", ...at, connection: 1, quorum, echo: "automatic" });
  const who = { address: "127.0.0.1:2/tcp", node: "n1", name: "n1" };
  link.submit({ kind: "quorum-wait", ...at, who, connection: 2, error: 0 });
  await to(1_100 * ms);
  expect(told("barrier-changed").at(-1)).toMatchObject({ arrived: 1, missing: ["n0", "p"] });
  link.submit({ kind: "close-scope", scope, error: 240 });
  await to(1_200 * ms);
  expect(told("barrier-ended")).toMatchObject([
    { name: "some", outcome: "cancelled", missing: ["n0", "p"], isOptional: true },
  ]);
});

it("tells at the end of what was sent and never fired, and of nothing that fired or was taken back", async () => {
  const { link, watch, to, told } = await setUp();
  const load = { groups: [], main: [], timelines: [], sequences: [] };
  const agents = [{ name: "prog", type: "PROGRAM", node: "n0" }];
  link.submit({ kind: "agenda-load", scope, agents, ...load });
  link.submit({ kind: "agenda-start", scope, inUs: 0 });
  const send = (request: number, inUs: number): void => {
    const what = { object: "prog", event: "RUN", args: "", at: within(inUs) };
    link.submit({ kind: "agenda-schedule", scope, request, ...what });
  };
  send(1, 0);
  send(2, 3_600_000 * ms);
  send(3, 3_600_000 * ms);
  await to(1_100 * ms);
  link.submit({ kind: "agenda-fired", scope, token: 1, firedStampUs: 1, outcome: "done" });
  link.submit({ kind: "agenda-cancel", scope, request: 4, id: 2 });
  await to(1_200 * ms);
  link.submit({ kind: "agenda-halt", scope });
  await to(1_300 * ms);
  watch.stop();
  expect(told("event-cancelled")).toMatchObject([
    { id: 2 },
    { id: 3, object: "prog", why: "the run ended before", isLeftOver: true },
  ]);
  expect(told("event-cancelled")[0]).not.toHaveProperty("isLeftOver");
});
