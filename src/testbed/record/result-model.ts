// SPDX-License-Identifier: MIT
// The shape of result.json, schema 1. Types only; docs/reference/result.md describes them for
// users. A field keeps its name and meaning as long as `schema` is 1; new fields may come.
import type { BarrierKind, BarrierOutcome } from "../../core/effect.ts";
import type { EndedBy, InstanceEnded, NodeAddress } from "../run-event.ts";

/** Warnings kept in the result; the rest is counted, and is in the record. */
export const warningsMax = 1_000;
export const messagesMax = 1_000;

/** The object in result.json. Times are microseconds since time 0 of the run unless named else. */
export interface RunResult {
  readonly schema: 1;
  /** `pid/eid` */
  readonly experiment: string;
  readonly runId: string;
  /** The experiment file, as given. */
  readonly file: string;
  /** Directory of the results, as given. */
  readonly out: string;
  /** Wall clock when the run started, ISO 8601. */
  readonly startedAt: string;
  /** When the run started and ended; the start is before time 0. */
  readonly startedUs: number;
  readonly endedUs: number;
  readonly outcome: "passed" | "failed";
  readonly endedBy: EndedBy;
  /** A failure of the run itself, not of a program or barrier. */
  readonly error: { readonly code: string; readonly message: string } | null;
  /** Why the outcome is `failed`, most telling first; empty when it passed. */
  readonly reasons: readonly ResultReason[];
  readonly syncServer: string | null;
  readonly seed: number;
  readonly backend: {
    readonly nodes: string;
    readonly links: string;
    /** What read the commands: `csh -f -c`, `bash -c`, or `""` for neither. */
    readonly shell: string;
  };
  /** The command line that repeats the run; null when no command line asked for it. */
  readonly command: string | null;
  readonly nodes: readonly ResultNode[];
  /** What this machine could not give, one sentence each. */
  readonly lost: readonly string[];
  /** What the experiment and the run had to say, in order. */
  readonly messages: readonly ResultMessage[];
  /** Messages beyond `messagesMax`. */
  readonly messagesDropped: number;
  readonly warnings: readonly ResultWarning[];
  /** Warnings beyond `warningsMax`. */
  readonly warningsDropped: number;
  readonly barriers: readonly ResultBarrier[];
  readonly events: readonly ResultEvent[];
  readonly programs: readonly ResultProgram[];
  /** Programs of the experiment that were never started; that fails nothing by itself. */
  readonly programsNotStarted: readonly { readonly name: string; readonly node: string }[];
  readonly links: readonly ResultLink[];
  /** What was changed while it went on, in order. */
  readonly modifications: readonly ResultModification[];
  /** Those of the Testground plan, in the order of the file; absent without one. */
  readonly instances?: readonly ResultInstance[];
  /** Absent when nothing was generated. */
  readonly traffic?: readonly ResultTraffic[];
}

export interface ResultNode {
  readonly name: string;
  readonly addresses: readonly NodeAddress[];
  /** The machine it was on, where that was another one. */
  readonly host?: string;
  /** When the node was up; null when it never was. */
  readonly upUs: number | null;
}

export interface ResultMessage {
  readonly atUs: number;
  readonly node: string | null;
  readonly text: string;
}

export interface ResultWarning {
  readonly atUs: number;
  readonly level: "warning" | "error";
  readonly node: string | null;
  readonly text: string;
}

export interface ResultBarrier {
  readonly name: string;
  readonly kind: BarrierKind;
  readonly generation: number;
  readonly outcome: BarrierOutcome;
  /** Everybody left before it was crossed; `arrived` and `missing` are as they were then. */
  readonly givenUp: boolean;
  readonly expected: number;
  /** Parties that arrived and did not leave again. */
  readonly arrived: number;
  /** null unless the outcome is `crossed`. */
  readonly crossedUs: number | null;
  readonly endedUs: number;
  /** The error number everybody was given, the largest reported; 0 for none. */
  readonly error: number;
  readonly participants: readonly {
    readonly name: string;
    readonly node: string | null;
    readonly arrivedUs: number;
    readonly releasedUs: number | null;
  }[];
  readonly missing: readonly string[];
  /** The file lets it end as it may: it decides nothing. */
  readonly isOptional?: boolean;
  /** The warning given when the wait got long, if it did. */
  readonly slow: {
    readonly atUs: number;
    readonly waitedUs: number;
    readonly arrived: readonly string[];
    readonly missing: readonly string[];
  } | null;
}

