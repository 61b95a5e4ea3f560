// SPDX-License-Identifier: MIT
// Commands of the agenda: what an edge may ask of the planned events of a scope. Plain data, as all
// commands are: the log keeps them. Durations are microseconds; instants are microseconds of event
// time since time 0 of the agenda, which stands still while the agenda is paused.

/** How strict an event is about its instant and its completion; absent means the limits' values. */
export interface EventTerms {
  /** Later than this the event counts as late. */
  readonly toleranceUs?: number;
  /** What becomes of a late event: it fires all the same, or is skipped and completes with -1. */
  readonly whenLate?: "fire" | "skip";
  /** A completion that has not come this long after the event was due ends it with -1. */
  readonly deadlineUs?: number;
}

/** An event for an object of the experiment, as the agenda keeps it. */
export interface AgendaEvent {
  /**
   * Its number, from 1: the file's for what is planned; what comes later gets the next one when it
   * is taken in. 0 for none yet.
   */
  readonly id: number;
  readonly object: string;
  readonly type: string;
  readonly event: string;
  readonly args: string;
  readonly terms?: EventTerms;
}

export interface TimedEvent {
  /**
   * In a timeline microseconds after its start, in a sequence after the step before, behind a
   * barrier after its outcome.
   */
  readonly atUs: number;
  readonly event: AgendaEvent;
  /** Waits for this first. */
  readonly on?: BarrierCondition;
}

/** One way for a barrier to end. */
export interface BarrierCondition {
  readonly barrier: string;
  readonly outcome: "crossed" | "failed" | "timeout" | "cancelled";
}

/** Who obeys events: a program, a link, a node, the simulator. */
export interface AgendaAgent {
  readonly name: string;
  readonly type: string;
  /** Where it runs; `""` when that is no single node. */
  readonly node: string;
}

export interface AgendaGroup {
  readonly name: string;
  readonly members: readonly string[];
}

export interface AgendaTimeline {
  readonly name: string;
  readonly events: readonly TimedEvent[];
}

export interface AgendaSequence {
  readonly name: string;
  readonly steps: readonly TimedEvent[];
  /** Runs when a step fails; the sequence then ends with the error of that step. */
  readonly onError?: string;
}

/**
 * Loads the planned events of a scope. `main` is the timeline `__ns_timeline`, which starts with
 * `agenda-start`, behind the steps of the sequence `__ns_sequence` if there is one. The edge that
 * loads performs the events.
 */
export interface AgendaLoad {
  readonly kind: "agenda-load";
  readonly scope: string;
  readonly agents: readonly AgendaAgent[];
  readonly groups: readonly AgendaGroup[];
  readonly main: readonly TimedEvent[];
  readonly timelines: readonly AgendaTimeline[];
  readonly sequences: readonly AgendaSequence[];
  /** As of `AgendaSchedule`. */
  readonly origin?: string;
}

/** Time 0 of the scope, `inUs` from now: `__ns_sequence`, then the main timeline. */
export interface AgendaStart {
  readonly kind: "agenda-start";
  readonly scope: string;
  readonly inUs?: number;
  /** As of `AgendaSchedule`. */
  readonly origin?: string;
}

/**
 * Begins again: what is planned or under way is dropped, event time returns to 0, and answers to
 * what was fired before are refused. [EMULAB-EVENTS 8 session E]
 */
export interface AgendaReplay {
  readonly kind: "agenda-replay";
  readonly scope: string;
  readonly inUs?: number;
  /** Answered with `replayed` under this number; without it nobody is. */
  readonly request?: number;
  /** As of `AgendaSchedule`. */
  readonly origin?: string;
}

/** Drops what is planned or under way; the agenda stays loaded for `__ns_swapout` and others. */
export interface AgendaHalt {
  readonly kind: "agenda-halt";
  readonly scope: string;
}

/** Event time stands still, and goes on. Deadlines of completions go on all the while. */
export interface AgendaPause {
  readonly kind: "agenda-pause" | "agenda-resume";
  readonly scope: string;
  readonly request: number;
  /** As of `AgendaSchedule`. */
  readonly origin?: string;
}

/** When an event is asked for. */
export type EventInstant =
  | { readonly kind: "now" }
  /**
   * `us` from now. `stampUs` is the same instant in the clock of the log's stamps, for who knows
   * that: what is asked for one instant is then due at one, however long each took to the log.
   */
  | { readonly kind: "in"; readonly us: number; readonly stampUs?: number }
  /** Event time; what is past fires at once. */
  | { readonly kind: "at"; readonly us: number };

