// SPDX-License-Identifier: MIT
// Random histories of edges, for property tests: arbitraries make scripts of small steps, and
// `entriesOf` turns a script into log entries with right batch numbers where they should be right.
import fc from "fast-check";
import type { Batch, Command, LogEntry } from "../../src/core/command.ts";

export type Step =
  | { readonly kind: "send"; readonly edge: number; readonly commands: readonly Command[] }
  | { readonly kind: "resend" | "skip" | "restart" | "old-life" | "rise"; readonly edge: number }
  | { readonly kind: "lose" | "return" | "end"; readonly edge: number }
  | { readonly kind: "tick" };

export interface TimedStep {
  readonly afterUs: number;
  readonly step: Step;
}

const afterUs = fc.oneof(
  { weight: 6, arbitrary: fc.constant(0) },
  { weight: 3, arbitrary: fc.constantFrom(1, 250_000, 999_999, 1_000_000) },
  { weight: 1, arbitrary: fc.constantFrom(2_000_000, 2_000_001, 3_600_000_000, -5_000_000) },
);

const scope = fc.constantFrom("s", "t", "u");
const place = {
  scope,
  barrier: fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom("a", "b") },
    { weight: 1, arbitrary: fc.constantFrom("c", "d", "", "abcde", "\u00e4\u00e4\u00e4") },
  ),
  connection: fc.integer({ min: 1, max: 9 }),
  who: fc.record(
    {
      address: fc.constantFrom("10.0.0.1:1/tcp", "10.0.0.2:2/udp"),
      node: fc.constantFrom("node0", "node1", "node2"),
    },
    { requiredKeys: ["address"] },
  ),
  error: fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom(0, 0, 0, 5, 33, 239) },
    { weight: 1, arbitrary: fc.constant(-1) },
  ),
  timeoutUs: fc.constantFrom(0, 1, 500_000, 1_000_000, 4_000_000, -1),
};
const required = ["scope", "barrier", "connection", "who", "error"] as const;

const barrierCommand: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record(
      { kind: fc.constant("count-wait" as const), ...place },
      { requiredKeys: ["kind", ...required] },
    ),
  },
  {
    weight: 5,
    arbitrary: fc.record(
      {
        kind: fc.constant("count-init" as const),
        ...place,
        count: fc.oneof(
          { weight: 12, arbitrary: fc.integer({ min: 0, max: 3 }) },
          { weight: 1, arbitrary: fc.constantFrom(-1, 2_147_483_646, 2_147_483_647, 2 ** 31) },
        ),
        waits: fc.boolean(),
      },
      { requiredKeys: ["kind", ...required, "count", "waits"] },
    ),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("leave" as const), connection: place.connection }),
  },
  {
    weight: 1,
    arbitrary: fc.oneof(
      fc.record({
        kind: fc.constantFrom("cancel-all" as const, "close-scope" as const),
        scope,
        error: fc.constantFrom(0, 240),
      }),
      fc.record({
        kind: fc.constant("cancel" as const),
        scope,
        barrier: place.barrier,
        error: fc.constantFrom(0, 240),
      }),
      fc.record({
        kind: fc.constant("open-scope" as const),
        scope,
        nodes: fc.constantFrom(["node0", "node1"], ["node2"]),
      }),
    ),
  },
);

const anEvent = fc.record({
  id: fc.integer({ min: 0, max: 5 }),
  object: fc.constantFrom("p0", "p1", "q", "l"),
  type: fc.constantFrom("PROGRAM", "SEQUENCE", "TIMELINE", "LINK"),
  event: fc.constantFrom("START", "RUN", "STOP"),
  args: fc.constant(""),
});
const timed = fc.array(
  fc.record({ atUs: fc.constantFrom(0, 0, 1, 1_000_000, 3_000_000), event: anEvent }),
  { maxLength: 4 },
);
const agendaCommand: fc.Arbitrary<Command> = fc.oneof(
  fc.record({
    kind: fc.constant("agenda-load" as const),
    scope,
    main: timed,
    timelines: fc.array(fc.record({ name: fc.constantFrom("l", "q"), events: timed }), {
      maxLength: 2,
    }),
    sequences: fc.array(
      fc.record({ name: fc.constantFrom("p0", "q"), steps: fc.array(anEvent, { maxLength: 3 }) }),
      { maxLength: 2 },
    ),
  }),
  fc.record({ kind: fc.constant("agenda-start" as const), scope }),
  fc.record({
    kind: fc.constant("agenda-complete" as const),
    scope,
    token: fc.integer({ min: 1, max: 6 }),
    error: fc.constantFrom(0, 0, 1),
  }),
);

