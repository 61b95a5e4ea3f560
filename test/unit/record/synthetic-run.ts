// SPDX-License-Identifier: MIT
// Streams of run events for tests: small ones told by hand, large ones from a seed.
import type { Experiment, PlannedEvent } from "../../../src/experiment/model.ts";
import type {
  BarrierEnded,
  EventFired,
  ProgramEnded,
  RunEnded,
  RunEvent,
  RunEventBody,
  RunStarted,
} from "../../../src/testbed/run-event.ts";

const at = { file: "demo.ns", line: 1, column: 1 };

export function makeExperiment(part: Partial<Experiment> = {}): Experiment {
  return {
    pid: "demo",
    eid: "five",
    nodes: [],
    links: [],
    programs: [],
    events: [],
    sequences: [],
    timelines: [],
    groups: [],
    syncServer: undefined,
    simulator: "ns",
    environment: [],
    ...part,
  };
}

export function planned(index: number, atUs: number | "swapout", object: string): PlannedEvent {
  return { index, atUs, object, type: "PROGRAM", event: "START", args: "", at };
}

/** Collects events in the order told. */
export class Story {
  readonly events: RunEvent[] = [];

  at(atUs: number, body: RunEventBody): this {
    this.events.push({ ...body, atUs });
    return this;
  }

  start(nodes: readonly string[], part: Partial<RunStarted> = {}, atUs = -50_000): this {
    return this.at(atUs, {
      type: "run-started",
      runId: "r-1",
      experiment: "demo/five",
      file: "demo.ns",
      seed: 7,
      startedWallMs: 1_700_000_000_000,
      zeroMonotonicUs: 5_000_000,
      out: "out",
      syncServer: nodes[0] ?? null,
      backend: { nodes: "process", links: "none" },
      nodes: nodes.map((name) => ({ name, addresses: [] })),
      programs: [],
      eventsPlanned: 0,
      lost: [],
      ...part,
    });
  }

  program(startedUs: number, endedUs: number, part: Partial<ProgramEnded> = {}): this {
    return this.at(endedUs, {
      type: "program-ended",
      name: "web",
      node: "node0",
      command: "./web",
      startedUs,
      exitCode: 0,
      expectedExitCode: 0,
      signal: null,
      timedOut: false,
      stopped: false,
      startError: null,
      stderrTail: "",
      ...part,
    });
  }

  arrivals(
    atUs: number,
    name: string,
    waiting: readonly string[],
    expected: number,
    missing: readonly string[] = [],
  ): this {
    const arrived = waiting.length;
    return this.at(atUs, { type: "barrier-changed", name, arrived, expected, waiting, missing });
  }

  barrier(atUs: number, part: Partial<BarrierEnded> = {}): this {
    const outcome = part.outcome ?? "crossed";
    return this.at(atUs, {
      type: "barrier-ended",
      name: "ready",
      kind: "count",
      generation: 1,
      outcome,
      error: 0,
      expected: 2,
      crossedUs: atUs,
      participants: ["node0", "node1"].map((node) => ({
        name: `${node}/a`,
        node,
        arrivedUs: atUs - 1_000,
        releasedUs: atUs,
      })),
      missing: [],
      ...part,
    });
  }

  fired(plannedUs: number, firedUs: number, part: Partial<EventFired> = {}): this {
    return this.at(firedUs, {
      type: "event-fired",
      id: 1,
      object: "web",
      objectType: "PROGRAM",
      event: "START",
      args: "",
      latenessUs: firedUs - plannedUs,
      skewUs: 0,
      plannedUs,
      firedUs,
      outcome: "done",
      ...part,
    });
  }

  end(atUs: number, part: Partial<RunEnded> = {}): this {
    return this.at(atUs, {
      type: "run-ended",
      endedBy: "idle",
      error: null,
      ...part,
    });
  }
}

