// SPDX-License-Identifier: MIT
// Goal: the agenda decides what the rules say, and its state is whole. Method: random plans,
// requests, answers of the performer, pauses, replays and barriers, right and wrong, go to the core
// and to a naive model without tables; what both say must be equal, step by step, also from a
// snapshot taken anywhere.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type {
  AgendaEvent,
  AgendaLoad,
  AgendaOrder,
  EventInstant,
  TimedEvent,
} from "../../src/core/agenda/commands.ts";
import type { Applied } from "../../src/core/effect.ts";
import { Service } from "../../src/core/service.ts";
import { CoreDriver, init, wait } from "../../src/testing/core-driver.ts";
import { NaiveAgenda } from "../../src/testing/naive-agenda.ts";
import type { NaiveRequest } from "../../src/testing/naive-agenda-state.ts";

type Step =
  | { readonly kind: "pass"; readonly us: number }
  | { readonly kind: "cross"; readonly barrier: string }
  | { readonly kind: "do"; readonly command: AgendaLoad | AgendaOrder | NaiveRequest };

/** Small: a plan may go round at one instant, and the model looks at everything each time. */
const startsMax = 20;
const runs = Number(process.env["MUSTER_RUNS"] ?? 1_000);

const on = fc.record({
  barrier: fc.constantFrom("a", "b"),
  outcome: fc.constantFrom("crossed" as const, "crossed" as const, "cancelled" as const),
});
/** What a plan may ask of whom; the last is a sequence that does not exist. */
const plannedEvents: readonly AgendaEvent[] = [
  ...["p0", "p1", "g"].flatMap((object) =>
    ["START", "RUN"].map((event) => ({ object, type: "PROGRAM", event })),
  ),
  ...["q", "q2", "sg"].flatMap((object) =>
    ["START", "RUN", "RESET"].map((event) => ({ object, type: "SEQUENCE", event })),
  ),
  ...["RUN", "RESET"].map((event) => ({ object: "t0", type: "TIMELINE", event })),
  { object: "l", type: "LINK", event: "UP" },
  { object: "l", type: "LINK", event: "RESET" },
  { object: "w", type: "PROGRAM", event: "RUN" },
  { object: "nope", type: "SEQUENCE", event: "RUN" },
].map((event) => ({ id: 0, args: "", ...event }));

function timed(maxLength: number): fc.Arbitrary<TimedEvent[]> {
  const one = fc.record(
    {
      atUs: fc.constantFrom(0, 0, 0, 1, 400_000, 1_000_000, 3_000_000),
      event: fc.constantFrom(...plannedEvents),
      on,
    },
    { requiredKeys: ["atUs", "event"] },
  );
  return fc.array(one, { maxLength });
}

/** From 1 on, and 0 for one in five: it gets a number when it occurs. */
function numbered(lists: readonly TimedEvent[][]): TimedEvent[][] {
  let last = 0;
  const next = (): number => {
    last += 1;
    return last % 5 === 0 ? 0 : last;
  };
  return lists.map((events) =>
    events.map((timed) => ({ ...timed, event: { ...timed.event, id: next() } })),
  );
}

const load: fc.Arbitrary<AgendaLoad> = fc
  .tuple(timed(5), timed(3), timed(4), timed(3))
  .map((lists) => numbered(lists))
  .map(([main = [], t0 = [], q = [], q2 = []]) => ({
    ...{ kind: "agenda-load", scope: "s", main },
    agents: [
      { name: "p0", type: "PROGRAM", node: "n0" },
      { name: "p1", type: "PROGRAM", node: "n1" },
      { name: "l", type: "LINK", node: "" },
    ],
    groups: [
      { name: "g", members: ["p0", "p1"] },
      { name: "sg", members: ["q", "q2"] },
      { name: "w", members: ["p0", "l"] },
    ],
    timelines: [{ name: "t0", events: t0.filter(({ event }) => event.object !== "t0") }],
    sequences: [
      { name: "q", steps: q, onError: "q2" },
      { name: "q2", steps: q2 },
    ],
  }));

const instant: fc.Arbitrary<EventInstant> = fc.oneof(
  fc.constant({ kind: "now" } as const),
  fc.record({
    kind: fc.constantFrom("in" as const, "at" as const),
    us: fc.constantFrom(0, 1, 400_000, 1_000_000, 2_500_000, -1),
  }),
);
const ask = { scope: fc.constant("s"), request: fc.integer({ min: 1, max: 9 }) };
const answered = { scope: fc.constant("s"), token: fc.integer({ min: 1, max: 12 }) };
const id = fc.integer({ min: 0, max: 24 });

