// SPDX-License-Identifier: MIT
// Which ends of links a file wants traced, and how much of each packet. Pure. [EMULAB-NS 6.3]
import type { Tables } from "../../experiment/index.ts";
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

export function readTracedEnds({ virt_lans: rows = [] }: Tables): TracedEnds {
  const ends: TracedEnd[] = [];
  const problems = new Set<string>();
  for (const row of rows) {
    const { vname: link = "", vnode: node = "", trace_type: type, trace_snaplen: snap } = row;
    if (row["traced"] !== "1") continue;
    const wanted = Math.trunc(Number(snap ?? 0));
    const usual = type === "packet" ? wholePacketBytes : headerBytes;
    const snapBytes = wanted > 0 ? Math.min(wanted, wholePacketBytes) : usual;
    const kind = type === "monitor" ? "counts" : "packets";
    ends.push({ link, node, kind, snapBytes, expression: (row["trace_expr"] ?? "").trim() });
    if (row["trace_db"] === "1") problems.add(`${link} is traced into files, not into a database`);
  }
  return { ends, problems: [...problems] };
}
