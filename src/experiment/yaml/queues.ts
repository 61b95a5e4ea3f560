// SPDX-License-Identifier: MIT
// Queues of links, both ways: the words of a document and the values of the model.
// What is left out is as in NS files: drop-tail for 50 packets, and RED's figures there.

import { isSameQueue, presetQueue } from "../link-shape.ts";
import type { QueueShape } from "../model.ts";
import { formatPercentage, plain } from "../quantities.ts";
import { integerIn, percentageIn } from "./context.ts";
import type { PlainMap, PlainValue } from "./emit.ts";
import { child, type DocumentNode, textOf } from "./tree.ts";

export const queueKinds: readonly QueueShape["kind"][] = ["drop-tail", "red", "gentle-red"];

/** What a document says of a queue; undefined when it says nothing, or something wrong. */
export function queueChangeIn(node: DocumentNode | undefined): Partial<QueueShape> | undefined {
  if (node?.kind === "text") return lengthOf(node.text);
  if (node?.kind !== "map") return undefined;
  const kind = queueKinds.find((one) => one === textOf(child(node, "kind")));
  return withoutUndefined({
    kind,
    ...lengthOf(textOf(child(node, "limit")) ?? ""),
    minThreshold: packetsIn(node, "minThreshold"),
    maxThreshold: packetsIn(node, "maxThreshold"),
    averageWeight: percentageIn(node, "averageWeight"),
    dropOneIn: integerIn(node, "dropOneIn"),
    meanPacketBytes: integerIn(node, "meanPacketBytes"),
  });
}

/** A whole queue; undefined when it is the one of links that say nothing. */
export function queueIn(node: DocumentNode | undefined): QueueShape | undefined {
  const change = queueChangeIn(node);
  if (change === undefined) return undefined;
  const queue = { ...presetQueue, ...change };
  return isSameQueue(queue, presetQueue) ? undefined : queue;
}

function lengthOf(text: string): Partial<QueueShape> {
  const [, count, unit] = /^([0-9]+)(packets|bytes)$/.exec(text) ?? [];
  if (count === undefined) return {};
  return { limit: Number(count), limitUnit: unit === "bytes" ? "bytes" : "packets" };
}

function packetsIn(node: DocumentNode, key: string): number | undefined {
  const [, count] = /^([0-9.]+)packets$/.exec(textOf(child(node, key)) ?? "") ?? [];
  return count === undefined ? undefined : Number(count);
}

type Loose = { readonly [Key in keyof QueueShape]?: QueueShape[Key] | undefined };

function withoutUndefined(queue: Loose): Partial<QueueShape> {
  const said = Object.entries(queue).filter(([, value]) => value !== undefined);
  return Object.fromEntries(said);
}

/** The shortest words for a queue, or for what changes of one. */
export function printQueue(queue: Partial<QueueShape>): PlainValue {
  const pairs = printFigures(queue);
  const [first] = pairs;
  return pairs.length === 1 && first?.[0] === "limit" ? first[1] : { map: pairs };
}

/** Those of a whole queue that differ from the preset. */
export function differencesOf(queue: QueueShape): Partial<QueueShape> {
  const { limit, limitUnit, ...rest } = queue;
  const isUsualLength = limit === presetQueue.limit && limitUnit === presetQueue.limitUnit;
  const others = Object.entries(rest).filter(([key, value]) => {
    return value !== presetQueue[key as keyof typeof rest];
  });
  return { ...(isUsualLength ? {} : { limit, limitUnit }), ...Object.fromEntries(others) };
}

function printFigures(queue: Partial<QueueShape>): PlainMap["map"] {
  const { kind, limit, limitUnit = "packets", minThreshold, maxThreshold } = queue;
  const { averageWeight, dropOneIn, meanPacketBytes } = queue;
  const pairs: (readonly [string, PlainValue])[] = [];
  if (kind !== undefined) pairs.push(["kind", kind]);
  if (limit !== undefined) pairs.push(["limit", `${limit}${limitUnit}`]);
  if (minThreshold !== undefined) pairs.push(["minThreshold", packets(minThreshold)]);
  if (maxThreshold !== undefined) pairs.push(["maxThreshold", packets(maxThreshold)]);
  if (averageWeight !== undefined) pairs.push(["averageWeight", formatPercentage(averageWeight)]);
  if (dropOneIn !== undefined) pairs.push(["dropOneIn", dropOneIn]);
  if (meanPacketBytes !== undefined) pairs.push(["meanPacketBytes", meanPacketBytes]);
  return pairs;
}

function packets(count: number): string {
  return `${plain(count, 0)}packets`;
}

/** Whether a document has words for exactly this queue. */
export function isQueueSayable(queue: QueueShape): boolean {
  const { limit, minThreshold, maxThreshold, averageWeight, dropOneIn, meanPacketBytes } = queue;
  const isWhole = [limit, dropOneIn, meanPacketBytes].every(
    (value) => Number.isSafeInteger(value) && value >= 1,
  );
  const isInRange = limit < 1e10 && dropOneIn <= 1e6 && meanPacketBytes <= 65_535;
  const isLength = [minThreshold, maxThreshold].every((value) => value >= 0 && value < 1e15);
  return isWhole && isInRange && isLength && averageWeight >= 0 && averageWeight <= 1;
}
