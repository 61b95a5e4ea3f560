// SPDX-License-Identifier: MIT
// What happens in a run of a cluster, as data: steps that are drawn from a seed beforehand, so that
// a run can be repeated without some of them, and a failure be told as a few lines.
import type { BarrierKind } from "../../core/effect.ts";
import type { Change } from "./changes.ts";

const faults = {
  /** Of messages, each for itself. */
  messages: [
    "delay",
    "lose-datagrams",
    "double-datagrams",
    "reorder-datagrams",
    "slow-log",
    "lose-appends",
    "refuse-appends",
    "lose-acknowledgements",
    "double-appends",
  ],
  /** At an instant. */
  strikes: [
    "cut-client",
    "part-client",
    "cut-log",
    "part-log",
    "log-away",
    "crash",
    "drain",
    "pause",
    "step-log-clock",
    "step-server-clock",
    "crash-client",
  ],
  /** At an instant, of the scheduler of the experiment, and of its agents. */
  agenda: ["crash-scheduler", "cut-scheduler", "crash-agent", "cut-agent"],
  /** Of snapshots of the log, each message for itself. */
  snapshotMessages: ["snapshots", "slow-snapshots", "lose-snapshots"],
  /** At an instant, of snapshots of the log. */
  snapshots: ["crash-snapshot", "damage-snapshot"],
  /** Servers are controllers of a tree, each with a log of its own. */
  trees: ["trees"],
  /** At an instant, of links between controllers. */
  treeLinks: ["cut-tree", "part-tree"],
  /** Each life of a server is told other limits. */
  limits: ["unequal-limits"],
  /** At an instant, of one server of a controller below, and all above it. */
  uplinks: ["cut-uplink"],
} as const;

export type FaultName = (typeof faults)[keyof typeof faults][number];

/** Faults by name; each is off unless it is asked for. What a seed draws goes by their order. */
export const faultNames: readonly FaultName[] = Object.values(faults).flat();

/** Those that strike at an instant, instead of each message. */
export const strikeNames: readonly FaultName[] = faults.strikes;
/** Those that strike the scheduler of the experiment, and its agents. */
export const agendaStrikes: readonly FaultName[] = faults.agenda;
/** Those that strike snapshots of the log. */
export const snapshotStrikes: readonly FaultName[] = faults.snapshots;
/** Those that strike links between controllers. */
export const treeStrikes: readonly FaultName[] = faults.treeLinks;

/** By fault: of messages the probability of each, of the others that of each step. */
export type FaultRates = Readonly<Partial<Record<FaultName, number>>>;

/** What is asked of a barrier or a topic, by any door that can say it. */
export type Ask =
  | { readonly what: "count-init"; readonly count: number; readonly waits: boolean }
  | { readonly what: "count-wait" }
  | { readonly what: "signal" }
  | { readonly what: "state-wait"; readonly target: number }
  | { readonly what: "signal-and-wait"; readonly target: number }
  | {
      readonly what: "quorum-init";
      readonly percent: number;
      readonly explicit: boolean;
      /** Over HTTP, in place of a percentage. */
      readonly count?: number;
    }
  | { readonly what: "quorum-wait" }
  | { readonly what: "peers"; readonly count: number }
  | {
      readonly what: "roster-open";
      readonly members: readonly string[];
      readonly phases: number;
      readonly whenDead: "fail" | "shrink" | "wait";
      readonly whenLate: "pass" | "refuse" | "next";
    }
  | { readonly what: "roster-arrive"; readonly member: string }
  | { readonly what: "roster-dead"; readonly member: string }
  | Change
  | { readonly what: "publish" }
  | { readonly what: "publish-and-wait"; readonly target: number }
  | { readonly what: "subscribe" }
  | { readonly what: "fail"; readonly kind: BarrierKind }
  | { readonly what: "cancel"; readonly kind: BarrierKind }
  | { readonly what: "describe" }
  /** What is open in the scope, in pages of so many; or of one name, perhaps of one kind. */
  | { readonly what: "look"; readonly max?: number }
  | { readonly what: "look-at"; readonly kind?: BarrierKind };

export const doorNames = ["syncd", "udp", "testground", "gnunet", "http"] as const;
export type DoorName = (typeof doorNames)[number];

export interface AskStep {
  readonly do: "ask";
  /** A session, or a door of a server. */
  readonly by: { readonly session: number } | { readonly door: DoorName; readonly server: number };
  readonly barrier: string;
  readonly ask: Ask;
  readonly error: number;
  readonly timeoutMs?: number;
  readonly together?: true;
  /** Of the HTTP door: it has an id, and is asked for again when it is lost. */
  readonly again?: {
    /** At the server so many further on; 0: at the same one. */
    readonly server: number;
    /** Its connection is cut so long after it was asked for first. */
    readonly patienceMs?: number;
  };
}

export type StepWork =
  | AskStep
  | {
      readonly do: "open";
      readonly session: number;
      readonly server: number;
      readonly scope: string;
    }
  | { readonly do: "close"; readonly session: number }
  /** Who asked in that step goes, if it is still there. */
  | { readonly do: "leave"; readonly step: number }
  /** Somebody asks the scheduler of the experiment for an event of an object, or for several. */
  | {
      readonly do: "event";
      readonly object: string;
      readonly inMs: number;
      /** All at one instant; 1 when absent. */
      readonly times?: number;
    }
  /** Somebody asks that the event of that step is cancelled. */
  | { readonly do: "cancel-event"; readonly step: number }
  /** All barriers of the door's scope are cleared (HUP). */
  | { readonly do: "clear"; readonly server: number }
  | {
      readonly do: "break";
      readonly fault: FaultName;
      readonly server: number;
      readonly session: number;
      readonly forMs: number;
    };

export type Step = StepWork & {
  /** Its place in what was drawn; stays when others are left out. */
  readonly id: number;
  /** Time that passes before it, microseconds. */
  readonly afterUs: number;
};

export interface Script {
  readonly seed: number;
  readonly servers: number;
  readonly faults: FaultRates;
  readonly steps: readonly Step[];
}

/** A step as a line for people. */
export function describeStep(step: Step): string {
  const { id, afterUs, do: what, ...rest } = step;
  return `${id} +${afterUs}us ${what} ${JSON.stringify(rest)}`;
}
