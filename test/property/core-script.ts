// SPDX-License-Identifier: MIT
// Random histories of edges, for property tests: arbitraries make scripts of small steps, and
// `entriesOf` turns a script into log entries with right batch numbers where they should be right.
import fc from "fast-check";
import type { Batch, Command, LogEntry } from "../../src/core/command.ts";
import type { BarrierKind } from "../../src/core/effect.ts";
import { type Limits, resolveLimits } from "../../src/core/limits.ts";

export type Step =
  | { readonly kind: "send"; readonly edge: number; readonly commands: readonly Command[] }
  | { readonly kind: "resend" | "skip" | "restart" | "old-life" | "rise"; readonly edge: number }
  | { readonly kind: "lose" | "return" | "end" | "found"; readonly edge: number }
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
    { weight: 1, arbitrary: fc.constantFrom("c", "d", "", "abcdef", "\u00e4\u00e4\u00e4") },
  ),
  connection: fc.integer({ min: 1, max: 9 }),
  who: fc.record(
    {
      address: fc.constantFrom("10.0.0.1:1/tcp", "10.0.0.2:2/udp"),
      node: fc.constantFrom("node0", "node1", "node2", "node10"),
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

/** What ends barriers of a kind, or of all. */
function ends(kind: BarrierKind): fc.Arbitrary<Command> {
  const which = { scope, barrier: place.barrier, barrierKind: fc.constant(kind) };
  const how = { error: fc.constantFrom(0, 240), reason: fc.constant("enough") };
  return fc.oneof(
    fc.record(
      { kind: fc.constant("cancel" as const), ...which, ...how, connection: place.connection },
      { requiredKeys: ["kind", "scope", "barrier", "barrierKind", "error"] },
    ),
    fc.record(
      { kind: fc.constant("fail" as const), ...which, ...how, connection: place.connection },
      { requiredKeys: ["kind", "scope", "barrier", "barrierKind", "error", "reason"] },
    ),
    fc.record(
      {
        kind: fc.constantFrom("cancel-all" as const, "close-scope" as const),
        ...{ scope, error: how.error, barrierKind: fc.constantFrom("count" as const, kind) },
      },
      { requiredKeys: ["kind", "scope", "error"] },
    ),
  );
}

const on = fc.record({
  barrier: fc.constantFrom("a", "b"),
  outcome: fc.constantFrom("crossed" as const, "cancelled" as const),
});
const anEvent = fc.record({
  id: fc.integer({ min: 0, max: 5 }),
  object: fc.constantFrom("p0", "p1", "q", "q2", "l", "g", "sg", "w"),
  type: fc.constantFrom("PROGRAM", "SEQUENCE", "TIMELINE", "LINK"),
  event: fc.constantFrom("START", "RUN", "STOP", "RESET"),
  args: fc.constant(""),
});
const timed = fc.array(
  fc.record(
    { atUs: fc.constantFrom(0, 0, 1, 1_000_000, 3_000_000), event: anEvent, on },
    { requiredKeys: ["atUs", "event"] },
  ),
  { maxLength: 4 },
);
const ask = { scope, request: fc.integer({ min: 1, max: 9 }) };
const answered = { scope, token: fc.integer({ min: 1, max: 12 }) };
const anItem = fc.integer({ min: 1, max: 12 });
const anInstant = fc.oneof(
  fc.record({ kind: fc.constant("now" as const) }),
  fc.record({
    kind: fc.constantFrom("in" as const, "at" as const),
    us: fc.constantFrom(0, 1, 400_000, 1_000_000, 2_500_000, -1),
  }),
);

const agendaLoad: fc.Arbitrary<Command> = fc.record({
  kind: fc.constant("agenda-load" as const),
  scope,
  agents: fc.constant([
    { name: "p0", type: "PROGRAM", node: "node0" },
    { name: "p1", type: "PROGRAM", node: "node1" },
    { name: "l", type: "LINK", node: "" },
  ]),
  groups: fc.constant([
    { name: "g", members: ["p0", "p1"] },
    { name: "sg", members: ["q", "q2"] },
    { name: "w", members: ["p0", "l"] },
  ]),
  main: timed,
  timelines: fc.array(fc.record({ name: fc.constantFrom("t0", "t1"), events: timed }), {
    maxLength: 2,
  }),
  sequences: fc.tuple(timed, timed).map(([first, second]) => [
    { name: "q", steps: first, onError: "q2" },
    { name: "q2", steps: second },
  ]),
});
const agendaRequest: fc.Arbitrary<Command> = fc.oneof(
  fc.record(
    {
      kind: fc.constant("agenda-schedule" as const),
      ...ask,
      object: fc.constantFrom("p0", "p1", "q", "q2", "t0", "l", "g", "sg", "w", "x"),
      event: fc.constantFrom("START", "RUN", "STOP", "RESET", "UP"),
      args: fc.constantFrom("", "A=1"),
      at: anInstant,
      on,
      timeline: fc.constantFrom("t0", "q", "__ns_timeline", "y"),
    },
    { requiredKeys: ["kind", "scope", "request", "object", "event", "args", "at"] },
  ),
  fc.record({ kind: fc.constant("agenda-cancel" as const), ...ask, id: anItem }),
  fc.record(
    {
      kind: fc.constant("agenda-edit" as const),
      ...{ ...ask, id: anItem, at: anInstant, args: fc.constant("B=2") },
    },
    { requiredKeys: ["kind", "scope", "request", "id"] },
  ),
  fc.record({ kind: fc.constantFrom("agenda-pause" as const, "agenda-resume" as const), ...ask }),
  fc.record({ kind: fc.constant("agenda-take-errors" as const), ...ask }),
);
const agendaAnswer: fc.Arbitrary<Command> = fc.oneof(
  fc.record(
    {
      kind: fc.constant("agenda-complete" as const),
      ...answered,
      error: fc.constantFrom(0, 0, 1, -1),
      member: fc.constantFrom("p0", "p1"),
      unknown: fc.boolean(),
    },
    { requiredKeys: ["kind", "scope", "token", "error"] },
  ),
  fc.record({
    kind: fc.constant("agenda-fired" as const),
    ...answered,
    firedStampUs: fc.constantFrom(0, 9_000_000),
    outcome: fc.constantFrom("done", "done", "skipped"),
  }),
  fc.record({ kind: fc.constant("agenda-revoked" as const), ...answered, fired: fc.boolean() }),
);
const agendaCommand: fc.Arbitrary<Command> = fc.oneof(
  { weight: 2, arbitrary: agendaLoad },
  {
    weight: 2,
    arbitrary: fc.record(
      {
        kind: fc.constantFrom("agenda-start" as const, "agenda-replay" as const),
        ...{ scope, inUs: fc.constantFrom(0, 700_000) },
      },
      { requiredKeys: ["kind", "scope"] },
    ),
  },
  {
    weight: 1,
    arbitrary: fc.oneof(
      fc.record({ kind: fc.constant("agenda-halt" as const), scope }),
      fc.record({
        kind: fc.constant("agenda-agents" as const),
        scope,
        objects: fc.subarray(["p0", "p1", "l"]),
        state: fc.constantFrom("up" as const, "down" as const),
        reason: fc.constant("gone"),
      }),
    ),
  },
  { weight: 8, arbitrary: agendaRequest },
  { weight: 8, arbitrary: agendaAnswer },
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
          ...([
            "resend",
            "skip",
            "restart",
            "old-life",
            "rise",
            "lose",
            "return",
            "end",
            "found",
          ] as const),
        ),
        edge,
      }),
    },
  );
  return fc.array(fc.record({ afterUs, step }), { maxLength: 60, size: "max" });
}

