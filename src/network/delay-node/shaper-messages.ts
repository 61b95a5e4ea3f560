// SPDX-License-Identifier: MIT
// What Muster, the delay node's process and its threads say to each other. Between Muster and the
// process: one JSON object a line, on standard input and output.
import type { TraceCounts, TraceOrder } from "../link-tracer.ts";
import type { DirectionState } from "../model.ts";
import type { PipeCounts } from "../shaper/pipe.ts";
import type { LanHolds } from "../shaper/segment.ts";

export interface SegmentOrder {
  readonly link: string;
  readonly kind: "link" | "lan";
  /** Of the whole run, mixed with the link's place in it. */
  readonly seed: number;
  readonly members: readonly MemberOrder[];
}

export interface MemberOrder {
  readonly vni: number;
  /** The peer whose machine this end is on; left out: here. */
  readonly peer?: number;
  /** Of its interface, as a number. */
  readonly address: number;
  readonly up: DirectionState;
  readonly down?: DirectionState;
}

export interface UpdateOrder {
  readonly link: string;
  readonly member: number;
  readonly way: "up" | "down";
  readonly state: DirectionState;
}

export type ShaperOrder =
  | {
      readonly kind: "open";
      /** Where the thread listens, and where it sends to. */
      readonly address: string;
      readonly peerAddress: string;
      readonly port: number;
    }
  /** The socket that the process was given, for links with an end on other machines. */
  | { readonly kind: "open-path"; readonly descriptor: number; readonly peers: readonly PathPeer[] }
  /** Is answered with `path`. */
  | { readonly kind: "measure"; readonly peer: number }
  /** Of a LAN with members on other machines. */
  | { readonly kind: "hold"; readonly link: string; readonly holds: LanHolds }
  | { readonly kind: "add"; readonly segments: readonly SegmentOrder[] }
  /** Members join a LAN, behind those that are there. */
  | { readonly kind: "grow"; readonly link: string; readonly members: readonly MemberOrder[] }
  | { readonly kind: "remove"; readonly links: readonly string[] }
  | {
      readonly kind: "change";
      readonly updates: readonly UpdateOrder[];
      /** On the monotonic clock of the machine. */
      readonly atUs: number;
    }
  | { readonly kind: "count"; readonly link: string }
  /** Begins a trace of that number. */
  | { readonly kind: "trace"; readonly trace: number; readonly order: TraceOrder }
  | { readonly kind: "trace-pause"; readonly trace: number; readonly isPaused: boolean }
  | { readonly kind: "trace-roll"; readonly trace: number; readonly to: string }
  | { readonly kind: "trace-end"; readonly trace: number }
  | { readonly kind: "lost" };

/** The delay node of another machine. */
export interface PathPeer {
  readonly address: string;
  readonly port: number;
}

/** What a packet of a link finds between two machines. */
export interface PathMeasure {
  /** One way: half of the shortest of many round trips. */
  readonly delayUs: number;
  /** What the fastest of some trains of packets came at; layer 2. */
  readonly bandwidthBps: number;
}

export interface ShaperRequest {
  readonly id: number;
  readonly thread: number;
  readonly order: ShaperOrder;
}

export interface DirectionCounts {
  readonly member: number;
  readonly way: "up" | "down";
  readonly counts: PipeCounts;
  /** Packets inside. */
  readonly size: number;
}

export interface ShaperAnswer {
  readonly kind: "answer";
  readonly id: number;
  readonly error?: string;
  /** When the change took effect. */
  readonly atUs?: number;
  readonly counts?: readonly DirectionCounts[];
  readonly path?: PathMeasure;
  /** Of a trace that has ended. */
  readonly traced?: TraceCounts;
  /** Packets that the kernel had no room for at this thread's sockets, since the start. */
  readonly lost?: number;
}

/** Packets for the file of a trace; between thread and process only. */
export interface TracedReport {
  readonly kind: "traced";
  readonly trace: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly packets: number;
}

/** A trace has all that it was to have: of a thread to the process, and of that to Muster. */
export interface TraceEndReport {
  readonly kind: "trace-ended";
  readonly trace: number;
  readonly counts?: TraceCounts;
  readonly error?: string;
}

/** How a thread has been since it said so last. */
export interface ShaperReport {
  readonly kind: "report";
  readonly thread: number;
  readonly atUs: number;
  readonly packets: number;
  /** How late packets were sent at most (`ShaperHealth`): the latest, and the mean. */
  readonly lagMaxUs: number;
  readonly lagMeanUs: number;
  /** When the latest one was due. */
  readonly lagMaxAtUs: number;
  /** For how long it did not look while packets came: so far off may be when they are said to. */
  readonly unseenMaxUs: number;
  /** Packets that may have been sent later than `lagWarnUs`. */
  readonly late: number;
  /** What came from no link of the run. */
  readonly strange: number;
  /** What the kernel could not take any more. */
  readonly unsent: number;
}

/** What the kernel dropped because a thread did not read in time, since the process began. */
export interface DropReport {
  readonly kind: "drops";
  readonly dropped: number;
}

export interface ShaperReady {
  readonly kind: "ready";
}

export interface PriorityReport {
  readonly kind: "priority";
  readonly priority: Priority;
}

export type ShaperSays =
  | ShaperReady
  | ShaperAnswer
  | ShaperReport
  | DropReport
  | PriorityReport
  | TraceEndReport;

/** What a thread says to the process. */
export type ThreadSays = ShaperAnswer | ShaperReport | TracedReport | TraceEndReport;

export interface ShaperThreadData {
  readonly thread: number;
  readonly pace: Pace;
  /** From the monotonic clock to the time of day: one for all threads, so that traces agree. */
  readonly wallOffsetUs: number;
}

/**
 * How a thread waits for the next packet: `nap` sleeps in between and is some tenths of a
 * millisecond late, `spin` takes a whole core while anything is on its way.
 */
export type Pace = "nap" | "spin";

export type Priority = "real-time" | "usual";
