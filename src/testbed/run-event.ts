// SPDX-License-Identifier: MIT
// What happens in a run, as one stream of plain values. The orchestrator (run.ts) says it; the run
// record, the progress display, result.json and the reports are built from it and nothing else.
//
// `atUs` is microseconds since the run's time 0 (the instant `$ns at 0` means); what happens before
// it is negative. Until time 0 is known events are held back, so that every event has its `atUs`.
import type { LogEntry } from "../core/command.ts";
import type { BarrierKind, BarrierOutcome } from "../core/effect.ts";
import type { Link, LinkMember } from "../experiment/model.ts";
import type { Verdict } from "../linktest/index.ts";

export type EndedBy = "idle" | "terminate" | "duration" | "failure" | "interrupt";

export interface NodeAddress {
  /** Link or LAN of the file this address belongs to; `""` for the control address. */
  readonly link: string;
  /** The address the file gives, `""` for the control address. */
  readonly experiment: string;
  /** The address it has in this run: on loopback, or the same in a network of the node's own. */
  readonly loopback: string;
}

export interface RunStarted {
  readonly type: "run-started";
  readonly runId: string;
  /** `pid/eid` */
  readonly experiment: string;
  readonly file: string;
  readonly seed: number;
  readonly startedWallMs: number;
  /** CLOCK_MONOTONIC at time 0, microseconds: what programs measure can be related to the run. */
  readonly zeroMonotonicUs: number;
  readonly out: string;
  readonly syncServer: string | null;
  readonly backend: {
    /** `netns`: with a network of their own; `remote`: on other machines. */
    readonly nodes: "process" | "netns" | "remote";
    /** What shapes them; `none` where nothing does. */
    readonly links: "none" | "netem" | "delay-node";
    /** What reads commands: `csh -f -c`, `bash -c`, `sh -c`, `""` for none. */
    readonly shell?: string;
  };
  /** The command line that repeats the run; none for a run that no command line asked for. */
  readonly command?: string;
  readonly nodes: readonly {
    readonly name: string;
    readonly addresses: readonly NodeAddress[];
    /** The machine it is on, where that is another one. */
    readonly host?: string;
  }[];
  /** Names of all programs, to show what has not started yet. */
  readonly programs: readonly { readonly name: string; readonly node: string }[];
  readonly eventsPlanned: number;
  /** What this machine cannot give, one sentence each. */
  readonly lost: readonly string[];
}

export interface NodeUp {
  readonly type: "node-up";
  readonly node: string;
}

export interface ProgramStarted {
  readonly type: "program-started";
  readonly name: string;
  readonly node: string;
  readonly command: string;
}

export interface ProgramEnded {
  readonly type: "program-ended";
  readonly name: string;
  readonly node: string;
  readonly command: string;
  readonly startedUs: number;
  /** null when a signal ended it or it could not be started. */
  readonly exitCode: number | null;
  readonly expectedExitCode: number;
  /** `SIGTERM`, ... */
  readonly signal: string | null;
  readonly timedOut: boolean;
  /** Stopped by an event or by the end of the run: its exit status decides nothing. */
  readonly stopped: boolean;
  /** Why it could not be started, and what to do. */
  readonly startError: string | null;
  /** Last lines of its standard error, for the failure message; at most 4 KiB. */
  readonly stderrTail: string;
  /** Number of the run: it printed to `NAME.out.TOKEN`. Absent when it was not started. */
  readonly token?: number;
  /** Bytes in the files it printed to; absent when unknown. */
  readonly stdoutBytes?: number;
  readonly stderrBytes?: number;
}

/** An instance of a Testground plan has said how it ended; said once of each. */
export interface InstanceEnded {
  readonly type: "instance-ended";
  /** Name of the program. */
  readonly name: string;
  readonly node: string;
  readonly group: string;
  /** Within the group, from 0. */
  readonly number: number;
  readonly outcome: "success" | "failure" | "crash";
  /** In the instance's words; empty for a success. */
  readonly error: string;
}

export interface EventFired {
  readonly type: "event-fired";
  /** The number that it has everywhere: the file's counts from 1, what came later above. */
  readonly id: number;
  readonly object: string;
  readonly objectType: string;
  readonly event: string;
  readonly args: string;
  readonly plannedUs: number;
  readonly firedUs: number;
  /** Later than planned by this, pauses of the agenda left out. */
  readonly latenessUs: number;
  /** From the first to the last member of a group that obeyed; 0 for one object. */
  readonly skewUs: number;
  /**
   * `done`, `skipped`, `failed: WHY`, or `ignored: WHY` (an object nobody serves yet, e.g. a link).
   */
  readonly outcome: string;
}

/**
 * An event that had not fired was taken back, by somebody or with what it was a part of; or it was
 * sent while the run went, and is left over at its end.
 */
export interface EventCancelled {
  readonly type: "event-cancelled";
  readonly id: number;
  readonly object: string;
  readonly objectType: string;
  readonly event: string;
  readonly args: string;
  /** null for one that waited for a barrier. */
  readonly plannedUs: number | null;
  readonly why: string;
  /** Nobody has taken it back. */
  readonly isLeftOver?: true;
}

