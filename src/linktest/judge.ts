// SPDX-License-Identifier: MIT
// From what was measured to verdicts. A verdict is about one direction and one stage; what could
// not be measured well enough is `untestable`, never `ok`.
//
//   V1. `bad` is said of an honest direction in at most the share that the plan gives it.
//   V2. What the probe itself lost or could not send is no loss of the link, nor is what the
//       machine lost: a loss is bad by what is left when both are taken off, else it is untestable.
//   V3. A busy machine makes packets late, never early, and hardly ever all of them: a delay is too
//       short by the packets that are early, and too long only when next to none is in time. Where
//       half of them are late, what the link does cannot be told. Early and late are what is so
//       beyond the jitter that is asked for; packets that are to overtake others are early as
//       asked.
//   V4. What a busy machine could have brought about is doubted, whatever the stage: late, lost,
//       slow, not reached, or untestable. It counts when it is found a second time.
//   V5. `ok` is said of what a faulty link would not have shown: of a rate, only when more was
//       offered than the tolerance lets pass.
//   V6. Nor is a rate bad by what the shaper says itself of how late it was while it was measured.
import type { LinktestEdge, Route } from "./edges.ts";
import { frameBytes, ratePayloadBytes, tolerances } from "./linktest-limits.ts";
import type { LossProbe, RateProbe } from "./plan.ts";
import { interval, lowerTail, upperCritical, upperTail } from "./statistics.ts";

export type Stage = "latency" | "routing" | "loss" | "bandwidth";

export interface Verdict {
  readonly stage: Stage;
  readonly edge: LinktestEdge | Route;
  readonly verdict: "ok" | "bad" | "untestable";
  /** Milliseconds, share of packets, or bits a second; null where nothing came. */
  readonly expected: number;
  readonly measured: number | null;
  /** Where the true value lies with 99 %; null where no interval is computed. */
  readonly interval: readonly [number, number] | null;
  /** The smallest loss that could be found; null in other stages. */
  readonly detectable: number | null;
  /** Packets that the verdict rests on. */
  readonly samples: number;
  /** Why it is bad or untestable; empty for `ok`. */
  readonly why: string;
}

/** What came of packets that were sent at known times. */
export interface LatencySample {
  readonly sent: number;
  /** One way each, milliseconds, where both ends have one clock; else `roundTrip` of both. */
  readonly delaysMs: readonly number[];
  /** The direction is judged by the sum of both, and so is what it asks for. */
  readonly roundTripWith?: LinktestEdge;
}

const confidence = 0.99;
/** V3. So many early packets, and such a share of all, are no slip of a clock. */
const earlyPacketsMin = 3;
const earlyShareMin = 0.1;
/** V3. A delay that is too long leaves nothing in time; a busy machine leaves something. */
const inTimeShareMax = 0.05;
const bits = (payloadBytes: number): number => 8 * (payloadBytes + frameBytes);

/** Propagation, and the time that a packet takes to be put on the link. [LINKTEST 6.2] */
export function expectedDelayMs(edge: LinktestEdge, payloadBytes: number): number {
  return edge.delayMs + (1000 * bits(payloadBytes)) / edge.bandwidthBps;
}

/**
 * Sign tests against both ends of the tolerance: asked for is the median, and of the distribution
 * no more is known than how far the jitter goes. What is late may be so by the machine, but nothing
 * makes a packet early, nor all of them late (V3).
 */
export function judgeLatency(
  edge: LinktestEdge,
  { sent, delaysMs, roundTripWith }: LatencySample,
  { alpha, payloadBytes }: { readonly alpha: number; readonly payloadBytes: number },
): Verdict {
  const ways = roundTripWith === undefined ? [edge] : [edge, roundTripWith];
  const expected = ways.reduce((ms, way) => ms + expectedDelayMs(way, payloadBytes), 0);
  const samples = delaysMs.length;
  const sorted = [...delaysMs].sort((a, b) => a - b);
  const measured = sorted[Math.floor(samples / 2)] ?? null;
  const base = { stage: "latency" as const, edge, expected, measured, samples };
  const facts = { ...base, interval: medianInterval(sorted), detectable: null };
  if (samples === 0) {
    return { ...facts, verdict: "bad", why: `none of ${sent} packets came there and back` };
  }
  const critical = upperCritical(samples, 0.5, alpha / 2);
  if (critical > samples) {
    const why = `only ${samples} of ${sent} packets came, too few for a verdict`;
    return { ...facts, verdict: "untestable", why };
  }
  const early = earlyOf(delaysMs, { expected, ways, alpha: alpha / 4 });
  if (early !== undefined) {
    // V3: those that are not early say nothing for the link.
    const rest = early.count === samples ? "" : ", and a machine can be late with the others";
    const why = `${packetsBy(early.count, samples, early.ms)} earlier than asked for${early.beside}${rest}`;
    return { ...facts, verdict: "bad", why };
  }
  return { ...facts, ...lateOf(delaysMs, { expected, critical, jitterMs: jitterOf(ways) }) };
}

