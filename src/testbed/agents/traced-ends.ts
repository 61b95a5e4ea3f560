// SPDX-License-Identifier: MIT
// Which ends of links a file wants traced, and how much of each packet. Pure. [EMULAB-NS 6.3]
import type { Link } from "../../experiment/model.ts";
import { wholePacketBytes } from "../../network/pcap-writer.ts";

/** Of a packet whose headers are wanted: Ethernet, IP and TCP, each with all its options. */
export const headerBytes: number = 14 + 60 + 60;

export interface TracedEnd {
  readonly link: string;
  readonly node: string;
  /** `counts`: `monitor` in the file. */
  readonly kind: "packets" | "counts";
  readonly snapBytes: number;
  /** Which packets, in the words of tcpdump; empty: all. */
  readonly expression: string;
}

export interface TracedEnds {
  readonly ends: readonly TracedEnd[];
  /** What of it is not done, a sentence each. */
  readonly problems: readonly string[];
}

export function readTracedEnds(links: readonly Link[]): TracedEnds {
  const ends: TracedEnd[] = [];
  const problems = new Set<string>();
  for (const { name: link, members } of links) {
    for (const { node, trace } of members) {
      if (trace === undefined) continue;
      const { bytes, expression = "" } = trace;
      const usual = trace.kind === "packets" ? wholePacketBytes : headerBytes;
      const snapBytes = Math.min(bytes ?? usual, wholePacketBytes);
      const kind = trace.kind === "counts" ? "counts" : "packets";
      ends.push({ link, node, kind, snapBytes, expression });
      if (trace.inDatabase) problems.add(`${link} is traced into files, not into a database`);
    }
  }
  return { ends, problems: [...problems] };
}
