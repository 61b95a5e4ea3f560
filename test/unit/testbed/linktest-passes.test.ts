// SPDX-License-Identifier: MIT
// Goal: a loss that the machine or a probe caused is never a verdict of the link: such a direction
// is probed once more, and what stays unknown is untestable; what a busy machine could have brought
// about has to be found twice, in every stage; what else was judged is not judged again.
// Method: the player of a linktest with probes that answer by hand, no process and no network.
import { describe, expect, it } from "vitest";
import { systemClock } from "../../../src/host/clock.ts";
import {
  type LinktestEdge,
  linktestLimits,
  planLinktest,
  type Verdict,
} from "../../../src/linktest/index.ts";
import { frameBytes, ratePayloadBytes } from "../../../src/linktest/linktest-limits.ts";
import { lossSample, lossSteps } from "../../../src/testbed/linktest/pass-orders.ts";
import type { ProbeAnswer, ProbeOrder } from "../../../src/testbed/linktest/probe-order.ts";
import { type ProbeHost, runLinktest } from "../../../src/testbed/linktest/run-linktest.ts";

const edge = (from: string, to: string): LinktestEdge => ({
  ...{ from, to, link: "l", bandwidthBps: 2_000_000, delayMs: 5, loss: 0, queue: "droptail" },
});
const edges = [edge("a", "b"), edge("b", "a")];
const map = { nodes: ["a", "b"], edges, routing: "none", simulator: "ns" };
const plan = planLinktest(map, { first: 3, last: 3 }, linktestLimits);
const packets = plan.loss?.passes[0]?.[0]?.probes[0]?.packets ?? 0;

/** What a receiver counts, by its node, pass after pass. */
interface Pass {
  /** Of what `b` sends. */
  readonly a: Partial<NonNullable<ProbeAnswer["steps"][number]["received"]>>;
  readonly b?: Pass["a"];
  readonly lostByMachine?: number;
  /** Who shapes was so late with a packet. */
  readonly lateUs?: number;
  readonly sent?: number;
  /** One way each, of every ping. */
  readonly pingMs?: readonly [there: number, back: number];
  /** The probe of `a` cannot run. */
  readonly isBroken?: boolean;
}

function answerOf(node: "a" | "b", { sent = packets, pingMs, ...pass }: Pass): ProbeAnswer {
  const times = { firstUs: 0, lastUs: 1_000, between: packets - 1, endedUs: 2_000_000 };
  const received = { packets, overflowed: 0, ...times };
  const [thereUs, backUs] = (pingMs ?? []).map((ms) => Array.from({ length: 40 }, () => ms * 1e3));
  const step = {
    sent: { packets: sent, tookUs: 1_000, lastUs: 1_000_000 },
    received: { ...received, ...pass[node] },
    ...(thereUs === undefined || backUs === undefined
      ? {}
      : { ping: { sent: 40, thereUs, backUs } }),
  };
  return { steps: [step] };
}

/** @returns how many passes were played, and verdicts by sender */
async function play(
  passes: readonly Pass[],
  isDeaf = false,
  played = plan,
  isChanged: (link?: string) => boolean = () => false,
) {
  let [started, lost] = [0, 0];
  const health = { late: 7, lagMaxUs: 9_000_000 };
  const host: ProbeHost = {
    meetingOf: () => ({ address: "", port: 0 }),
    addressOf: (node) => node,
    start: async (node, _order: ProbeOrder) => {
      const pass = passes[started >> 1];
      started += 1;
      if (pass === undefined) throw new Error("a pass more than expected");
      if (node === "a") lost += pass.lostByMachine ?? 0;
      if (node === "a" && pass.lateUs !== undefined) {
        health.late += 1;
        health.lagMaxUs = pass.lateUs;
      }
      if (node === "a" && pass.isBroken === true) return "no process can be started";
      const answer = Promise.resolve(answerOf(node === "a" ? "a" : "b", pass));
      return { answer, end: () => undefined };
    },
  };
  const { verdicts } = await runLinktest({
    ...{ map, plan: played, limits: linktestLimits, host, clock: systemClock, session: 1 },
    lostByMachine: async () => {
      if (isDeaf) throw new Error("the delay node does not answer");
      return lost;
    },
    shaperHealth: () => ({ ...health }),
    isChanged,
  });
  const of = (from: string): Verdict | undefined => verdicts.find((one) => one.edge.from === from);
  expect(verdicts).toHaveLength(2);
  return { passes: started / 2, a: of("a"), b: of("b") };
}