const packetsBy = (count: number, samples: number, ms: number): string =>
  `${count} of ${samples} packets were more than ${ms} ms`;

const jitterOf = (ways: readonly LinktestEdge[]): number =>
  ways.reduce((ms, { jitterMs = 0 }) => ms + jitterMs, 0);

/** @returns how many are too early; undefined where no more are than an honest direction has. */
function earlyOf(
  delaysMs: readonly number[],
  {
    expected,
    ways,
    alpha,
  }: {
    readonly expected: number;
    readonly ways: readonly LinktestEdge[];
    readonly alpha: number;
  },
): { readonly count: number; readonly ms: number; readonly beside: string } | undefined {
  const samples = delaysMs.length;
  const ms = tolerances.delayLowMs;
  const jitterMs = jitterOf(ways);
  const overtaking = 1 - ways.reduce((share, { reorder = 0 }) => share * (1 - reorder), 1);
  const before = (limit: number): number => delaysMs.filter((one) => one < limit).length;
  const beyond = before(expected - jitterMs - ms);
  const slips = Math.max(earlyPacketsMin, samples * earlyShareMin);
  if (beyond >= Math.max(slips, upperCritical(samples, overtaking, alpha))) {
    const beside = [
      ...(jitterMs > 0 ? [`${Number(jitterMs.toPrecision(4))} ms of jitter`] : []),
      ...(overtaking > 0 ? [`${Number((100 * overtaking).toPrecision(4))} % overtaking`] : []),
    ];
    const all = beside.length > 0 ? ` with ${beside.join(" and ")}` : "";
    return { count: beyond, ms, beside: all };
  }
  // As many are above the median as below it, but for those that overtake.
  const below = before(expected - ms);
  const isBad = below >= upperCritical(samples, overtaking + (1 - overtaking) / 2, alpha);
  return isBad ? { count: below, ms, beside: "" } : undefined;
}

function lateOf(
  delaysMs: readonly number[],
  {
    expected,
    critical,
    jitterMs,
  }: { readonly expected: number; readonly critical: number; readonly jitterMs: number },
): Pick<Verdict, "verdict" | "why"> {
  const samples = delaysMs.length;
  const ms = tolerances.delayHighMs;
  const after = (limit: number): number => delaysMs.filter((one) => one > limit).length;
  const above = after(expected + ms);
  if (above >= critical && samples - above <= samples * inTimeShareMax) {
    return { verdict: "bad", why: `${packetsBy(above, samples, ms)} later than asked for` };
  }
  const late = after(expected + jitterMs + ms);
  if (2 * late < samples) return { verdict: "ok", why: "" };
  const why = `${packetsBy(late, samples, ms)} later than asked for`;
  const inTime = `${samples - late} came in time`;
  return { verdict: "untestable", why: `the machine was too busy: ${why}, and ${inTime}` };
}

/** Order statistics around the median, without assumptions. */
function medianInterval(sorted: readonly number[]): readonly [number, number] | null {
  const n = sorted.length;
  const out = upperCritical(n, 0.5, (1 - confidence) / 2);
  const [low, high] = [sorted[n - out], sorted[out - 1]];
  return low === undefined || high === undefined ? null : [low, high];
}

