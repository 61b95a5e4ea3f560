// SPDX-License-Identifier: MIT
// What a linktest will do, computed before anything is sent: which probes, how large their samples
// are so that the verdicts can be believed, in which passes, and how long it takes at least: what
// is doubted is probed twice, and a busy machine starts probes late.
//
//   Q1. The share of false alarms is one of the whole run: every judgement gets an equal part of it
//       (Bonferroni), so that sixty directions are not sixty chances. [LINKTEST 6.4]
//   Q2. A loss probe is as long as it takes to find a doubled loss with the stated power. Where the
//       time is not there, the direction is `untestable` and the plan says what could be found.
//   Q3. Loss probes fill at most half of a link, so that what is lost is lost by the link.
//   Q4. A loss that is too large has to be found twice (judge.ts, V4), so that each time has the
//       root of the stated power.
import {
  farRoutes,
  type LinktestEdge,
  type LinktestMap,
  oncePerMember,
  type Pair,
  pairEdges,
  type Route,
  schedulePasses,
} from "./edges.ts";
import {
  frameBytes,
  type LinktestLimits,
  lossPayloadBytes,
  ratePayloadBytes,
  routePings,
} from "./linktest-limits.ts";
import { detectable, lowerCritical, sampleSize, upperCritical } from "./statistics.ts";

/** 1 latency, 2 and routing, 3 and loss, 4 and bandwidth. [LINKTEST 2] */
export type Level = 1 | 2 | 3 | 4;

/** One direction that a stage cannot judge, and why. */
export interface Untestable {
  readonly edge: LinktestEdge;
  readonly why: string;
}

export interface LatencyPlan {
  /** Packets there and back, and how far apart they are sent. */
  readonly count: number;
  readonly intervalMs: number;
  readonly alpha: number;
  readonly passes: readonly (readonly Pair[])[];
  readonly seconds: number;
}

export interface LossProbe {
  readonly edge: LinktestEdge;
  readonly packets: number;
  readonly packetsPerSecond: number;
  /** Bad from so many lost packets on; and at so many or fewer. */
  readonly tooMany: number;
  readonly tooFew: number;
  /** The smallest loss that is found with the stated power, 0 to 1. */
  readonly detectable: number;
  readonly seconds: number;
}

export interface RateProbe {
  readonly edge: LinktestEdge;
  /** Sent, bits a second of frames: more than the link lets through. */
  readonly sendBps: number;
  readonly packets: number;
  readonly seconds: number;
}

/** What is done of a pair at a time: both directions, or one that the other stage cannot judge. */
export interface PassOf<Probe> {
  readonly pair: Pair;
  readonly probes: readonly Probe[];
}

export interface StagePlan<Probe> {
  readonly passes: readonly (readonly PassOf<Probe>[])[];
  readonly untestable: readonly Untestable[];
  readonly seconds: number;
}

export interface LinktestPlan {
  readonly level: Level;
  readonly first: Level;
  /** Verdicts that the share of false alarms is divided by (Q1). */
  readonly judgements: number;
  readonly latency: LatencyPlan | undefined;
  readonly routes: readonly Route[] | undefined;
  /** What they take; 0 for none. */
  readonly routeSeconds: number;
  readonly loss: StagePlan<LossProbe> | undefined;
  readonly rate: StagePlan<RateProbe> | undefined;
  /** Directions without a way back: no stage judges them. */
  readonly oneWay: readonly LinktestEdge[];
  /** At least, of all stages. */
  readonly seconds: number;
}

const bitsOf = (payloadBytes: number): number => 8 * (payloadBytes + frameBytes);
/** Of each pass: processes start and meet, on a machine that does nothing else. */
const settleSeconds = 0.3;