const stateCommand: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .record(
        { ...place, target: fc.constantFrom(-1, 0, 1, 2, 3, 4, 5, 7, 1.5) },
        { requiredKeys: [...required, "target"] },
      )
      .chain((facts) =>
        fc
          .constantFrom(
            ...(["state-signal", "state-wait", "state-wait", "state-signal-and-wait"] as const),
          )
          .map((kind) => ({ kind, ...facts })),
      ),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("leave" as const), connection: place.connection }),
  },
  {
    weight: 1,
    arbitrary: fc.oneof(
      ends("state"),
      fc.record({
        kind: fc.constant("open-scope" as const),
        scope,
        nodes: fc.constantFrom(["node0", "node1"], ["node2"]),
      }),
    ),
  },
);

const deadline = fc.record({
  since: fc.constantFrom("opening" as const, "first-arrival" as const, "last-arrival" as const),
  us: fc.constantFrom(0, 1_000_000, 3_000_000, -1),
});
const quorum = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(0, 34, 50, 100, 101).map(percent) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(1, 2, 0).map((count) => ({ kind: "count" as const, count })),
  },
);
const { scope: inScope, barrier: atBarrier, connection: by, who: whoever } = place;
const quorumCommand: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record(
      {
        kind: fc.constant("quorum-init" as const),
        ...{ scope: inScope, barrier: atBarrier, connection: by, who: whoever, quorum, deadline },
        echo: fc.constantFrom("automatic" as const, "explicit" as const),
      },
      { requiredKeys: ["kind", "scope", "barrier", "connection", "who", "quorum", "echo"] },
    ),
  },
  {
    weight: 8,
    arbitrary: fc.record(
      { kind: fc.constant("quorum-wait" as const), ...place },
      { requiredKeys: ["kind", ...required] },
    ),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("quorum-echo" as const),
      ...{ scope: inScope, barrier: atBarrier, connection: by },
    }),
  },
  {
    weight: 4,
    arbitrary: fc.oneof(
      fc.record({
        kind: fc.constantFrom("peer-register" as const, "peer-deregister" as const),
        ...{ scope, connection: by, peer: fc.constantFrom("node0", "node1", "", "abcdef") },
      }),
      fc.record({
        kind: fc.constant("peers-set" as const),
        ...{ scope, connection: by, count: fc.constantFrom(0, 1, 2, 3, 6, -1) },
      }),
      fc.record({
        kind: fc.constant("quorum-change" as const),
        ...{ scope, barrier: atBarrier, connection: by },
        quorum: fc.constantFrom(0, 50, 100, 200).map(percent),
      }),
    ),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("leave" as const), connection: by }) },
  { weight: 1, arbitrary: ends("quorum") },
);