/** What became of a flow of generated traffic; said once, at the end of the run. */
export interface TrafficEnded {
  readonly type: "traffic-ended";
  readonly name: string;
  readonly protocol: "udp" | "tcp";
  readonly sentPackets: number;
  readonly sentBytes: number;
  /** Packets whose time had come and that the generator could not send: not lost on the way. */
  readonly generatorLostPackets: number;
  /** Of TCP: as many as the bytes make. */
  readonly receivedPackets: number;
  readonly receivedBytes: number;
}

/** A linktest has ended. Its verdicts are about directions, each stage by itself. */
export interface LinksTested {
  readonly type: "links-tested";
  /** Last stage, 1 to 4. */
  readonly level: number;
  readonly verdicts: readonly Verdict[];
  readonly isCancelled: boolean;
}

/** Somebody arrived, left, or the count changed: the live state of one barrier. */
export interface BarrierChanged {
  readonly type: "barrier-changed";
  readonly name: string;
  /** Absent: `count`. */
  readonly kind?: BarrierKind;
  readonly arrived: number;
  readonly expected: number;
  /** Nodes or addresses of those who wait, in order of arrival. */
  readonly waiting: readonly string[];
  /** Sentences: who is missing, as far as known. */
  readonly missing: readonly string[];
}

export interface BarrierEnded {
  readonly type: "barrier-ended";
  readonly name: string;
  readonly kind: BarrierKind;
  readonly generation: number;
  readonly outcome: BarrierOutcome;
  readonly error: number;
  readonly expected: number;
  readonly crossedUs: number;
  readonly participants: readonly {
    readonly name: string;
    readonly node: string | null;
    readonly arrivedUs: number;
    readonly releasedUs: number | null;
  }[];
  readonly missing: readonly string[];
  /** The file says that the run goes on as if nothing were wrong, however this one ends. */
  readonly isOptional?: boolean;
}

/** An event of a plan; `plannedUs` is null for the swap-out and behind a barrier. */
export interface PlannedRow {
  readonly id: number;
  readonly object: string;
  readonly objectType: string;
  readonly event: string;
  readonly args: string;
  readonly plannedUs: number | null;
}

/**
 * The run was modified: what is named here came, went or was started anew, and nothing else did.
 * Said when it is done; programs that were stopped for it have ended before.
 */
export interface RunModified {
  readonly type: "run-modified";
  readonly nodesAdded: RunStarted["nodes"];
  readonly nodesRemoved: readonly string[];
  readonly nodesRestarted: readonly string[];
  /** Of `nodesRestarted`, those that did not come back. */
  readonly nodesLost: readonly { readonly name: string; readonly why: string }[];
  readonly programsAdded: RunStarted["programs"];
  readonly programsRemoved: readonly string[];
  readonly programsRestarted: RunStarted["programs"];
  readonly linksChanged: readonly string[];
  readonly linksAdded: readonly string[];
  readonly linksRemoved: readonly string[];
  /** Those of them that are there now, as they are asked for from here on. */
  readonly links: readonly (Pick<Link, "name" | "kind"> & {
    readonly members: readonly Omit<LinkMember, "port">[];
  })[];
  /** Names of flows of traffic whose ends were closed, and of those that were opened. */
  readonly trafficEnded: readonly string[];
  readonly trafficBegun: readonly string[];
  /** Names of timelines and sequences that came, went or are otherwise. */
  readonly sequencesChanged: readonly string[];
  /** Events that are planned from here on, besides those of before. */
  readonly events: readonly PlannedRow[];
  /** Those of before that have another instant or other arguments. */
  readonly eventsChanged: readonly PlannedRow[];
  /** Numbers of those that do not fire any more. */
  readonly eventsRemoved: readonly number[];
  /** Were to be changed or taken away, and had fired. */
  readonly eventsFired: readonly PlannedRow[];
}

/** A wait is older than 10 s. */
export interface BarrierSlow {
  readonly type: "barrier-slow";
  readonly name: string;
  readonly waitedUs: number;
  readonly arrived: readonly string[];
  readonly missing: readonly string[];
}

/** An entry of the log, for the record (D17). */
export interface LogAppended {
  readonly type: "log";
  /** Whose log; absent: the run's own. Stamps of both are of the same clock. */
  readonly log?: "scheduler";
  readonly entry: LogEntry;
}

export interface Message {
  readonly type: "message";
  readonly level: "info" | "warning" | "error";
  readonly node: string | null;
  readonly text: string;
}

/** The end. Whether the run passed is for the result to say, from all that was told before. */
export interface RunEnded {
  readonly type: "run-ended";
  readonly endedBy: EndedBy;
  readonly error: { readonly code: string; readonly message: string } | null;
}

export type RunEventBody =
  | RunStarted
  | RunModified
  | NodeUp
  | ProgramStarted
  | ProgramEnded
  | InstanceEnded
  | EventFired
  | EventCancelled
  | TrafficEnded
  | LinksTested
  | BarrierChanged
  | BarrierEnded
  | BarrierSlow
  | LogAppended
  | Message
  | RunEnded;

export type RunEvent = RunEventBody & { readonly atUs: number };

/** Watches a run. Must not throw; called in order, never re-entrantly. */
export type RunWatcher = (event: RunEvent) => void;

/** Hears what happens before time 0 when it happens, besides the watcher, who hears it later. */
export interface EarlyWatch {
  /** Its times are not those of the run yet. */
  said(body: RunEventBody): void;
  /** In place of the watcher: what was said, with its time. */
  readonly again: RunWatcher;
}