/** @param levels the first and the last stage, 1 to 4 */
export function planLinktest(
  map: LinktestMap,
  levels: { readonly first: Level; readonly last: Level },
  limits: LinktestLimits,
): LinktestPlan {
  const { pairs, oneWay } = pairEdges(map.edges);
  const loaded = oncePerMember(pairs);
  const has = (level: Level): boolean => levels.first <= level && level <= levels.last;
  const judgements =
    (has(1) ? 2 * pairs.length : 0) +
    (has(3) ? 2 * loaded.length : 0) +
    (has(4) ? 2 * loaded.length : 0);
  const alpha = limits.falseAlarmShare / Math.max(1, judgements);
  const latency = has(1) ? planLatency(pairs, alpha, limits) : undefined;
  const isRouted = /^(static|ospf)/i.test(map.routing);
  const routes = has(2) && isRouted ? farRoutes(map.nodes, map.edges) : undefined;
  const loss = has(3)
    ? planStage(loaded, limits, longest, (edge) => planLoss(edge, alpha, limits))
    : undefined;
  const rate = has(4)
    ? planStage(loaded, limits, sum, (edge) => planRate(edge, limits))
    : undefined;
  const routing = routeSeconds(routes ?? [], limits);
  const seconds = (latency?.seconds ?? 0) + routing + (loss?.seconds ?? 0) + (rate?.seconds ?? 0);
  const stages = { latency, routes, routeSeconds: routing, loss, rate };
  const { last: level, first } = levels;
  return { level, first, judgements, ...stages, oneWay, seconds };
}

/**
 * A sign test: an honest direction has at most half of its packets beyond the tolerance, however
 * they are distributed, so that all of `count` are rarer than alpha.
 */
function planLatency(pairs: readonly Pair[], alpha: number, limits: LinktestLimits): LatencyPlan {
  const needed = Math.ceil(Math.log2(2 / alpha));
  const count = Math.ceil(1.5 * needed) + 4;
  const intervalMs = 50;
  const passes = schedulePasses(pairs, 4 * limits.pairsAtOnceMax);
  const passSeconds = passes.map((pass) => {
    const turns = pass.map(({ there, back }) => (there.delayMs + back.delayMs) / 1000);
    return settleSeconds + ((count - 1) * intervalMs) / 1000 + longest(turns);
  });
  return { count, intervalMs, alpha, passes, seconds: sum(passSeconds) };
}

/** Of few passes, however nodes fit into them. */
function routeSeconds(routes: readonly Route[], { pairsAtOnceMax }: LinktestLimits): number {
  const passes = Math.ceil(routes.length / (2 * pairsAtOnceMax));
  return passes * (settleSeconds + (routePings.count * routePings.intervalMs) / 1000);
}

/** @param bothWays what the two ways of a pair take: at once, or one after the other */
function planStage<Probe extends { readonly seconds: number; readonly edge: LinktestEdge }>(
  pairs: readonly Pair[],
  limits: LinktestLimits,
  bothWays: (seconds: readonly number[]) => number,
  plan: (edge: LinktestEdge) => Probe | Untestable,
): StagePlan<Probe> {
  const untestable: Untestable[] = [];
  const probes = new Map<Pair, readonly Probe[]>();
  for (const pair of pairs) {
    const planned = [pair.there, pair.back].map(plan);
    const able = planned.filter((one): one is Probe => !("why" in one));
    untestable.push(...planned.filter((one): one is Untestable => "why" in one));
    if (able.length > 0) probes.set(pair, able);
  }
  const passes = schedulePasses([...probes.keys()], limits.pairsAtOnceMax).map((pass) =>
    pass.map((pair) => ({ pair, probes: probes.get(pair) ?? [] })),
  );
  const seconds = passes.map((pass) => {
    return settleSeconds + longest(pass.map(({ probes: of }) => bothWays(of.map(secondsOf))));
  });
  return { passes, untestable, seconds: sum(seconds) };
}

const secondsOf = (probe: { readonly seconds: number; readonly edge: LinktestEdge }): number =>
  probe.seconds + probe.edge.delayMs / 1000;