/** An event that was not planned. Answered with `agenda-answer`, then with `event-done`. */
export interface AgendaSchedule {
  readonly kind: "agenda-schedule";
  readonly scope: string;
  /** The edge's own number for this request; answers carry it. */
  readonly request: number;
  readonly object: string;
  readonly event: string;
  readonly args: string;
  readonly at: EventInstant;
  readonly on?: BarrierCondition;
  /**
   * Adds the event to this timeline or sequence instead of firing it; `at` then counts from its
   * start or from the step before.
   */
  readonly timeline?: string;
  readonly terms?: EventTerms;
  /**
   * Where it came from, in words of the edge that asks, which finds them again in the log when it
   * has lost its memory. Nothing decides by them.
   */
  readonly origin?: string;
}

/** Takes back an event that has not fired. */
export interface AgendaCancel {
  readonly kind: "agenda-cancel";
  readonly scope: string;
  readonly request: number;
  /** The number in `agenda-answer`, in lists and in the record. */
  readonly id: number;
  /** As of `AgendaSchedule`. */
  readonly origin?: string;
}

/** Changes the instant or the arguments of an event that has not fired. */
export interface AgendaEdit {
  readonly kind: "agenda-edit";
  readonly scope: string;
  readonly request: number;
  readonly id: number;
  readonly at?: EventInstant;
  readonly args?: string;
  /** As of `AgendaSchedule`. */
  readonly origin?: string;
}

/**
 * Changes what is defined while it runs: objects come, go or are otherwise, and the main timeline
 * has other events. All of it, or nothing with a reason. New events have the number 0 and get
 * theirs here; those added to the main timeline are planned at once, what is over as due now. What
 * has been planned already stays: `agenda-cancel` and `agenda-edit` are for that, because only
 * whoever performs it knows whether it has fired.
 */
export interface AgendaAmend {
  readonly kind: "agenda-amend";
  readonly scope: string;
  readonly request: number;
  /** Those that come or are otherwise. */
  readonly agents: readonly AgendaAgent[];
  /** All that there are then. */
  readonly groups: readonly AgendaGroup[];
  readonly timelines: readonly AgendaTimeline[];
  readonly sequences: readonly AgendaSequence[];
  /** Agents, timelines and sequences that go. */
  readonly removed: readonly string[];
  readonly main: {
    /** Numbers of events that a replay shall not plan again. */
    readonly dropped: readonly number[];
    /** By their numbers, as a replay shall plan them. */
    readonly changed: readonly TimedEvent[];
    readonly added: readonly TimedEvent[];
    /** Added too, with times that count from now. */
    readonly fromNow: readonly TimedEvent[];
  };
  /** As of `AgendaSchedule`. */
  readonly origin?: string;
}

/** The performer fired an event, or skipped it because it was late. */
export interface AgendaFired {
  readonly kind: "agenda-fired";
  readonly scope: string;
  readonly token: number;
  /** In the clock of the log's stamps. */
  readonly firedStampUs: number;
  /** From the first to the last member of a group that obeyed. */
  readonly skewUs?: number;
  /** `done`, `skipped`, `failed: WHY` or `ignored: WHY`. */
  readonly outcome: string;
}

/** The completion of a fired event; `error` 0 for success. */
export interface AgendaComplete {
  readonly kind: "agenda-complete";
  readonly scope: string;
  /** Token of the `fire` effect. */
  readonly token: number;
  readonly error: number;
  /** Which member of a group completed; absent for the whole event. */
  readonly member?: string;
  /** Why it failed, for people. */
  readonly text?: string;
  /** Nobody knows whether it happened (D7); counts as error -1. */
  readonly unknown?: boolean;
}

/** The answer to a `revoke`: whether the event had fired before it came. */
export interface AgendaRevoked {
  readonly kind: "agenda-revoked";
  readonly scope: string;
  readonly token: number;
  readonly fired: boolean;
}

/** Agents can no longer obey, or can again. Events for one that is down are refused at once. */
export interface AgendaAgents {
  readonly kind: "agenda-agents";
  readonly scope: string;
  readonly objects: readonly string[];
  readonly state: "up" | "down";
  /** Why, for people; `""` for `up`. */
  readonly reason: string;
  /**
   * Of `up`: who serves them, and in which life. Decides nothing: a scheduler that comes back knows
   * by it which agents have what it has sent.
   */
  readonly by?: { readonly agent: string; readonly life: string };
}

/** Takes the list of errors since it was last taken, for a report. [EMULAB-EVENTS 2.10] */
export interface AgendaTakeErrors {
  readonly kind: "agenda-take-errors";
  readonly scope: string;
  readonly request: number;
}

/** Commands that are answered to whoever gave them. */
export type AgendaRequest =
  | AgendaPause
  | AgendaSchedule
  | AgendaCancel
  | AgendaEdit
  | AgendaAmend
  | AgendaTakeErrors;

/** Commands of whoever runs or performs the agenda. */
export type AgendaOrder =
  | AgendaStart
  | AgendaReplay
  | AgendaHalt
  | AgendaFired
  | AgendaComplete
  | AgendaRevoked
  | AgendaAgents;

export type AgendaCommand = AgendaLoad | AgendaOrder | AgendaRequest;