const edge = fc.integer({ min: 0, max: 2 });

function steps(command: fc.Arbitrary<Command>): fc.Arbitrary<readonly TimedStep[]> {
  const step: fc.Arbitrary<Step> = fc.oneof(
    {
      weight: 20,
      arbitrary: fc.record({
        kind: fc.constant("send" as const),
        edge,
        commands: fc.array(command, { minLength: 1, maxLength: 3 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("tick" as const) }) },
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constantFrom(
          ...(["resend", "skip", "restart", "old-life", "rise", "lose", "return", "end"] as const),
        ),
        edge,
      }),
    },
  );
  return fc.array(fc.record({ afterUs, step }), { maxLength: 60, size: "max" });
}

/** Scripts about barriers only: what the naive model knows. */
export const barrierScript: fc.Arbitrary<readonly TimedStep[]> = steps(barrierCommand);
/** Scripts about everything. */
export const fullScript: fc.Arbitrary<readonly TimedStep[]> = steps(
  fc.oneof({ weight: 3, arbitrary: barrierCommand }, { weight: 1, arbitrary: agendaCommand }),
);

/** Log entries of a script, one for each step. */
export function entriesOf(script: readonly TimedStep[]): readonly LogEntry[] {
  const lives = [2, 2, 2];
  const numbers = [0, 0, 0];
  let hostNumber = 0;
  let stampUs = 7_000_000;
  const last: (Batch | undefined)[] = [];

  const next = (edge: number, commands: readonly Command[]): Batch => {
    const number = (numbers[edge] ?? 0) + 1;
    numbers[edge] = number;
    const all = number === 1 ? [{ kind: "attach" } as const, ...commands] : commands;
    const batch = { edge: `e${edge}`, incarnation: lives[edge] ?? 2, number, commands: all };
    last[edge] = batch;
    return batch;
  };
  const host = (command: Command): Batch => {
    hostNumber += 1;
    const commands = hostNumber === 1 ? [{ kind: "attach" } as const, command] : [command];
    return { edge: "host", incarnation: 1, number: hostNumber, commands };
  };
  const batchOf = (step: Step): Batch | undefined => {
    if (step.kind === "tick") return undefined;
    return batchOfEdge(step);
  };
  const batchOfEdge = (step: Exclude<Step, { kind: "tick" }>): Batch | undefined => {
    const { edge } = step;
    const incarnation = lives[edge] ?? 2;
    const before = { edge: `e${edge}`, incarnation: incarnation - 1 };
    switch (step.kind) {
      case "send":
        return next(edge, step.commands);
      case "resend":
        return last[edge];
      case "skip":
        return { edge: `e${edge}`, incarnation, number: (numbers[edge] ?? 0) + 2, commands: [] };
      case "restart":
        lives[edge] = incarnation + 1;
        numbers[edge] = 0;
        return next(edge, []);
      case "old-life":
        return { ...before, number: 2, commands: [{ kind: "leave", connection: 1 }] };
      case "rise":
        return { ...before, number: 1, commands: [{ kind: "attach" }] };
      case "lose":
        return host({ kind: "detach", edge: `e${edge}`, incarnation });
      case "return":
        return next(edge, [{ kind: "attach" }]);
      case "end":
        return next(edge, [{ kind: "end-edge" }, { kind: "leave", connection: 1 }]);
    }
  };
  return script.map(({ afterUs, step }, index) => {
    stampUs += afterUs;
    const batch = batchOf(step);
    return {
      sequence: index + 1,
      stampUs,
      entry: { format: 1, batches: batch === undefined ? [] : [batch] },
    };
  });
}
