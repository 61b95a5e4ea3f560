// SPDX-License-Identifier: MIT
// What can write down the packets of a link where they pass who shapes it, without tcpdump, and as
// whichever user the run is.
import { errorText } from "../core/text.ts";
import { NetworkError } from "./link-backend.ts";
import type { FilterInstruction } from "./packet-filter.ts";

/** Packets that a node gives to a link, and those that it gets from it, as shaped. */
export type TraceWay = "sent" | "received";

export interface TraceOrder {
  readonly link: string;
  /** Its end, as a place among the members. */
  readonly member: number;
  readonly ways: readonly TraceWay[];
  /** `packets`: a pcap file; `counts`: a line a second of how many, as text. */
  readonly kind: "packets" | "counts";
  /** Most that is kept of a packet, of layer 2. */
  readonly snapBytes: number;
  /** Only what it lets pass is taken; left out: everything. */
  readonly filter?: readonly FilterInstruction[];
  /** Ends by itself after so many packets; 0: never. */
  readonly countMax: number;
  /** Absolute; what is there is written over. */
  readonly path: string;
  /** It begins with nothing, until it is told to go on. */
  readonly isPaused?: boolean;
}

/** Of a whole trace, whatever files it was written to. */
export interface TraceCounts {
  readonly packets: number;
  readonly bytes: number;
  /** Packets that were not written, because the disk did not take them in time. */
  readonly dropped: number;
  /** Its file had as many bytes as it may have. */
  readonly isFull: boolean;
  /** Why it ended before anybody asked for that; left out: it did not, or is full. */
  readonly problem?: string;
}

export interface LinkTrace {
  /** While paused nothing is written. */
  pause(isPaused: boolean): Promise<void>;
  /** What was written so far is in the file `to`; the rest goes into a new one. */
  roll(to: string): Promise<void>;
  /** Idempotent. */
  end(): Promise<TraceCounts>;
  /** Resolves when it has ended, also by itself; never rejects. */
  readonly ended: Promise<TraceCounts>;
}

export interface LinkTracer {
  /** Everything that passes from when it resolves, unless it is paused. @throws NetworkError */
  begin(order: TraceOrder): Promise<LinkTrace>;
}

/** What stays open is bounded, whoever traces. */
export function tooManyTraces(tracesMax: number): NetworkError {
  return new NetworkError(
    `${tracesMax} traces and captures are open, and a run may have no more (tracesMax); ` +
      "end one of them",
  );
}

/** Why a trace does not go on, as its counts say it. */
export function problemOf(error: unknown): string {
  return errorText(error);
}