/** A small run in which all went well: two nodes, a program each, one barrier, one event. */
export function goodStory(): Story {
  return new Story()
    .start(["node0", "node1"], {
      programs: [
        { name: "web", node: "node0" },
        { name: "load", node: "node1" },
      ],
      eventsPlanned: 1,
    })
    .at(-40_000, { type: "node-up", node: "node0" })
    .at(-30_000, { type: "node-up", node: "node1" })
    .at(100, { type: "program-started", name: "web", node: "node0", command: "./web" })
    .at(150, { type: "program-started", name: "load", node: "node1", command: "./load" })
    .fired(0, 90)
    .arrivals(500_000, "ready", ["node0"], 2, ["node1"])
    .arrivals(1_000_000, "ready", ["node0", "node1"], 2)
    .barrier(1_000_100)
    .program(100, 2_000_000)
    .program(150, 2_100_000, { name: "load", node: "node1", command: "./load" })
    .end(2_100_500);
}

/** A repeatable source of numbers in [0, 1). */
export function makeRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

export interface LargeRun {
  readonly nodes: number;
  readonly seed: number;
  readonly fails: boolean;
}

/** A run of many nodes: three phases with barriers between them, and trouble if asked for. */
export function largeRun({ nodes: count, seed, fails }: LargeRun): {
  experiment: Experiment;
  events: RunEvent[];
} {
  const random = makeRandom(seed);
  const names = Array.from({ length: count }, (_, index) => `node${index}`);
  const story = new Story();
  const plan = [planned(0, 0, "all"), planned(1, 3_000_000, "load"), planned(2, 7_500_000, "load")];
  const experiment = makeExperiment({ eid: `n${count}`, events: plan });
  story.start(
    names,
    {
      experiment: `demo/n${count}`,
      eventsPlanned: plan.length,
      nodes: names.map((name, index) => ({
        name,
        addresses: [
          { link: "", experiment: "", loopback: `127.1.${index >> 8}.${index & 255}` },
          { link: "lan0", experiment: `10.1.${index >> 8}.${index & 255}`, loopback: "127.9.0.1" },
        ],
      })),
      programs: names.map((node) => ({ name: `worker-${node}`, node })),
      lost: fails ? ["Links are not shaped: this kernel has no netem."] : [],
    },
    -800_000,
  );
  for (const node of names) story.at(-700_000 + random() * 500_000, { type: "node-up", node });
  const readyUs = names.map(() => 200_000 + Math.floor(random() ** 3 * 1_800_000));
  const phases = ["ready", "measure", "collect"];
  const absent = fails ? names.slice(-Math.max(1, Math.floor(count / 100))) : [];
  let startUs = 0;
  for (const [phase, name] of phases.entries()) {
    const isLast = phase === phases.length - 1;
    const arrivals = names.map((node, index) => ({
      name: `worker-${node}`,
      node,
      arrivedUs: startUs + (readyUs[(index * 7 + phase * 13) % count] ?? 0) + phase * 400_000,
    }));
    const here = isLast && fails ? arrivals.filter(({ node }) => !absent.includes(node)) : arrivals;
    const lastUs = Math.max(...here.map((one) => one.arrivedUs));
    const isCut = isLast && fails;
    const endUs = isCut ? lastUs + 2_000_000 : lastUs + 300;
    story.barrier(endUs, {
      name,
      expected: count,
      outcome: isCut ? "cancelled" : "crossed",
      error: phase === 1 && fails ? 3 : 0,
      participants: here.map((one) => ({ ...one, releasedUs: endUs })),
      missing: isCut ? absent : [],
    });
    startUs = endUs;
  }
  story.fired(0, 120, { object: "all", id: 0 });
  story.fired(3_000_000, fails ? 3_240_000 : 3_000_400, { object: "load", id: 1 });
  for (const [index, node] of names.entries()) {
    const isBad = absent.includes(node);
    const end = isBad ? startUs - 3_000_000 : startUs + Math.floor(random() * 300_000);
    story.program(150 + index, end, {
      name: `worker-${node}`,
      node,
      command: `./worker --id ${index} --phases ready,measure,collect`,
      exitCode: isBad ? 1 : 0,
      stopped: !isBad && fails,
      stderrTail: isBad
        ? 'Traceback (most recent call last):\n  File "worker.py", line 88\nOSError: disk <full>'
        : "",
    });
  }
  if (fails) {
    story.at(startUs, {
      type: "message",
      level: "warning",
      node: "node1",
      text: "clock step of 2 s",
    });
  }
  story.end(startUs + 320_000, fails ? { endedBy: "duration" } : {});
  return { experiment, events: story.events };
}
