// SPDX-License-Identifier: MIT
// What the naive agenda keeps in its lists, and the few facts it shares with nobody else.
import type {
  AgendaCancel,
  AgendaEdit,
  AgendaEvent,
  AgendaLoad,
  AgendaPause,
  AgendaSchedule,
  AgendaTakeErrors,
  BarrierCondition,
  EventInstant,
  TimedEvent,
} from "../core/agenda/commands.ts";

export type NaiveRequest =
  | AgendaPause
  | AgendaSchedule
  | AgendaCancel
  | AgendaEdit
  | AgendaTakeErrors;

/** An event that is to happen, or is happening. */
export interface Thing {
  readonly id: number;
  event: AgendaEvent;
  turn: number;
  dueUs: number;
  where: "barrier" | "queue" | "out" | "here";
  /** Out: whether it has fired, and what was asked about it before it is known. */
  fired: boolean;
  wish: { cancel: boolean; dueUs: number; event: AgendaEvent; askers: [number, string][] } | null;
  on: BarrierCondition | null;
  /** The run it belongs to, whether that waits for it, and who is told of its end. */
  readonly run: number;
  readonly isAwaited: boolean;
  readonly asker: number | null;
  token: number;
  missing: string[] | null;
  worst: number;
}

export interface NaiveRun {
  readonly id: number;
  readonly name: string;
  readonly isSequence: boolean;
  readonly startUs: number;
  readonly owner: { readonly thing: number; readonly member: string | null };
  readonly cleansUpFor: number;
  next: number;
  lastUs: number;
  current: number;
  failed: number | null;
  /** Its end: when and in which turn; null while that is not known. */
  end: { readonly atUs: number; readonly turn: number } | null;
}

export interface Completion {
  readonly thing: number;
  readonly member: string | null;
  readonly error: number;
  readonly isCancel: boolean;
}

export interface ThingFacts {
  readonly run?: number;
  readonly isAwaited?: boolean;
  readonly asker?: number;
}

/** A thing that waits for its time. */
export function makeThing(
  what: Pick<Thing, "id" | "event" | "turn" | "dueUs">,
  { run = 0, isAwaited = false, asker }: ThingFacts,
): Thing {
  return {
    ...{ ...what, where: "queue", fired: false, wish: null, on: null, token: 0, missing: null },
    ...{ run, isAwaited, asker: asker ?? null, worst: 0 },
  };
}

/** What somebody wants to become of a thing that has not fired. */
export interface Wish {
  readonly cancel: boolean;
  readonly dueUs?: number | undefined;
  readonly event?: AgendaEvent | undefined;
  readonly asker?: [number, string];
}

/** Numbers of events, and who has appended those that have not occurred. */
export class NaiveNumbers {
  last = 0;
  readonly cancelled: Set<number> = new Set();
  readonly unused: Set<number> = new Set();
  readonly appenders: Map<number, number> = new Map();

  next(): number {
    this.last += 1;
    return this.last;
  }

  /** An event of this number, which is not there any more, has fired. */
  hasFired(id: number): boolean {
    const isOver = id >= 1 && id <= this.last && !this.unused.has(id);
    return isOver && !this.cancelled.has(id);
  }

  /** Another epoch of these events. */
  reserve(lists: Iterable<readonly TimedEvent[]>): void {
    for (const { event } of [...lists].flat()) {
      if (event.id === 0) continue;
      this.unused.add(event.id);
      this.last = Math.max(this.last, event.id);
    }
  }

  /** The number of an occurrence, and of whom else it is than of whoever asked for it now. */
  take(event: AgendaEvent, facts: ThingFacts): { readonly id: number; readonly facts: ThingFacts } {
    const id = this.unused.delete(event.id) ? event.id : this.next();
    const asker = this.appenders.get(id);
    this.appenders.delete(id);
    return { id, facts: asker === undefined ? facts : { ...facts, asker } };
  }
}

/** How long before it is due an event goes out. */
export const aheadUs = 500_000;
export const togetherUs = 50_000;

/** Whether somebody may ask for it: time 0 has to be known, and no delay is negative. */
export function isInstant(zeroUs: number | null, at: EventInstant): boolean {
  return at.kind === "at" ? zeroUs !== null : at.kind === "now" || at.us >= 0;
}

/** Event time; what is past is now. */
export function instantOf(at: EventInstant, nowUs: number, zeroUs: number | null): number {
  if (at.kind === "now") return nowUs;
  return at.kind === "in" ? nowUs + at.us : Math.max(nowUs, (zeroUs ?? 0) + at.us);
}

export function inOrder(events: readonly TimedEvent[]): TimedEvent[] {
  return events.toSorted((a, b) => a.atUs - b.atUs);
}

/** Whether a sequence waits for it, of the types that are tried. */
export function isWaitedFor(type: string, event: string): boolean {
  return type === "LINK" ? event === "RESET" : /^(?:RUN|HALT|RELOAD)$/.test(event);
}

/** The type of an object of the plan, of a group that of its members if they have one. */
export function typeIn(plan: AgendaLoad | undefined, object: string): string | undefined {
  const isNamed = ({ name }: { readonly name: string }): boolean => name === object;
  const group = plan?.groups.find(isNamed);
  if (group !== undefined) {
    const types = group.members.map((member) => typeIn(plan, member));
    return types.every((type) => type === types[0]) ? types[0] : undefined;
  }
  if (object === "__ns_timeline" || plan?.timelines.some(isNamed)) return "TIMELINE";
  return plan?.sequences.some(isNamed) ? "SEQUENCE" : plan?.agents.find(isNamed)?.type;
}

const knows: Readonly<Record<string, RegExp>> = {
  PROGRAM: /^(?:START|RUN|STOP)$/,
  LINK: /^(?:UP|RESET)$/,
  SEQUENCE: /^(?:START|RUN|RESET)$/,
  TIMELINE: /^(?:START|RUN|RESET)$/,
};

/** Of the events that are tried, those that the type understands. */
export function understands(type: string, event: string): boolean {
  return knows[type]?.test(event) === true;
}

/** The largest in magnitude; of two such the negative one. */
export function worst(a: number, b: number): number {
  const [larger, smaller] = Math.abs(a) >= Math.abs(b) ? [a, b] : [b, a];
  return Math.abs(smaller) === Math.abs(larger) ? Math.min(a, b) : larger;
}

/** What could happen next. */
export interface Next {
  readonly atUs: number;
  readonly turn: number;
  /** Out to who performs it, before it is due. */
  readonly isSentAhead: boolean;
  readonly act: () => void;
}

/** First come, first served among equal instants. */
export function firstOf(nexts: readonly Next[]): Next | undefined {
  const isBefore = (a: Next, b: Next): boolean =>
    a.atUs < b.atUs || (a.atUs === b.atUs && a.turn < b.turn);
  let best: Next | undefined;
  for (const next of nexts) if (best === undefined || !isBefore(best, next)) best = next;
  return best;
}