export interface ResultProgram {
  readonly name: string;
  readonly node: string;
  readonly command: string;
  readonly startedUs: number;
  /** null when the stream ended before the program did. */
  readonly endedUs: number | null;
  readonly exitCode: number | null;
  readonly expectedExitCode: number;
  readonly signal: string | null;
  readonly timedOut: boolean;
  /** Stopped by an event or by the end of the run: its exit status decides nothing. */
  readonly stopped: boolean;
  readonly startError: string | null;
  readonly stderrTail: string;
  /** Number of the run: it printed to `NAME.out.TOKEN`. Absent when it was not started. */
  readonly token?: number;
  /** Bytes in the files it printed to; absent when unknown. */
  readonly stdoutBytes?: number;
  readonly stderrBytes?: number;
}

/** An instance of the Testground plan, beside its program. */
export interface ResultInstance {
  /** Name of its program. */
  readonly name: string;
  readonly node: string;
  readonly group: string;
  /** Within the group, from 0. */
  readonly number: number;
  /** What it said first of its end; `none` when it said nothing: its program decides alone then. */
  readonly outcome: InstanceEnded["outcome"] | "none";
  readonly error: string;
  /** When it said so; null when it said nothing. */
  readonly endedUs: number | null;
  /** What it left in TEST_OUTPUTS_PATH, below the directory of the results. */
  readonly outputs: string;
}

/** One event; times in microseconds since time 0. */
export interface ResultEvent {
  readonly id: number;
  readonly object: string;
  readonly type: string;
  readonly event: string;
  readonly args: string;
  /** null for an event of the swap-out that did not fire. */
  readonly plannedUs: number | null;
  /** null when it did not fire. */
  readonly firedUs: number | null;
  readonly latenessUs: number | null;
  /** From the first to the last member of a group that obeyed; 0 for one object. */
  readonly skewUs: number | null;
  /** `done`, `failed: WHY`, `ignored: WHY`, `cancelled` or `not fired`. */
  readonly outcome: string;
  /** Of one that was cancelled, or sent while the run went and not fired. */
  readonly why?: string;
}

/** What a modification of the running experiment brought, by names. */
export interface ResultModification {
  /** Microseconds since time 0. */
  readonly atUs: number;
  readonly nodesAdded: readonly string[];
  readonly nodesRemoved: readonly string[];
  readonly nodesRestarted: readonly string[];
  /** Those of `nodesRestarted` that did not come back. */
  readonly nodesLost: readonly { readonly name: string; readonly why: string }[];
  readonly programsAdded: readonly string[];
  readonly programsRemoved: readonly string[];
  readonly programsRestarted: readonly string[];
  readonly linksChanged: readonly string[];
  readonly linksAdded: readonly string[];
  readonly linksRemoved: readonly string[];
  readonly trafficEnded: readonly string[];
  readonly trafficBegun: readonly string[];
  /** Timelines and sequences that came, went or are otherwise. */
  readonly sequencesChanged: readonly string[];
  /** Numbers of events. */
  readonly eventsAdded: readonly number[];
  readonly eventsChanged: readonly number[];
  readonly eventsRemoved: readonly number[];
  /** Were to be changed or taken away, and had fired. */
  readonly eventsFired: readonly number[];
}

/** One flow of generated traffic. */
export interface ResultTraffic {
  readonly name: string;
  readonly protocol: "udp" | "tcp";
  readonly sentPackets: number;
  readonly sentBytes: number;
  readonly generatorLostPackets: number;
  readonly receivedPackets: number;
  readonly receivedBytes: number;
}

/** One direction of a link, or of one pair of members of a LAN. */
export interface ResultLink {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  /** As of the last modification. */
  readonly asked: {
    /** Bits per second; 0 means whatever the medium carries. */
    readonly bandwidthBps: number;
    /** One way. */
    readonly delayUs: number;
    /** 0 to 1. */
    readonly loss: number;
  };
  /** By the last linktest since it was changed; what that did not measure is null. */
  readonly measured: {
    readonly bandwidthBps: number | null;
    /** Both ways. */
    readonly rttUs: number | null;
    /** One way, in the middle of all packets; absent where the ends have no common clock. */
    readonly delayUs?: number | null;
    readonly loss: number | null;
  } | null;
  /** `untestable`: nothing is known to be wrong, and not everything could be judged. */
  readonly verdict: "ok" | "bad" | "untestable" | "skipped";
  /** Why it is bad or untestable; absent for others. */
  readonly why?: readonly string[];
  /** When a modification took it away; the rest is as it was then. */
  readonly removedUs?: number;
}

/** One reason for the outcome `failed`. */
export interface ResultReason {
  /** `PROGRAM`, `BARRIER`, `INTERRUPTED`, or the code of the error of the run. */
  readonly code: string;
  readonly message: string;
}