function percent(value: number) {
  return { kind: "percent" as const, percent: value };
}

const memberNames = fc.constantFrom("a", "b", "c");
const members = (minLength: number): fc.Arbitrary<readonly { name: string; group?: string }[]> =>
  fc.array(fc.record({ name: memberNames, group: fc.constant("g") }, { requiredKeys: ["name"] }), {
    minLength,
    maxLength: 3,
  });
const rosterCommand: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("roster-open" as const),
      ...{ scope: inScope, barrier: atBarrier, connection: by, who: whoever },
      members: fc.oneof(
        fc
          .subarray(["a", "b", "c"], { minLength: 1 })
          .map((names) => names.map((name) => ({ name }))),
        members(0),
      ),
      rules: fc.record(
        {
          phases: fc.constantFrom(0, 1, 2, 2, -1),
          whenDead: fc.constantFrom("fail" as const, "shrink" as const, "wait" as const),
          whenLate: fc.constantFrom("pass" as const, "refuse" as const, "next" as const),
          deadline,
        },
        { requiredKeys: ["phases", "whenDead", "whenLate"] },
      ),
    }),
  },
  {
    weight: 12,
    arbitrary: fc
      .record(
        {
          ...place,
          kind: fc.constant("roster-arrive" as const),
          phase: fc.constantFrom(1, 1, 2, 3),
        },
        { requiredKeys: ["kind", ...required] },
      )
      .chain((facts) => memberNames.map((name) => ({ ...facts, who: { ...facts.who, name } }))),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("roster-change" as const),
      ...{ scope, barrier: atBarrier, connection: by, add: members(0) },
      remove: fc.subarray(["a", "b", "c"]),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("roster-dead" as const),
      unlessArrived: fc.boolean(),
      ...{ scope, participant: memberNames, reason: fc.constant("exit 1") },
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("leave" as const), connection: by }) },
  { weight: 1, arbitrary: ends("roster") },
);

/** Scripts about barriers only: what the naive model knows. */
/** Small, so that the scripts of barriers reach them. */
export const barrierLimits: Limits = resolveLimits({
  ...{ nameBytesMax: 5, scopesMax: 2, barriersPerScopeMax: 2, waitersPerBarrierMax: 4 },
  ...{ edgeLeaseUs: 2_500_000, quorumEchoUs: 3_000_000, peersPerScopeMax: 5 },
  membersPerRosterMax: 3,
});

export const barrierScript: fc.Arbitrary<readonly TimedStep[]> = steps(barrierCommand);
export const stateScript: fc.Arbitrary<readonly TimedStep[]> = steps(stateCommand);
export const quorumScript: fc.Arbitrary<readonly TimedStep[]> = steps(quorumCommand);
export const rosterScript: fc.Arbitrary<readonly TimedStep[]> = steps(rosterCommand);
/** Scripts about one agenda that is loaded and started first, then ticks often. */
export const agendaScript: fc.Arbitrary<readonly TimedStep[]> = steps(
  fc.oneof({ weight: 1, arbitrary: barrierCommand }, { weight: 6, arbitrary: agendaCommand }),
);
/** Scripts about everything. */
export const fullScript: fc.Arbitrary<readonly TimedStep[]> = steps(
  fc.oneof(
    { weight: 3, arbitrary: barrierCommand },
    { weight: 2, arbitrary: stateCommand },
    { weight: 2, arbitrary: quorumCommand },
    { weight: 2, arbitrary: rosterCommand },
    { weight: 1, arbitrary: agendaCommand },
  ),
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
      case "found":
        return host({ kind: "attached", edge: `e${edge}`, incarnation });
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
