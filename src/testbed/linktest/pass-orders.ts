// SPDX-License-Identifier: MIT
// One pass of a plan as orders for the probes at both ends, and their answers as samples. Pure.
import {
  frameBytes,
  type LatencyPlan,
  type LinktestEdge,
  type LossProbe,
  type LossSample,
  lossPayloadBytes,
  type Pair,
  type PassOf,
  type RateProbe,
  type RateSample,
  type Route,
  ratePayloadBytes,
  routePings,
} from "../../linktest/index.ts";
import { usualQueue } from "../../network/model.ts";
import type { ProbeStep, SendStep, StepAnswer } from "./probe-order.ts";

/** Steps of both ends, in the direction of `there` of their pair. */
export interface EndSteps {
  readonly there: readonly ProbeStep[];
  readonly back: readonly ProbeStep[];
}

/** For what is late, and for an end that starts its step after the other. */
const graceMs = 2_000;
/**
 * What a sender makes up for at once. The link takes them out twice as fast as they are due (Q3),
 * so that they, and no more than one, are all that waits there: far from the 50 of a usual queue,
 * or else the queue would lose what the sender's machine has held back. Of a short queue it is what
 * has room in it.
 */
const lossBurstPackets = 16;
/** A full queue is what is wanted: it must not run empty while the sender does not run. */
const rateBurstMs = 50;
/** A sender that is kept from running is slower by its short bursts, and tells no less for that. */
const lossSlowness = 2;

export function latencySteps({ there, back }: Pair, plan: LatencyPlan): EndSteps {
  const waitMs = there.delayMs + back.delayMs + 1_000;
  return pingSteps({ count: plan.count, intervalMs: plan.intervalMs, waitMs });
}

export function routeSteps(): EndSteps {
  return pingSteps(routePings);
}

function pingSteps(ping: NonNullable<ProbeStep["ping"]>): EndSteps {
  const timeoutMs = ping.count * ping.intervalMs + 2 * ping.waitMs + graceMs;
  return { there: [{ ping, timeoutMs }], back: [{ receive: { packets: 0 }, timeoutMs }] };
}

/** Both directions at once: they fill half of the link at most. */
export function lossSteps({ pair, probes }: PassOf<LossProbe>): EndSteps {
  const step = (own: LossProbe | undefined, other: LossProbe | undefined): ProbeStep => {
    const seconds = Math.max(own?.seconds ?? 0, other?.seconds ?? 0);
    const delayMs = Math.max(pair.there.delayMs, pair.back.delayMs);
    return {
      ...(own === undefined ? {} : { send: sendOf(own) }),
      ...(other === undefined ? {} : { receive: { packets: other.packets } }),
      timeoutMs: Math.ceil(lossSlowness * 1_000 * seconds + delayMs + 2 * graceMs),
    };
  };
  const [there, back] = directions(pair, probes);
  return { there: [step(there, back)], back: [step(back, there)] };
}

/** One direction after the other: both at once are twice the load of the machine. */
export function rateSteps({ pair, probes }: PassOf<RateProbe>): EndSteps {
  const [there, back] = directions(pair, probes);
  const ends: { there: ProbeStep[]; back: ProbeStep[] } = { there: [], back: [] };
  const add = (probe: RateProbe | undefined, from: "there" | "back"): void => {
    if (probe === undefined) return;
    const { edge, packets, seconds } = probe;
    const bits = 8 * (ratePayloadBytes + frameBytes);
    const spacingUs = (1_000_000 * bits) / edge.bandwidthBps;
    const queuePackets = queueOf(edge, ratePayloadBytes);
    const queueMs = (spacingUs * Math.max(queuePackets, 2 * usualQueue.limit)) / 1_000;
    const timeoutMs = Math.ceil(1_200 * seconds + edge.delayMs + queueMs + graceMs);
    const intervalUs = (1_000_000 * bits) / probe.sendBps;
    const send = {
      ...{ packets, payloadBytes: ratePayloadBytes, intervalUs },
      burstPacketsMax: 1 + Math.ceil((1_000 * rateBurstMs) / intervalUs),
      giveUpMs: Math.ceil(1_100 * seconds + graceMs / 2),
      fills: { spacingUs: spacingUs * (1 - edge.loss), queuePackets: fillOf(edge) },
    };
    ends[from].push({ send, timeoutMs });
    const receive = { packets, spacingUs };
    ends[from === "there" ? "back" : "there"].push({ receive, timeoutMs });
  };
  add(there, "there");
  add(back, "back");
  return ends;
}

