// SPDX-License-Identifier: MIT
// What the kernel has counted of one direction, from `tc -s -j qdisc show`. Pure. The outer
// discipline counts as dropped also what those inside of it dropped: netem (losses) holds tbf
// (rate), which holds the queue; see netem-commands.ts. What is lost while a link is down is a loss
// for netem, and it does not say how many packets came or came twice.
import type { CountedWay } from "../link-report.ts";

interface QueueCounts {
  readonly bytes: number;
  readonly packets: number;
  readonly drops: number;
  readonly size: number;
}

/** @returns a sentence when the text is not what tc prints of a direction of ours. */
export function readNetemCounts(text: string): Pick<CountedWay, "counts" | "size"> | string {
  const known = readDisciplines(text);
  const [netem, tbf] = [known?.get("1:"), known?.get("2:")];
  if (netem === undefined || tbf === undefined) {
    return `tc -s -j qdisc says nothing of what shapes: ${text.slice(0, 200)}`;
  }
  return {
    size: netem.size,
    counts: {
      ...{ arrived: null, arrivedBytes: null, duplicated: null, down: null, overflow: null },
      delivered: netem.packets,
      deliveredBytes: netem.bytes,
      // The two are read one after the other.
      lost: Math.max(0, netem.drops - tbf.drops),
      queueDrops: tbf.drops,
    },
  };
}

function readDisciplines(text: string): ReadonlyMap<string, QueueCounts> | undefined {
  let rows: unknown;
  try {
    rows = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(rows)) return undefined;
  return new Map(
    rows.map((row: Readonly<Record<string, unknown>>) => {
      const count = (name: string): number => Number(row[name] ?? 0);
      const [bytes, packets, drops, size] = ["bytes", "packets", "drops", "qlen"].map(count);
      return [
        String(row["handle"]),
        { bytes: bytes ?? 0, packets: packets ?? 0, drops: drops ?? 0, size: size ?? 0 },
      ];
    }),
  );
}