export interface LossSample {
  /** Packets that left the sender; less than planned when it could not keep up. */
  readonly sent: number;
  readonly received: number;
  /** Packets that came to the receiver's socket and found no room there. */
  readonly overflowed: number;
  /**
   * Packets that the machine lost meanwhile, of this direction or of any other; Infinity where that
   * is not known.
   */
  readonly lostByMachine?: number;
  /** The receiver stopped counting before all could have come. */
  readonly isCutShort?: boolean;
}

/** V4. @returns whether it is to be probed once more, and the second verdict to be the one */
export function isDoubted({ stage, verdict, measured, expected }: Verdict): boolean {
  switch (verdict) {
    case "ok":
      return false;
    case "untestable":
      return true;
    case "bad":
      // Nothing makes a packet early, or brings back what was lost.
      if (stage === "latency" || stage === "loss") return measured === null || measured > expected;
      return true;
  }
}

/** V2. */
export function judgeLoss(probe: LossProbe, sample: LossSample): Verdict {
  const { sent, received, overflowed } = sample;
  const { edge, packets, tooMany, tooFew } = probe;
  const lost = Math.max(0, sent - received - overflowed);
  const measured = sent === 0 ? null : lost / sent;
  const facts = {
    ...{ stage: "loss" as const, edge, expected: edge.loss, measured, samples: sent },
    ...{ interval: sent === 0 ? null : interval(sent, lost, confidence) },
    detectable: probe.detectable,
  };
  const trouble = troubleOf(probe, sample, lost);
  const { lostByMachine = 0, isCutShort = false } = sample;
  // What came to a full socket has come, and who was not there any more cannot tell.
  if (sent > 0 && lost === sent && edge.loss < 1 && !isCutShort) {
    return { ...facts, verdict: "bad", why: `none of ${sent} packets came` };
  }
  // So many of fewer packets are rarer still.
  if (lost - lostByMachine >= tooMany && !isCutShort) {
    const rare = edge.loss === 0 ? 0 : upperTail(packets, edge.loss, lost);
    return { ...facts, verdict: "bad", why: `${told(probe, lost)} were lost${chance(rare)}` };
  }
  if (trouble !== undefined) return { ...facts, verdict: "untestable", why: trouble };
  if (lost <= tooFew) {
    const rare = lowerTail(packets, edge.loss, lost);
    return { ...facts, verdict: "bad", why: `only ${told(probe, lost)} were lost${chance(rare)}` };
  }
  return { ...facts, verdict: "ok", why: "" };
}

/** What keeps a sample from telling anything but a loss that is beyond it. */
function troubleOf(probe: LossProbe, sample: LossSample, lost: number): string | undefined {
  const { sent, overflowed, lostByMachine = 0, isCutShort = false } = sample;
  const { packets, tooMany } = probe;
  const faults = [
    ...(sent < packets ? [`sent only ${sent} of ${packets} packets`] : []),
    ...(overflowed > 0 ? [`${overflowed} packets found the receiver's socket full`] : []),
    ...(isCutShort ? ["the receiver stopped before all could have come"] : []),
  ];
  if (faults.length > 0) return `${faults.join("; ")}: the probe is at fault`;
  if (lost < tooMany) return undefined;
  const own = Number.isFinite(lostByMachine)
    ? `it lost ${lostByMachine} packets`
    : "it cannot tell";
  return `the machine was too busy: ${own}, and ${lost} did not come`;
}

function told({ edge, packets }: LossProbe, lost: number): string {
  const expected = Number((packets * edge.loss).toPrecision(3));
  return `${lost} of ${packets} packets (asked for: ${expected})`;
}

/** Beyond a million nobody can picture it, and what is assumed of honest links is not so exact. */
function chance(rare: number): string {
  if (rare === 0) return "";
  const honest = ", which an honest link does";
  if (rare < 1e-6) return `${honest} less than once in a million times`;
  const times = String(Number((1 / rare).toPrecision(2))).replace(/\B(?=(\d{3})+$)/g, ",");
  return `${honest} once in ${times} times`;
}

export interface RateSample {
  readonly sent: number;
  readonly received: number;
  readonly overflowed: number;
  /** Two packets at the receiver, one of the first and one of the last; microseconds. */
  readonly firstUs: number;
  readonly lastUs: number;
  /** How many came from the one to the other. */
  readonly between: number;
  /** What left the sender, bits a second of frames. */
  readonly sentBps: number;
  /** So long the link had nothing to carry, because the sender did not run. */
  readonly idleUs?: number;
  /**
   * So late at most the shaper was with packets of this time, of any link; left out: not at all.
   */
  readonly lateUs?: number;
}