function sendOf({ edge, packets, packetsPerSecond, seconds }: LossProbe): SendStep {
  const room = queueOf(edge, lossPayloadBytes) - 1;
  return {
    ...{ packets, payloadBytes: lossPayloadBytes, intervalUs: 1_000_000 / packetsPerSecond },
    burstPacketsMax: Math.max(1, Math.min(lossBurstPackets, room)),
    giveUpMs: Math.ceil(lossSlowness * 1_000 * seconds + graceMs),
  };
}

/** Packets of a size that wait in the queue of a direction. */
function queueOf({ queueLimit }: LinktestEdge, payloadBytes: number): number {
  const { limit, unit } = queueLimit ?? { limit: usualQueue.limit, unit: usualQueue.limitUnit };
  return unit === "packets" ? limit : Math.floor(limit / (payloadBytes + frameBytes));
}

/**
 * What of the queue the probe can fill, and keeps the link going while its sender stands still. RED
 * holds far fewer packets than its limit, and drops most of those that come at once behind that.
 */
function fillOf(edge: LinktestEdge): number {
  const room = queueOf(edge, ratePayloadBytes);
  return Math.min(room, Math.floor(edge.queueMinimum ?? room));
}

function directions<Probe extends { readonly edge: Pair["there"] }>(
  pair: Pair,
  probes: readonly Probe[],
): readonly [Probe | undefined, Probe | undefined] {
  const of = (edge: Pair["there"]): Probe | undefined => probes.find((one) => one.edge === edge);
  return [of(pair.there), of(pair.back)];
}

/** What the sender and the receiver of one step say. */
export interface StepEnds {
  readonly sender: StepAnswer | undefined;
  readonly receiver: StepAnswer | undefined;
  readonly lostByMachine: number;
  /** So late at most the shaper was with any packet meanwhile. */
  readonly lateUs: number;
}

export function lossSample(
  { sender, receiver, lostByMachine }: StepEnds,
  { delayMs }: { readonly delayMs: number },
): LossSample {
  const { packets: sent = 0, lastUs = 0 } = sender?.sent ?? {};
  const { packets: received = 0, overflowed = 0, endedUs = 0 } = receiver?.received ?? {};
  const isCutShort = endedUs < lastUs + 1_000 * delayMs;
  return { sent, received, overflowed, lostByMachine, isCutShort };
}

export function rateSample(ends: StepEnds, edge: { readonly delayMs: number }): RateSample {
  const { packets = 0, tookUs = 0, idleUs = 0, leastOffered } = ends.sender?.sent ?? {};
  const { firstUs = 0, lastUs = 0, between = 0 } = ends.receiver?.received ?? {};
  const bits = 8 * (ratePayloadBytes + frameBytes);
  const inAll = tookUs <= 0 ? 0 : ((packets - 1) * 1_000_000) / tookUs;
  // An agent of a build before this says it of all only.
  const sentBps = bits * Math.min(inAll, leastOffered ?? inAll);
  const received = { firstUs, lastUs, between };
  return { ...lossSample(ends, edge), ...received, sentBps, idleUs, lateUs: ends.lateUs };
}

/** Routes as pairs, so that they are scheduled like all others. */
export function routePair({ from, to, link }: Route): Pair {
  const shape = { bandwidthBps: 0, delayMs: 0, loss: 0, queue: "droptail" } as const;
  return {
    there: { from, to, link, ...shape },
    back: { from: to, to: from, link, ...shape },
  };
}
