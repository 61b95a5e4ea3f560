// SPDX-License-Identifier: MIT
// What is known of a run while it goes, from its events and nothing else: nodes up, programs
// running, open barriers and who is missing there. Pure.
import type { Verdict } from "../linktest/index.ts";
import { programPassed } from "../testbed/record/verdict.ts";
import type {
  BarrierChanged,
  LinksTested,
  RunEvent,
  RunModified,
  RunStarted,
} from "../testbed/run-event.ts";

export interface OpenBarrier {
  readonly name: string;
  readonly arrived: number;
  /** 0 while nobody has said how many are to come. */
  readonly expected: number;
  readonly waiting: readonly string[];
  /** Sentences: who is missing, as far as known. */
  readonly missing: readonly string[];
  /** Names of `waiting` and `missing` beyond the limit. */
  readonly namesDropped: number;
}

export interface LiveStatus {
  readonly nodesUp: number;
  readonly nodes: number;
  readonly programsRunning: number;
  readonly programsEnded: number;
  readonly programsFailed: number;
  readonly programs: number;
  /** Of all programs; just after time 0 there may be some. Absent from an older daemon. */
  readonly programsNotStarted?: number;
  readonly barriers: readonly OpenBarrier[];
  /** Open barriers beyond the limit. */
  readonly barriersDropped: number;
  /**
   * Other machines and the nodes on each, in the order of the file; absent when all are here, and
   * from an older daemon.
   */
  readonly machines?: readonly { readonly name: string; readonly nodes: readonly string[] }[];
  /** The last linktest; null before the first, and from an older daemon it is absent. */
  readonly linktest?: LinktestSummary | null;
}

export interface LinktestSummary {
  readonly level: number;
  /** Verdicts of each kind. */
  readonly ok: number;
  readonly bad: number;
  readonly untestable: number;
  readonly isCancelled: boolean;
}

interface Named {
  readonly name: string;
}

export class LiveRun {
  readonly #nodes: Set<string>;
  readonly #programs: Set<string>;
  readonly #notStarted: Set<string>;
  readonly #namesMax: number;
  readonly #up = new Set<string>();
  readonly #barriers = new Map<string, BarrierChanged>();
  /** Node -> the machine it is on, where that is another one. */
  readonly #hosts = new Map<string, string>();
  #linktest: LinktestSummary | null = null;
  #running = 0;
  #ended = 0;
  #failed = 0;

  constructor(
    { nodes, programs }: { readonly nodes: readonly Named[]; readonly programs: readonly Named[] },
    namesMax: number,
  ) {
    this.#nodes = new Set(nodes.map(({ name }) => name));
    this.#programs = new Set(programs.map(({ name }) => name));
    this.#notStarted = new Set(this.#programs);
    this.#namesMax = namesMax;
  }

  observe(event: RunEvent): void {
    switch (event.type) {
      case "node-up":
        this.#up.add(event.node);
        return;
      case "run-modified":
        this.#modify(event);
        return;
      case "program-started":
        this.#running += 1;
        this.#notStarted.delete(event.name);
        return;
      case "program-ended":
        this.#running = Math.max(0, this.#running - 1);
        this.#ended += 1;
        // One that could not be started has ended, too.
        this.#notStarted.delete(event.name);
        if (!programPassed(event)) this.#failed += 1;
        return;
      case "barrier-changed":
        if (event.arrived === 0 && event.expected === 0) this.#barriers.delete(event.name);
        else this.#barriers.set(event.name, event);
        return;
      case "barrier-ended":
        this.#barriers.delete(event.name);
        return;
      case "links-tested":
        this.#linktest = summaryOf(event);
        return;
      case "run-ended":
        this.#up.clear();
        this.#barriers.clear();
        return;
      case "run-started":
        this.#place(event.nodes);
        return;
      case "event-fired":
      case "event-cancelled":
      case "barrier-slow":
      case "message":
      case "traffic-ended":
      case "instance-ended":
      case "log":
        return;
    }
  }

  #modify(event: RunModified): void {
    for (const { name } of event.nodesAdded) this.#nodes.add(name);
    this.#place(event.nodesAdded);
    const gone = [...event.nodesRemoved, ...event.nodesLost.map(({ name }) => name)];
    for (const name of gone) {
      this.#nodes.delete(name);
      this.#up.delete(name);
      this.#hosts.delete(name);
    }
    for (const { name } of event.programsAdded) {
      this.#programs.add(name);
      this.#notStarted.add(name);
    }
    for (const name of event.programsRemoved) {
      this.#programs.delete(name);
      this.#notStarted.delete(name);
    }
  }

  describe(): LiveStatus {
    const open = [...this.#barriers.values()];
    return {
      nodesUp: this.#up.size,
      nodes: this.#nodes.size,
      programsRunning: this.#running,
      programsEnded: this.#ended,
      programsFailed: this.#failed,
      programs: this.#programs.size,
      programsNotStarted: this.#notStarted.size,
      barriers: open.slice(0, this.#namesMax).map((one) => this.#shown(one)),
      barriersDropped: Math.max(0, open.length - this.#namesMax),
      linktest: this.#linktest,
      ...(this.#hosts.size === 0 ? {} : { machines: this.#machines() }),
    };
  }

  #place(nodes: RunStarted["nodes"]): void {
    for (const { name, host } of nodes) if (host !== undefined) this.#hosts.set(name, host);
  }

  #machines(): NonNullable<LiveStatus["machines"]> {
    const machines = new Map<string, string[]>();
    for (const [node, name] of this.#hosts) {
      const nodes = machines.get(name);
      if (nodes === undefined) machines.set(name, [node]);
      else nodes.push(node);
    }
    return [...machines].map(([name, nodes]) => ({ name, nodes }));
  }

  #shown({ name, arrived, expected, waiting, missing }: BarrierChanged): OpenBarrier {
    const cut = (names: readonly string[]): readonly string[] => names.slice(0, this.#namesMax);
    const shown = { waiting: cut(waiting), missing: cut(missing) };
    const namesDropped =
      waiting.length + missing.length - shown.waiting.length - shown.missing.length;
    return { name, arrived, expected, ...shown, namesDropped };
  }
}

function summaryOf({ level, verdicts, isCancelled }: LinksTested): LinktestSummary {
  const of = (wanted: Verdict["verdict"]): number =>
    verdicts.filter(({ verdict }) => verdict === wanted).length;
  return { level, ok: of("ok"), bad: of("bad"), untestable: of("untestable"), isCancelled };
}

/** Whether an event says that time 0 has come: the agenda was started. */
export function isTimeZero(event: RunEvent): boolean {
  // What a scheduler has logged is told when all is over.
  if (event.type !== "log" || event.log !== undefined) return false;
  return event.entry.entry.batches.some(({ commands }) =>
    commands.some(({ kind }) => kind === "agenda-start"),
  );
}