/** Timed by the receiver, from one of the first packets to one of the last. [LINKTEST 14] */
export function judgeRate(probe: RateProbe, sample: RateSample): Verdict {
  const { edge } = probe;
  const { received, overflowed, firstUs, lastUs, between, idleUs = 0, lateUs = 0 } = sample;
  const expected = edge.bandwidthBps;
  const tookUs = lastUs - firstUs;
  const rateIn = (us: number, packets: number): number =>
    (packets * bits(ratePayloadBytes) * 1_000_000) / us;
  const measured = between < 1 || tookUs <= 0 ? null : rateIn(tookUs, between);
  const base = { stage: "bandwidth" as const, edge, expected, measured, samples: received };
  const facts = { ...base, interval: null, detectable: null };
  const { rateHigh, rateLow } = tolerances;
  if (measured === null) {
    return { ...facts, verdict: "bad", why: `${received} packets came, and no rate can be told` };
  }
  const percent = Number(((100 * measured) / expected - 100).toFixed(1));
  if (measured > expected * (1 + rateHigh)) {
    return { ...facts, verdict: "bad", why: `${percent} % more than asked for` };
  }
  // What comes twice takes the room of others.
  const { duplicate = 0 } = edge;
  const least = (expected * (1 - rateLow)) / (1 + duplicate);
  // V2: what it is when the link answers for its own time only, and for what came.
  const ownUs = tookUs - idleUs;
  const isSlowIn = (us: number): boolean => us > 0 && rateIn(us, between + overflowed) < least;
  // V6: the last of the packets that are timed may have come so much later for it.
  if (isSlowIn(ownUs - lateUs)) {
    return { ...facts, verdict: "bad", why: `${-percent} % less than asked for` };
  }
  const trouble = troubleOfRate(sample, expected * (1 + rateHigh), edge.loss);
  if (trouble !== undefined) return { ...facts, verdict: "untestable", why: trouble };
  if (measured >= least) return { ...facts, verdict: "ok", why: "" };
  if (isSlowIn(ownUs)) {
    const late = `the delay node was up to ${Math.round(lateUs / 1_000)} ms late`;
    const why = `the machine was too busy: ${late}, and ${-percent} % less came than asked for`;
    return { ...facts, verdict: "untestable", why };
  }
  const why = `the sender left the link empty for ${Math.round(idleUs / 1_000)} ms: the probe is at fault`;
  return { ...facts, verdict: "untestable", why };
}

/** V5: an honest link passes whatever it is offered below its rate, and so does a faster one. */
function troubleOfRate(
  { sentBps, overflowed }: RateSample,
  wantedBps: number,
  loss: number,
): string | undefined {
  if (overflowed > 0) {
    return `${overflowed} packets found the receiver's socket full: the probe is at fault`;
  }
  const offered = sentBps * (1 - loss);
  if (offered >= wantedBps) return undefined;
  const told = `${inMbps(offered)} Mb/s only, and ${inMbps(wantedBps)} would tell`;
  return `the sender offered ${told}: the probe is at fault`;
}

/** Four digits are more than a probe can tell. */
const inMbps = (bps: number): number => Number((bps / 1e6).toPrecision(4));

/** One answer is enough: what is lost on the way is judged where it is lost. [LINKTEST 6.3] */
export function judgeRoute(edge: Route, sent: number, received: number): Verdict {
  const isReached = received > 0;
  return {
    ...{ stage: "routing", edge, expected: 1, measured: isReached ? 1 : 0, interval: null },
    ...{ detectable: null, samples: sent, verdict: isReached ? "ok" : "bad" },
    why: isReached ? "" : `${edge.from} could not ping ${edge.to}-${edge.link}`,
  };
}

/** What nobody can say anything about, such as where a probe could not run. */
export function untestable(stage: Stage, edge: LinktestEdge | Route, why: string): Verdict {
  const nothing = { measured: null, interval: null, detectable: null, samples: 0 };
  return { stage, edge, expected: 0, ...nothing, verdict: "untestable", why };
}
