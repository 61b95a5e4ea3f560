// SPDX-License-Identifier: MIT
// The lines for `tc -batch` that make a direction what it should be, on kernels that have netem.
// Pure. The same lines make it and change it: everything is named each time, because what is not
// named goes back to its default, and nothing is ever deleted, because deleting loses packets and
// lets others by.
//
//   netem (down, loss, duplicates, delay) -> tbf (rate) -> pfifo, bfifo or red (queue)
import type { Capacity, DirectionState, QueueShape } from "../model.ts";
import { networkLimits } from "../network-limits.ts";

export const netemCapacity: Capacity = {
  backend: "netem",
  bandwidthBpsMax: networkLimits.netemBandwidthBpsMax,
  inFlightBytesMax: networkLimits.inFlightBytesMax,
};

/** What is on its way is bounded in packets; these may all be small. */
const packetsMax = networkLimits.inFlightBytesMax / 64;
/** Two full frames, or what the rate brings in 2.5 ms: less, and the rate is not reached. */
const burstBytesMin = 3_028;
const burstSeconds = 0.0025;
const burstMax = 100_000;
/** With a rate netem keeps the order of packets, however their delays vary and are changed. */
const orderingRate = "100gbit";

/** @returns why the kernel cannot do what is asked, though the model can. */
export function netemProblem({ shape }: DirectionState): string | undefined {
  return shape.queue.kind === "gentle-red"
    ? "the kernel has no gentle RED; use RED, or the delay node"
    : undefined;
}

/** @param device its egress is the direction. */
export function formatDirection(
  device: string,
  { shape, isUp }: DirectionState,
): readonly string[] {
  const { bandwidthBps, delayUs, jitterUs, loss, duplicate, reorder, queue } = shape;
  const rateBps = bandwidthBps === 0 ? networkLimits.netemBandwidthBpsMax : bandwidthBps;
  const burst = Math.ceil(Math.max(burstBytesMin, (rateBps / 8) * burstSeconds));
  const netem = [
    `limit ${packetsMax}`,
    `delay ${delayUs}us${jitterUs === 0 ? "" : ` ${jitterUs}us`}`,
    `loss random ${percent(isUp ? loss : 1)}`,
    ...(duplicate === 0 ? [] : [`duplicate ${percent(duplicate)}`]),
    ...(reorder === 0 ? [] : [`reorder ${percent(reorder)}`]),
    `rate ${orderingRate}`,
  ];
  // What tbf itself may hold counts for nothing: its queue is replaced.
  const bytes = Math.max(burst, queueBytes(queue));
  return [
    `qdisc replace dev ${device} root handle 1: netem ${netem.join(" ")}`,
    `qdisc replace dev ${device} parent 1:1 handle 2: tbf rate ${rateBps}bit burst ${burst} limit ${bytes}`,
    `qdisc replace dev ${device} parent 2:1 handle 3: ${formatQueue(queue, rateBps)}`,
  ];
}

function formatQueue(queue: QueueShape, rateBps: number): string {
  const { limit, limitUnit, meanPacketBytes, minThreshold, maxThreshold, dropOneIn } = queue;
  if (queue.kind === "drop-tail") {
    return limitUnit === "packets" ? `pfifo limit ${limit}` : `bfifo limit ${limit}`;
  }
  const [min, max] = [minThreshold * meanPacketBytes, maxThreshold * meanPacketBytes];
  const burst = burstOf(queue);
  return [
    `red limit ${queueBytes(queue)} min ${min} max ${max} avpkt ${meanPacketBytes}`,
    `burst ${burst} probability ${1 / dropOneIn} bandwidth ${rateBps}bit`,
  ].join(" ");
}

/**
 * The kernel takes the weight as a burst: of so many packets at once that the average of an empty
 * queue reaches the minimum. By the formula of Floyd and Jacobson, section 6.
 */
function burstOf({ averageWeight, minThreshold }: QueueShape): number {
  const average = (count: number): number =>
    count + 1 + ((1 - averageWeight) ** (count + 1) - 1) / averageWeight;
  let count = Math.ceil(minThreshold) + 1;
  while (count < burstMax && average(count) < minThreshold) count += 1;
  return count;
}

function queueBytes({ limit, limitUnit }: QueueShape): number {
  return limitUnit === "bytes" ? limit : limit * 1514;
}

const percent = (share: number): string => `${share * 100}%`;