const request: fc.Arbitrary<NaiveRequest> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record(
      {
        kind: fc.constant("agenda-schedule" as const),
        ...ask,
        object: fc.constantFrom("p0", "p1", "q", "q2", "t0", "l", "g", "sg", "w", "nobody"),
        event: fc.constantFrom("START", "RUN", "RUN", "RESET", "UP"),
        args: fc.constantFrom("", "A=1"),
        at: instant,
        on,
        timeline: fc.constantFrom("t0", "q", "__ns_timeline", "nothing"),
      },
      { requiredKeys: ["kind", "scope", "request", "object", "event", "args", "at"] },
    ),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("agenda-cancel" as const), ...ask, id }) },
  {
    weight: 2,
    arbitrary: fc.record(
      {
        kind: fc.constant("agenda-edit" as const),
        ...{ ...ask, id, at: instant, args: fc.constant("B=2") },
      },
      { requiredKeys: ["kind", "scope", "request", "id"] },
    ),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom("agenda-pause" as const, "agenda-resume" as const),
      ...ask,
    }),
  },
);
const order: fc.Arbitrary<AgendaOrder> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record(
      {
        kind: fc.constant("agenda-complete" as const),
        ...{ ...answered, error: fc.constantFrom(0, 0, 0, 1, -1, 3) },
        ...{ member: fc.constantFrom("p0", "p1"), unknown: fc.boolean() },
      },
      { requiredKeys: ["kind", "scope", "token", "error"] },
    ),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      ...{ kind: fc.constant("agenda-fired" as const), ...answered, firedStampUs: fc.constant(0) },
      outcome: fc.constantFrom("done", "done", "done", "skipped"),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      ...{ kind: fc.constant("agenda-revoked" as const), ...answered, fired: fc.boolean() },
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record(
      {
        kind: fc.constantFrom("agenda-start" as const, "agenda-replay" as const),
        ...{ scope: fc.constant("s"), inUs: fc.constantFrom(0, 700_000) },
      },
      { requiredKeys: ["kind", "scope"] },
    ),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("agenda-halt" as const), scope: fc.constant("s") }),
  },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("pass" as const),
      us: fc.constantFrom(1, 100_000, 400_000, 500_000, 1_000_000, 2_000_000),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("cross" as const),
      barrier: fc.constantFrom("a", "b"),
    }),
  },
  {
    weight: 12,
    arbitrary: fc
      .oneof({ weight: 3, arbitrary: request }, { weight: 4, arbitrary: order })
      .map((command) => ({ kind: "do" as const, command })),
  },
);
/** Loaded and started; loaded anew now and then. */
const script: fc.Arbitrary<readonly Step[]> = fc
  .tuple(load, fc.array(step, { maxLength: 40, size: "max" }), fc.option(load), fc.nat(40))
  .map(([first, steps, second, at]) => {
    const rest: Step[] = [...steps];
    if (second !== null) rest.splice(at, 0, { kind: "do", command: second });
    const start = { kind: "agenda-start", scope: "s" } as const;
    return [{ kind: "do", command: first }, { kind: "do", command: start }, ...rest];
  });

/** One step at the core, in the words of the model. */
function applied(core: CoreDriver, one: Step, connection: number): Applied {
  if (one.kind === "pass") return core.tick(one.us);
  if (one.kind === "do") return core.send("p", one.command);
  const { barrier } = one;
  return core.send("w", init(connection, 1, { barrier }), wait(connection + 1, { barrier }));
}

function words({ addressed, observed }: Applied): { told: string[]; ended: string[] } {
  const told = addressed.flatMap(({ effect }) => {
    switch (effect.kind) {
      case "fire": {
        const { token, event, plannedUs } = effect;
        return [`fire ${token} ${event.object} ${event.event} ${event.args} at ${plannedUs}`];
      }
      case "revoke":
        return [`revoke ${effect.token}`];
      case "time-started":
        return [`time ${effect.epoch}`];
      case "agenda-idle":
        return ["idle"];
      case "error-report":
        return [`report ${effect.object} ${effect.error}`];
      case "agenda-answer":
        return [`answer ${effect.request} ${effect.answer.kind}`];
      case "event-done":
        return [`done ${effect.request} ${effect.id} ${effect.error}`];
      default:
        return [];
    }
  });
  const ended = observed.flatMap((effect) =>
    effect.kind === "object-ended" ? [`ended ${effect.name} ${effect.error}`] : [],
  );
  return { told, ended };
}

function modelWords(model: NaiveAgenda, one: Step): { told: string[]; ended: string[] } {
  const { kind } = one;
  const said =
    kind === "pass"
      ? model.pass(one.us)
      : kind === "do"
        ? model.do(one.command)
        : model.barrierEnds({ barrier: one.barrier, outcome: "crossed" });
  return {
    told: said.filter((text) => !text.startsWith("ended ")),
    ended: said.filter((text) => text.startsWith("ended ")),
  };
}

describe("the agenda and the naive model", () => {
  it("say the same at every step of random histories", () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(script, (steps) => {
        const core = new CoreDriver({ startsAtOnceMax: startsMax });
        const model = new NaiveAgenda(startsMax);
        for (const [index, one] of steps.entries()) {
          const said = words(applied(core, one, index * 2 + 1));
          expect(said).toEqual(modelWords(model, one));
          for (const text of said.told) {
            seen.add(
              text.startsWith("answer") ? (text.split(" ")[2] ?? "") : (text.split(" ")[0] ?? ""),
            );
          }
        }
      }),
      { numRuns: runs },
    );
    // A property that never reaches its subject proves nothing.
    const all = ["fire", "revoke", "time", "idle", "report", "done", "accepted", "appended"];
    const answers = ["refused", "cancelled", "edited", "already-fired", "paused", "resumed"];
    expect([...seen].sort()).toEqual([...all, ...answers].sort());
  });

  it("go on alike from a snapshot taken anywhere", () => {
    fc.assert(
      fc.property(script, fc.nat(40), (steps, position) => {
        const core = new CoreDriver({ startsAtOnceMax: startsMax });
        let copy: Service | undefined;
        for (const [index, one] of steps.entries()) {
          if (index === Math.min(position, steps.length - 1)) {
            const data: unknown = JSON.parse(JSON.stringify(core.service.snapshot()));
            copy = Service.restore(core.limits, data as ReturnType<Service["snapshot"]>);
            expect(copy.digest()).toBe(core.service.digest());
          }
          const effects = applied(core, one, index * 2 + 1);
          const entry = core.entries.at(-1);
          if (copy !== undefined && entry !== undefined) expect(copy.apply(entry)).toEqual(effects);
        }
        expect(copy?.digest()).toBe(core.service.digest());
        expect(copy?.snapshot()).toEqual(core.service.snapshot());
      }),
      { numRuns: runs },
    );
  });
});