/** Q2, Q3, Q4. */
function planLoss(
  edge: LinktestEdge,
  alpha: number,
  { power: stated, packetsPerSecondMax, lossSecondsMax }: LinktestLimits,
): LossProbe | Untestable {
  const power = Math.sqrt(stated); // Q4.
  const half = edge.bandwidthBps / 2 / bitsOf(lossPayloadBytes);
  const packetsPerSecond = Math.min(packetsPerSecondMax, Math.floor(half));
  const most = Math.floor(packetsPerSecond * lossSecondsMax);
  if (most < 1) {
    return { edge, why: `half of ${edge.bandwidthBps} b/s is less than a packet a second` };
  }
  const { loss } = edge;
  if (loss === 0)
    return lossProbe(edge, {
      packets: Math.min(most, 4 * packetsPerSecond),
      alpha,
      power,
      packetsPerSecond,
    });
  if (loss >= 1)
    return lossProbe(edge, { packets: Math.min(most, 100), alpha, power, packetsPerSecond });
  const other = Math.min(1, 2 * loss);
  const packets = sampleSize({ p0: loss, p1: other, alpha: alpha / 2, power }, most);
  if (packets !== undefined) return lossProbe(edge, { packets, alpha, power, packetsPerSecond });
  const found = detectable(most, upperCritical(most, loss, alpha / 2), power);
  const shown = (share: number): string => `${Number((100 * share).toPrecision(3))} %`;
  const why =
    `in ${lossSecondsMax} s at ${packetsPerSecond} packets/s the smallest loss that could be ` +
    `told from ${shown(loss)} is ${shown(found)}`;
  return { edge, why };
}

/** Of a direction without loss one lost packet is let pass, as the old test did. [LINKTEST 6.4] */
function lossProbe(
  edge: LinktestEdge,
  asked: {
    readonly packets: number;
    readonly packetsPerSecond: number;
    readonly alpha: number;
    readonly power: number;
  },
): LossProbe {
  const { packets, packetsPerSecond, alpha, power } = asked;
  const tooMany = Math.max(2, upperCritical(packets, edge.loss, alpha / 2));
  const tooFew = lowerCritical(packets, edge.loss, alpha / 2);
  const found = detectable(packets, tooMany, power);
  const seconds = packets / packetsPerSecond;
  return { edge, packets, packetsPerSecond, tooMany, tooFew, detectable: found, seconds };
}

/** [LINKTEST 6.5] More is sent than passes, also behind the loss, which comes before the limit. */
function planRate(edge: LinktestEdge, limits: LinktestLimits): RateProbe | Untestable {
  const { bandwidthBps, loss } = edge;
  const { bandwidthBpsMin, bandwidthBpsMax, rateLossMax } = limits;
  if (bandwidthBps < bandwidthBpsMin || bandwidthBps > bandwidthBpsMax) {
    const why = `rates are judged from ${bandwidthBpsMin} to ${bandwidthBpsMax} b/s`;
    return { edge, why: `${why}, this one is ${bandwidthBps} b/s` };
  }
  if (loss > rateLossMax) {
    return { edge, why: `rates are judged up to a loss of ${100 * rateLossMax} %` };
  }
  const seconds = bandwidthBps < 1_000_000 ? 10 : bandwidthBps < 10_000_000 ? 5 : 3;
  const passing = (bandwidthBps * seconds) / bitsOf(ratePayloadBytes);
  // By chance more may be lost than is asked for: four standard deviations of that are added.
  const headroom = 1.1 + 4 * Math.sqrt(loss / passing);
  const sendBps = Math.round((headroom * bandwidthBps) / (1 - loss));
  const packets = Math.ceil((sendBps * seconds) / bitsOf(ratePayloadBytes));
  return { edge, sendBps, packets, seconds };
}

function longest(values: readonly number[]): number {
  return Math.max(0, ...values);
}

function sum(values: readonly number[]): number {
  return values.reduce((all, one) => all + one, 0);
}
