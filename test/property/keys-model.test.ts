// SPDX-License-Identifier: MIT
// Goal: of all arrivals with one key one counts, and of those that make a barrier, and whoever asks
// again hears what has become of it (X1 to X5). Method: random histories whose arrivals have keys
// and are asked for again, at other edges, by other connections, while edges die and come back, go
// to the core and to the naive model of the kind, which derives what a key means from the list of
// all that has happened to it; what both say must be equal, entry by entry. What a property has
// seen is looked at, too.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { LogEntry } from "../../src/core/command.ts";
import type { Applied } from "../../src/core/effect.ts";
import type { Limits } from "../../src/core/limits.ts";
import { Service } from "../../src/core/service.ts";
import { NaiveCounts } from "../../src/testing/naive-counts.ts";
import { NaiveQuorums } from "../../src/testing/naive-quorums.ts";
import { NaiveRosters } from "../../src/testing/naive-rosters.ts";
import { NaiveStates } from "../../src/testing/naive-states.ts";
import {
  barrierScript,
  barrierLimits as limits,
  quorumScript,
  rosterScript,
  stateScript,
  type TimedStep,
} from "./core-script.ts";
import { entriesFrom, keysVersion, makesVersion, withKeys } from "./keyed-script.ts";

const runs = Number(process.env["MUSTER_RUNS"] ?? 600);

interface Model {
  apply(entry: LogEntry): readonly unknown[];
}

const kinds: readonly (readonly [
  kind: string,
  script: fc.Arbitrary<readonly TimedStep[]>,
  createModel: (limits: Limits) => Model,
])[] = [
  ["counts", barrierScript, (each) => new NaiveCounts(each)],
  ["states", stateScript, (each) => new NaiveStates(each)],
  ["quorums", quorumScript, (each) => new NaiveQuorums(each)],
  ["rosters", rosterScript, (each) => new NaiveRosters(each)],
];

function told(applied: Applied): unknown {
  return applied.addressed.map(({ edge, incarnation, effect }) => {
    if (effect.kind === "refused") {
      const { kind, connection, code } = effect;
      return { edge, incarnation, effect: { kind, connection, code } };
    }
    // Lists of members are for people; the models say who is missing in words only.
    const { presence: _, ...rest } = { presence: undefined, ...effect };
    return { edge, incarnation, effect: rest };
  });
}

describe("arrivals with keys, in the core and in the naive models of its kinds", () => {
  it.each(kinds)("%s: both say the same when anything is asked again", (_, script, createModel) => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(withKeys(script), (steps) => {
        const core = new Service(limits);
        const model = createModel(limits);
        for (const entry of entriesFrom(makesVersion, limits, steps)) {
          const applied = core.apply(entry);
          expect(told(applied)).toEqual(model.apply(entry));
          for (const { effect } of applied.addressed) seen.add(effect.kind);
        }
      }),
      { numRuns: runs },
    );
    expect([...seen]).toEqual(expect.arrayContaining(["moved", "released", "refused", "revoked"]));
  });

  it.each(kinds)("%s: before version 12 makers have none", (_, script, createModel) => {
    fc.assert(
      fc.property(withKeys(script), (steps) => {
        const core = new Service(limits);
        const model = createModel(limits);
        for (const entry of entriesFrom(makesVersion - 1, limits, steps)) {
          expect(told(core.apply(entry))).toEqual(model.apply(entry));
        }
      }),
      { numRuns: runs / 4 },
    );
  });

  it.each(kinds)("%s: both pass over keys in a log before version 9", (_, script, createModel) => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(withKeys(script), (steps) => {
        const core = new Service(limits);
        const model = createModel(limits);
        for (const entry of entriesFrom(keysVersion - 1, limits, steps)) {
          const applied = core.apply(entry);
          expect(told(applied)).toEqual(model.apply(entry));
          for (const { effect } of applied.addressed) seen.add(effect.kind);
        }
      }),
      { numRuns: runs / 4 },
    );
    expect(seen.has("moved")).toBe(false);
  });

  it.each(kinds)("%s: a snapshot at any entry goes on as the whole log", (_, script) => {
    fc.assert(
      fc.property(withKeys(script), fc.nat(80), (steps, position) => {
        const original = new Service(limits);
        let copy: Service | undefined;
        for (const entry of entriesFrom(makesVersion, limits, steps)) {
          if (entry.sequence === Math.min(position, steps.length) + 1) {
            const data: unknown = JSON.parse(JSON.stringify(original.snapshot()));
            copy = Service.restore(limits, data as ReturnType<Service["snapshot"]>);
            expect(copy.digest()).toBe(original.digest());
          }
          const effects = original.apply(entry);
          if (copy !== undefined) expect(copy.apply(entry)).toEqual(effects);
        }
        if (copy === undefined) return;
        expect(copy.digest()).toBe(original.digest());
        expect(copy.snapshot()).toEqual(original.snapshot());
        // The digest that is kept up is the one of what there is.
        expect(Service.restore(limits, original.snapshot()).digest()).toBe(original.digest());
      }),
      { numRuns: runs / 2 },
    );
  });
});
