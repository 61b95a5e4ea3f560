// SPDX-License-Identifier: MIT
// Goal: the core decides what the rules say. Method: random histories of edges, incarnations, lost
// links, deadlines and commands, right and wrong, go to the core and to a naive model that reads
// its whole history for every answer; what both say must be equal, entry by entry.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Applied } from "../../src/core/effect.ts";
import { resolveLimits } from "../../src/core/limits.ts";
import { Service } from "../../src/core/service.ts";
import { NaiveBarriers } from "../../src/testing/naive-barriers.ts";
import { barrierScript, entriesOf, fullScript } from "./core-script.ts";

/** Small, so that the scripts reach them. */
const limits = resolveLimits({
  nameBytesMax: 5,
  scopesMax: 2,
  barriersPerScopeMax: 2,
  waitersPerBarrierMax: 4,
  edgeLeaseUs: 2_500_000,
});
const runs = Number(process.env["MUSTER_RUNS"] ?? 600);

function told(applied: Applied): unknown {
  return applied.addressed.map(({ edge, incarnation, effect }) => {
    if (effect.kind === "released") {
      // Lists of members are for people (b10.test.ts); the model says who is missing in words.
      const { presence: _, ...released } = effect;
      return { edge, incarnation, effect: released };
    }
    if (effect.kind !== "refused") return { edge, incarnation, effect };
    const { kind, connection, code } = effect;
    return { edge, incarnation, effect: { kind, connection, code } };
  });
}

function ends(applied: Applied): unknown {
  return applied.observed.flatMap((effect) => {
    if (effect.kind !== "barrier-closed") return [];
    const { scope, barrier, generation, outcome, error, expected, closedUs } = effect;
    const participants = effect.participants.map(({ who }) => who.address);
    return [{ scope, barrier, generation, outcome, error, expected, closedUs, participants }];
  });
}

describe("the core and the naive model", () => {
  it("Service.apply() says what the naive model says when histories are random", () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(barrierScript, fc.boolean(), (script, forgets) => {
        const core = new Service(limits);
        const model = new NaiveBarriers(limits);
        for (const entry of entriesOf(script)) {
          if (forgets) model.forget();
          const applied = core.apply(entry);
          const expected = model.apply(entry);
          expect(applied.nowUs).toBe(model.nowUs());
          expect(told(applied)).toEqual(expected.told);
          expect(ends(applied)).toEqual(expected.ends);
          for (const { effect } of applied.addressed) {
            seen.add(effect.kind === "released" ? effect.outcome : effect.kind);
          }
        }
      }),
      { numRuns: runs },
    );
    // A property that never reaches its subject proves nothing.
    const words = ["crossed", "timeout", "cancelled", "acknowledged", "refused", "revoked"];
    expect([...seen].sort()).toEqual(words.sort());
  });

  it("Service.restore() goes on like the original when restored at any position", () => {
    fc.assert(
      fc.property(fullScript, fc.nat(60), (script, position) => {
        const original = new Service(limits);
        let copy: Service | undefined;
        for (const entry of entriesOf(script)) {
          if (entry.sequence === Math.min(position, script.length)) {
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
        expect(copy.nextDeadlineUs()).toBe(original.nextDeadlineUs());
      }),
      { numRuns: runs },
    );
  });

  it("Service.apply() never throws and never leaves a deadline behind when anything is sent", () => {
    fc.assert(
      fc.property(fullScript, (script) => {
        const core = new Service(limits);
        for (const entry of entriesOf(script)) {
          core.apply(entry);
          const dueUs = core.nextDeadlineUs();
          // Due now is possible (a timeout of 0); due before now would mean it was passed over.
          if (dueUs !== undefined) expect(dueUs).toBeGreaterThanOrEqual(core.nowUs);
        }
      }),
      { numRuns: runs },
    );
  });
});
