// SPDX-License-Identifier: MIT
// Goal: an honest network is called bad in at most the share that is stated for the whole run, and
// each fault of the list is found; what could not be measured is never called ok.
// Method: simulated links with a seeded source; faults put into what they do; limits by hand.
import { describe, expect, it } from "vitest";
import {
  describePlan,
  expectedDelayMs,
  isDoubted,
  judgeLatency,
  judgeLoss,
  judgeRate,
  type LinktestEdge,
  type LinktestPlan,
  type LossProbe,
  linktestLimits,
  planLinktest,
  type RateProbe,
} from "../../../src/linktest/index.ts";
import { lowerTail, upperTail } from "../../../src/linktest/statistics.ts";

/** A small generator with a seed: the tests must do the same each time. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const edge = (from: string, to: string, more: Partial<LinktestEdge> = {}): LinktestEdge => ({
  ...{ from, to, link: "link", bandwidthBps: 10_000_000, delayMs: 10, loss: 0.02 },
  ...{ queue: "droptail", ...more },
});

/** `count` links of their own, both directions alike. */
function planOf(count: number, more: Partial<LinktestEdge> = {}): LinktestPlan {
  const edges = Array.from({ length: count }, (_none, at) => [
    { ...edge(`a${at}`, `b${at}`, more), link: `l${at}` },
    { ...edge(`b${at}`, `a${at}`, more), link: `l${at}` },
  ]).flat();
  const map = { nodes: [], edges, routing: "none", simulator: "ns" };
  return planLinktest(map, { first: 1, last: 4 }, linktestLimits);
}

const lossProbes = (plan: LinktestPlan): readonly LossProbe[] =>
  plan.loss?.passes.flat().flatMap(({ probes }) => probes) ?? [];

function lose(probe: LossProbe, loss: number, random: () => number) {
  let received = 0;
  for (let at = 0; at < probe.packets; at += 1) if (random() >= loss) received += 1;
  return judgeLoss(probe, { sent: probe.packets, received, overflowed: 0 }).verdict;
}