describe("a loss", () => {
  const few = { packets: packets - 5 };

  it("that nobody but the link can have caused is bad when it is found twice", async () => {
    const { passes, a, b } = await play([{ a: few }, { a: few }]);
    expect([passes, a?.verdict, b?.verdict]).toEqual([2, "ok", "bad"]);
    const once = await play([{ a: few }, { a: {} }]);
    expect([once.passes, once.b?.verdict]).toEqual([2, "ok"]);
  });

  it("of a link that was changed meanwhile is no fault of it", async () => {
    const passes = [{ a: few }, { a: few }];
    const changed = await play(passes, false, plan, (link) => link === "l");
    const why = "l was changed while it was tested";
    expect([changed.a?.verdict, changed.b]).toMatchObject(["ok", { verdict: "untestable", why }]);
    const other = await play(passes, false, plan, (link) => link !== "l");
    expect(other.b?.verdict).toBe("bad");
  });

  it("of a pair whose probe could not run is probed once more, and then has no verdict", async () => {
    const late = await play([{ a: {}, isBroken: true }, { a: {} }]);
    expect([late.passes, late.a?.verdict, late.b?.verdict]).toEqual([2, "ok", "ok"]);
    const { b } = await play([
      { a: {}, isBroken: true },
      { a: {}, isBroken: true },
    ]);
    expect(b).toMatchObject({ verdict: "untestable", why: "no process can be started" });
  });

  it.each<readonly [string, Pass]>([
    ["the machine lost as many", { a: few, lostByMachine: 5 }],
    ["they found the socket of the probe full", { a: { ...few, overflowed: 5 } }],
    ["the probe stopped before they could have come", { a: { ...few, endedUs: 1_004_999 } }],
    ["the kernel did not take all of them", { a: few, b: few, sent: packets - 5 }],
  ])("is tried once more when %s, and the second verdict counts", async (_why, first) => {
    const honest = await play([first, { a: {} }]);
    expect([honest.passes, honest.a?.verdict, honest.b?.verdict]).toEqual([2, "ok", "ok"]);
    const faulty = await play([first, { a: few }]);
    expect([faulty.passes, faulty.a?.verdict, faulty.b?.verdict]).toEqual([2, "ok", "bad"]);
    const busy = await play([first, first]);
    expect([busy.passes, busy.b?.verdict]).toEqual([2, "untestable"]);
    expect(busy.b?.why).toMatch(/the machine was too busy|the probe is at fault/);
  });

  it("of a direction that was judged is not judged again beside one that was not", async () => {
    const { b, a } = await play([
      { a: { ...few, overflowed: 5 }, b: {} },
      { a: {}, b: few },
    ]);
    expect([a?.verdict, b?.verdict]).toEqual(["ok", "ok"]);
  });

  it("is nobody's where the machine cannot tell what it has lost", async () => {
    const { passes, b } = await play([{ a: few }, { a: few }], true);
    expect([passes, b?.verdict]).toEqual([2, "untestable"]);
    expect((await play([{ a: {} }], true)).b?.verdict).toBe("ok");
  });
});

describe("a delay", () => {
  const planned = planLinktest(map, { first: 1, last: 1 }, linktestLimits);
  const pings = (there: number, back: number): Pass => ({ a: {}, pingMs: [there, back] });

  it("that is too long has to be so twice (V4)", async () => {
    const [late, honest] = [pings(5.5, 30), pings(5.5, 5.5)];
    const faulty = await play([late, late], false, planned);
    expect([faulty.passes, faulty.a?.verdict, faulty.b?.verdict]).toEqual([2, "ok", "bad"]);
    const stalled = await play([late, honest], false, planned);
    expect([stalled.passes, stalled.a?.verdict, stalled.b?.verdict]).toEqual([2, "ok", "ok"]);
  });

  it("that is too short is so at once: nothing makes packets early", async () => {
    const { passes, a, b } = await play([pings(5.5, 1)], false, planned);
    expect([passes, a?.verdict, b?.verdict]).toEqual([1, "ok", "bad"]);
  });
});

describe("a rate", () => {
  const planned = planLinktest(map, { first: 4, last: 4 }, linktestLimits);
  const timed = (bitsPerSecond: number): Pass => {
    const between = packets - 1;
    const lastUs = (between * 8 * (ratePayloadBytes + frameBytes) * 1e6) / bitsPerSecond;
    return { a: { lastUs, between }, b: { lastUs: lastUs * (bitsPerSecond / 2_000_000), between } };
  };

  it("that is too small is bad when it is so twice (R3)", async () => {
    const [slow, honest] = [timed(1_900_000), timed(2_000_000)];
    const faulty = await play([slow, slow], false, planned);
    expect([faulty.passes, faulty.a?.verdict, faulty.b?.verdict]).toEqual([2, "ok", "bad"]);
    const stalled = await play([slow, honest], false, planned);
    expect([stalled.passes, stalled.a?.verdict, stalled.b?.verdict]).toEqual([2, "ok", "ok"]);
    expect((await play([honest], false, planned)).passes).toBe(1);
    // V6. What was late before, however late, is no excuse: above it was 9 s.
    const late = { ...slow, lateUs: 9_000_000 };
    expect(await play([late, late], false, planned)).toMatchObject({
      ...{ passes: 2, a: { verdict: "ok" }, b: { verdict: "untestable" } },
    });
  });
});

describe("the sample of a loss", () => {
  const ends = (endedUs: number) => ({
    sender: { sent: { packets: 10, tookUs: 1, lastUs: 1_000_000 } },
    receiver: {
      received: { packets: 9, firstUs: 0, lastUs: 0, between: 8, overflowed: 0, endedUs },
    },
    ...{ lostByMachine: 0, lateUs: 0 },
  });

  it("is cut short when the receiver ended before the last packet could be there", () => {
    expect(lossSample(ends(1_005_000), { delayMs: 5 }).isCutShort).toBe(false);
    expect(lossSample(ends(1_004_999), { delayMs: 5 }).isCutShort).toBe(true);
  });

  it("is sent in bursts that a queue takes, by a sender that may be slow but not give up late", () => {
    const pass = plan.loss?.passes[0]?.[0];
    if (pass === undefined) throw new Error("nothing was planned");
    const { there } = lossSteps(pass);
    const [{ send, timeoutMs = 0 } = {}] = there;
    expect(send?.burstPacketsMax).toBeLessThan(25);
    const short = { limit: 5, unit: "packets" } as const;
    const tight = { ...pass.pair.there, queueLimit: short };
    const [own] = pass.probes;
    if (own === undefined) throw new Error("nothing was planned");
    const [step] = lossSteps({
      pair: { there: tight, back: pass.pair.back },
      probes: [{ ...own, edge: tight }],
    }).there;
    expect(step?.send?.burstPacketsMax).toBe(4);
    // The receiver listens when a sender gives up that began a second after it.
    expect(timeoutMs).toBeGreaterThanOrEqual((send?.giveUpMs ?? Infinity) + 1_000);
  });
});