describe("loss", () => {
  const [probe] = lossProbes(planOf(30));
  if (probe === undefined) throw new Error("nothing was planned");

  it("that no honest link has is told of in numbers that can be read", () => {
    const { packets, edge: asked, tooMany } = probe;
    const why = (lost: number) =>
      judgeLoss(probe, { sent: packets, received: packets - lost, overflowed: 0 }).why;
    expect(asked.loss).toBeGreaterThan(0);
    expect(why(tooMany)).toMatch(/, which an honest link does once in \d{1,3}(?:,\d{3})* times$/);
    expect(why(3 * tooMany)).toMatch(
      /, which an honest link does less than once in a million times$/,
    );
  });

  it("is called bad in less than the stated share of honest runs of 60 directions", () => {
    const random = seeded(1);
    let bad = 0;
    const directions = 60 * 60;
    for (let at = 0; at < directions; at += 1) if (lose(probe, 0.02, random) === "bad") bad += 1;
    // A fifth of an alarm is expected; four would be luck once in ten thousand.
    expect(bad).toBeLessThan(4);
    const { packets, tooMany, tooFew } = probe;
    const share = upperTail(packets, 0.02, tooMany) + lowerTail(packets, 0.02, tooFew);
    expect(180 * share).toBeLessThanOrEqual(linktestLimits.falseAlarmShare);
  });

  it("that is doubled is found with the stated power, and so is none at all", () => {
    const random = seeded(2);
    const found = Array.from({ length: 400 }, () => lose(probe, 0.04, random));
    const share = found.filter((one) => one === "bad").length / found.length;
    expect(share ** 2).toBeGreaterThan(0.93);
    // Q4: it has to be found twice.
    const { packets, tooMany } = probe;
    expect(upperTail(packets, 0.04, tooMany) ** 2).toBeGreaterThanOrEqual(linktestLimits.power);
    expect(lose(probe, 0, random)).toBe("bad");
  });

  it("is bad from the critical counts on, and not one before", () => {
    const judge = (lost: number) =>
      judgeLoss(probe, { sent: probe.packets, received: probe.packets - lost, overflowed: 0 });
    expect(judge(probe.tooMany).verdict).toBe("bad");
    expect(judge(probe.tooMany - 1).verdict).toBe("ok");
    expect(judge(probe.tooFew).verdict).toBe("bad");
    expect(judge(probe.tooFew + 1).verdict).toBe("ok");
    expect(judge(probe.tooMany).why).toMatch(/^\d+ of \d+ packets \(asked for: \d+/);
  });

  it("that the probe made is no verdict about the link (V2)", () => {
    const sent = probe.packets - 1;
    const fewer = judgeLoss(probe, { sent, received: sent, overflowed: 0 });
    expect(fewer).toMatchObject({ verdict: "untestable", why: /probe is at fault/ });
    const full = { sent: probe.packets, received: probe.packets - 500, overflowed: 480 };
    expect(judgeLoss(probe, full).verdict).toBe("untestable");
    const nothing = { sent: probe.packets, received: 0, overflowed: 0 };
    expect(judgeLoss(probe, nothing)).toMatchObject({ verdict: "bad", why: /^none of/ });
  });

  it("of which nothing was read is none where it came to a full socket, or too late (V2)", () => {
    const sent = probe.packets;
    const full = judgeLoss(probe, { sent, received: 0, overflowed: sent });
    expect(full).toMatchObject({ verdict: "untestable", why: /receiver's socket full/ });
    const gone = judgeLoss(probe, { sent, received: 0, overflowed: 0, isCutShort: true });
    expect(gone).toMatchObject({ verdict: "untestable", why: /stopped before/ });
  });

  it("that this machine made is no verdict, unless more was lost than that", () => {
    const { packets, tooMany } = probe;
    const judge = (lost: number, lostByMachine: number) =>
      judgeLoss(probe, { sent: packets, received: packets - lost, overflowed: 0, lostByMachine });
    expect(judge(tooMany, 1)).toMatchObject({ verdict: "untestable", why: /too busy/ });
    expect(judge(tooMany + 1, 1).verdict).toBe("bad");
    expect(judge(tooMany - 1, 5).verdict).toBe("ok");
    expect(judge(tooMany, Infinity)).toMatchObject({ verdict: "untestable", why: /cannot tell/ });
    expect(judge(packets, Infinity).verdict).toBe("bad");
  });

  it("that is beyond all that probe and machine have lost is bad whatever they did (V2)", () => {
    const { packets, tooMany } = probe;
    const judge = (more: Partial<Parameters<typeof judgeLoss>[1]>) =>
      judgeLoss(probe, { sent: packets, received: packets - tooMany, overflowed: 0, ...more });
    const full = judge({ received: packets - tooMany - 7, overflowed: 7 });
    expect(full).toMatchObject({ verdict: "bad", why: new RegExp(`^${tooMany} of `) });
    expect(judge({ sent: packets - 1, received: packets - 1 - tooMany }).verdict).toBe("bad");
    expect(judge({ sent: packets - 1 }).verdict).toBe("untestable");
    // Too few losses are nothing that a sample tells in which some are missing.
    const none = { sent: packets, received: packets - 1, overflowed: 1 };
    expect(judgeLoss(probe, none).verdict).toBe("untestable");
  });

  it("of a receiver that stopped before all could have come is no verdict, however much (V2)", () => {
    const sample = { sent: probe.packets, received: 10, overflowed: 0, isCutShort: true };
    expect(judgeLoss(probe, sample)).toMatchObject({
      ...{
        verdict: "untestable",
        why: /stopped before all could have come: the probe is at fault/,
      },
    });
  });

  it("of nothing lets one packet pass, and says what it would have found", () => {
    const [none] = lossProbes(planOf(1, { loss: 0 }));
    if (none === undefined) throw new Error("nothing was planned");
    const judge = (lost: number) =>
      judgeLoss(none, { sent: none.packets, received: none.packets - lost, overflowed: 0 });
    expect([judge(0).verdict, judge(1).verdict, judge(2).verdict]).toEqual(["ok", "ok", "bad"]);
    expect(judge(0).detectable).toBeLessThan(0.002);
  });

  it("that cannot be told from its double in the time is untestable, with what could be", () => {
    const { loss } = planOf(1, { loss: 0.0001 });
    expect(loss?.passes).toEqual([]);
    expect(loss?.untestable[0]?.why).toMatch(
      /^in 60 s at 1000 packets\/s the smallest loss that could be told from 0\.01 % is 0\.0\d+ %$/,
    );
    const { loss: slow } = planOf(1, { bandwidthBps: 900 });
    expect(slow?.untestable[0]?.why).toMatch(/less than a packet a second/);
  });
});

describe("latency", () => {
  const there = edge("a", "b");
  const alpha = linktestLimits.falseAlarmShare / 120;
  const { latency } = planOf(20);
  const count = latency?.count ?? 0;
  const probe = { alpha, payloadBytes: 56 };
  const expected = expectedDelayMs(there, 56);
  /** A shaper on a busy machine: some late by a millisecond and more. */
  const sample = (ms: number, random: () => number) =>
    Array.from({ length: count }, () => ms + 0.3 + 2 * random() ** 6);

  it("of a shaper that is somewhat late is ok", () => {
    const random = seeded(3);
    for (let run = 0; run < 500; run += 1) {
      const delaysMs = sample(expected, random);
      expect(judgeLatency(there, { sent: count, delaysMs }, probe).verdict).toBe("ok");
    }
  });

  it("that is 4 ms too long one way, or missing, is found", () => {
    const random = seeded(4);
    for (const ms of [expected + 4, 0, expected - 2]) {
      const delaysMs = sample(ms, random);
      const verdict = judgeLatency(there, { sent: count, delaysMs }, probe);
      expect(verdict).toMatchObject({ verdict: "bad", stage: "latency" });
    }
  });

  it("that is too short is found, however late a busy machine makes most packets (V3)", () => {
    const delaysMs = Array.from({ length: count }, (_, packet) => (packet % 5 === 0 ? 0.2 : 40));
    expect(judgeLatency(there, { sent: count, delaysMs }, probe)).toMatchObject({
      verdict: "bad",
      why: expect.stringMatching(
        /earlier than asked for, and a machine can be late with the others$/,
      ),
    });
  });

  it("is untestable where the machine makes most packets late, and some are in time (V3)", () => {
    const late = (every: number) =>
      Array.from({ length: count }, (_, packet) => expected + (packet % every === 0 ? 0.4 : 30));
    const judge = (delaysMs: readonly number[]) =>
      judgeLatency(there, { sent: count, delaysMs }, probe);
    expect(judge(late(15))).toMatchObject({
      verdict: "untestable",
      why: expect.stringMatching(/^the machine was too busy: \d+ of \d+ packets were/),
    });
    expect(judge(late(count + 1).slice(1)).verdict).toBe("bad");
    // As many as chance would make of a link that is right: its median is 30 ms too long all the
    // same.
    for (const share of [0.5, 0.6, 0.7]) {
      const lateCount = Math.ceil(share * count);
      const delaysMs = Array.from(
        { length: count },
        (_, at) => expected + (at < lateCount ? 30 : 0.4),
      );
      expect(judge(delaysMs)).toMatchObject({
        verdict: "untestable",
        why: expect.stringContaining(`${lateCount} of ${count} packets were more than 3 ms later`),
      });
    }
    const fewer = Array.from(
      { length: count },
      (_, at) => expected + (at < count * 0.45 ? 30 : 0.4),
    );
    expect(judge(fewer).verdict).toBe("ok");
  });

  describe("with jitter and packets that overtake", () => {
    const jittery = edge("a", "b", { jitterMs: 6, reorder: 0.1 });
    /** What a shaper does that is `wrongMs` too long, and one in ten packets is not delayed. */
    const shaped = (random: () => number, { wrongMs = 0, jitterMs = 6, reorder = 0.1 } = {}) =>
      Array.from({ length: count }, () => {
        const isFirst = random() < reorder;
        const ms = expected - 10 + (isFirst ? 0 : 10 + wrongMs + jitterMs * (2 * random() - 1));
        return Math.max(0.1, ms) + 0.3;
      });
    const judge = (delaysMs: readonly number[], of = jittery) =>
      judgeLatency(of, { sent: count, delaysMs }, probe);

    it("is ok where it is as asked for (V1)", () => {
      const random = seeded(6);
      const verdicts = Array.from({ length: 1_000 }, () => judge(shaped(random)).verdict);
      expect(new Set(verdicts)).toEqual(new Set(["ok"]));
      // Of a wide jitter nearly half is later than any tolerance.
      const wide = edge("a", "b", { delayMs: 100, jitterMs: 100 });
      const ms = expectedDelayMs(wide, 56);
      const some = () => Array.from({ length: count }, () => ms + 100 * (2 * random() - 1) + 0.3);
      const wides = Array.from({ length: 200 }, () => judge(some(), wide).verdict);
      expect(new Set(wides)).toEqual(new Set(["ok"]));
    });

    it("is bad where there is more of that than was asked for, or the delay is another", () => {
      const random = seeded(7);
      const why = (of: LinktestEdge, more: object) => judge(shaped(random, more), of).why;
      const [jitterOnly, plain] = [edge("a", "b", { jitterMs: 3 }), there];
      expect(why(plain, { reorder: 0 })).toMatch(/0.5 ms earlier than asked for, and a machine/);
      expect(why(jitterOnly, { reorder: 0, jitterMs: 9.9 })).toMatch(/with 3 ms of jitter, and/);
      expect(why(jittery, { reorder: 0.8 })).toMatch(/ of jitter and 10 % overtaking, and/);
      expect(why(jittery, { wrongMs: 10, reorder: 0 })).toMatch(/3 ms later than asked for$/);
      // Within the jitter, but always in the lower half of it.
      const short = why(jitterOnly, { wrongMs: -2.5, jitterMs: 0.1, reorder: 0 });
      expect(short).toMatch(/0.5 ms earlier than asked for$/);
    });
  });

  it("is judged by both ways where the clocks differ", () => {
    const back = edge("b", "a", { delayMs: 30 });
    const both = expected + expectedDelayMs(back, 56);
    const honest = { sent: count, delaysMs: sample(both, seeded(5)), roundTripWith: back };
    expect(judgeLatency(there, honest, probe)).toMatchObject({ verdict: "ok", expected: both });
  });

  it("of too few packets is untestable, and of none is bad", () => {
    const few = judgeLatency(there, { sent: count, delaysMs: [10.4, 10.5] }, probe);
    expect(few).toMatchObject({ verdict: "untestable", why: /too few/ });
    expect(judgeLatency(there, { sent: count, delaysMs: [] }, probe).verdict).toBe("bad");
  });
});

describe("bandwidth", () => {
  const [probe] =
    planOf(1)
      .rate?.passes.flat()
      .flatMap(({ probes }) => probes) ?? [];
  if (probe === undefined) throw new Error("nothing was planned");
  const sample = (share: number, more: object = {}) => {
    const received = 4_000;
    const bits = (received - 1) * 8 * (1450 + 42);
    const lastUs = (1_000_000 * bits) / (share * probe.edge.bandwidthBps);
    const sent = { sent: probe.packets, sentBps: probe.sendBps };
    return { ...sent, received, overflowed: 0, firstUs: 0, lastUs, between: received - 1, ...more };
  };
  const verdictOf = (one: Parameters<typeof judgeRate>[1], of: RateProbe = probe) =>
    judgeRate(of, one).verdict;

  it("is ok within the tolerance, and bad beside it", () => {
    expect([1, 0.971, 1.014].map((share) => verdictOf(sample(share)))).toEqual(["ok", "ok", "ok"]);
    expect([0.95, 0.969, 1.016].map((share) => verdictOf(sample(share)))).toEqual([
      ...["bad", "bad", "bad"],
    ]);
  });

  it("may be smaller by what comes twice, and no more", () => {
    const of = { ...probe, edge: { ...probe.edge, duplicate: 0.1 } };
    expect([0.9, 0.87].map((share) => verdictOf(sample(share), of))).toEqual(["ok", "bad"]);
  });

  it("is untestable where the sender did not fill the link", () => {
    const slow = { sentBps: 9_000_000 };
    const idleUs = 0.1 * sample(0.9).lastUs;
    expect(verdictOf(sample(0.9, { ...slow, idleUs }))).toBe("untestable");
    expect(verdictOf(sample(0.98, { overflowed: 1 }))).toBe("untestable");
    // More than asked for is wrong whatever was offered, and so is less than that.
    expect(verdictOf(sample(1.2, slow))).toBe("bad");
    expect(verdictOf(sample(0.8, { ...slow, idleUs }))).toBe("bad");
  });

  it("is judged by what came, also where the receiver's socket was too full for it", () => {
    const { received } = sample(0.9);
    expect(verdictOf(sample(0.9, { overflowed: received / 10 }))).toBe("untestable");
    expect(verdictOf(sample(0.9, { overflowed: received / 20 }))).toBe("bad");
  });

  it("is ok only when a faster link would have been found, and not one b/s below (V5)", () => {
    const least = Math.ceil((probe.edge.bandwidthBps * 1.015) / (1 - probe.edge.loss));
    expect(verdictOf(sample(1, { sentBps: least }))).toBe("ok");
    expect(verdictOf(sample(1, { sentBps: least - 1 }))).toBe("untestable");
  });

  it("tells what was offered in the units of the table (V5)", () => {
    const bps = probe.edge.bandwidthBps;
    expect(judgeRate(probe, sample(1, { sentBps: 1_973_814 })).why).toBe(
      `the sender offered ${Number((1.973814 * (1 - probe.edge.loss)).toPrecision(4))} Mb/s only, ` +
        `and ${Number(((bps * 1.015) / 1e6).toPrecision(4))} would tell: the probe is at fault`,
    );
  });

  it("that is small by no more than the delay node was late is no verdict (V6)", () => {
    const late = (share: number, more: number) =>
      judgeRate(probe, sample(share, { lateUs: more * sample(share).lastUs }));
    expect(late(0.93, 0.05)).toMatchObject({
      verdict: "untestable",
      why: /^the machine was too busy: the delay node was up to \d+ ms late, and 7 % less came/,
    });
    expect(late(0.93, 0.04)).toMatchObject({ verdict: "bad", why: "7 % less than asked for" });
    expect(late(0.98, 0.05).verdict).toBe("ok");
    // Nothing that is late is faster.
    expect(late(1.05, 0.5).verdict).toBe("bad");
  });

  it("that is small because the sender left the link empty is no verdict, unless it is smaller", () => {
    const idle = (share: number, more: number) =>
      judgeRate(probe, sample(share, { idleUs: more * sample(share).lastUs }));
    expect(idle(0.93, 0.05)).toMatchObject({
      verdict: "untestable",
      why: /^the sender left the link empty for \d+ ms: the probe is at fault$/,
    });
    expect(idle(0.93, 0.04).verdict).toBe("bad");
    expect(idle(0.93, 1).verdict).toBe("untestable");
    expect(idle(0.98, 0.5).verdict).toBe("ok");
  });

  it("of nothing received is bad", () => {
    expect(verdictOf(sample(1, { received: 1, between: 0 }))).toBe("bad");
  });

  it.each([
    [{ bandwidthBps: 64_000 }, 0],
    [{ bandwidthBps: 63_999 }, 2],
    [{ bandwidthBps: 200_000_000 }, 0],
    [{ bandwidthBps: 200_000_001 }, 2],
    [{ loss: 0.2 }, 0],
    [{ loss: 0.21 }, 2],
  ])("of %o has %i directions that cannot be judged", (more, directions) => {
    expect(planOf(1, more).rate?.untestable).toHaveLength(directions);
  });
});

describe("what is doubted (V4)", () => {
  const facts = { edge: edge("a", "b"), interval: null, detectable: null, samples: 1, why: "" };
  it.each([
    ["late", "latency", "bad", 10, 14, true],
    ["early", "latency", "bad", 10, 6, false],
    ["never there", "latency", "bad", 10, null, true],
    ["in time", "latency", "ok", 10, 10, false],
    ["lost", "loss", "bad", 0.02, 0.04, true],
    ["not lost", "loss", "bad", 0.02, 0, false],
    ["not to be told", "loss", "untestable", 0.02, 0.02, true],
    ["slow", "bandwidth", "bad", 100, 90, true],
    ["fast", "bandwidth", "bad", 100, 110, true],
    ["not reached", "routing", "bad", 1, 0, true],
    ["reached", "routing", "ok", 1, 1, false],
  ] as const)("%s", (_how, stage, verdict, expected, measured, doubted) => {
    expect(isDoubted({ ...facts, stage, verdict, expected, measured })).toBe(doubted);
  });
});

describe("a plan", () => {
  it("divides the share of false alarms by its judgements (Q1)", () => {
    expect(planOf(30).judgements).toBe(180);
    const [few] = lossProbes(planOf(1));
    const [many] = lossProbes(planOf(300));
    expect(many?.packets).toBeGreaterThan(few?.packets ?? Infinity);
  });

  it("has the stages of its levels only, and says how long they take", () => {
    const edges = [edge("a", "b"), edge("b", "a")];
    const map = { nodes: ["a", "b"], edges, routing: "static-old", simulator: "ns" };
    const { latency, routes, loss, rate, seconds } = planLinktest(
      map,
      { first: 1, last: 2 },
      linktestLimits,
    );
    expect(latency?.passes).toHaveLength(1);
    expect(routes).toEqual([]);
    expect([loss, rate]).toEqual([undefined, undefined]);
    expect(seconds).toBeGreaterThan(1);
    expect(seconds).toBeLessThan(5);
    const { rate: both } = planLinktest(map, { first: 4, last: 4 }, linktestLimits);
    const near = describePlan(planLinktest(map, { first: 1, last: 2 }, linktestLimits));
    expect(near).toEqual([...near.slice(0, 2), expect.stringMatching(/^ {2}routing: no way over/)]);
    const far = { ...map, edges: [...edges, edge("b", "c"), edge("c", "b")] };
    const told = describePlan(planLinktest(far, { first: 2, last: 2 }, linktestLimits));
    expect(told[1]).toMatch(/^ {2}routing: at least \d+ s$/);
    // One way of a pair is filled after the other.
    const [there, back] = both?.passes[0]?.[0]?.probes ?? [];
    expect(both?.seconds).toBeGreaterThan((there?.seconds ?? Infinity) + (back?.seconds ?? 0));
  });
});
