// SPDX-License-Identifier: MIT
// Goal: the kinds of barriers beside the count decide what their rules say. Method: as in
// core-model.test.ts, random histories go to the core and to a naive model of the kind, and what
// both say must be equal, entry by entry. Every property also says what it has seen: one that never
// reaches its subject proves nothing.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { LogEntry } from "../../src/core/command.ts";
import type { Applied } from "../../src/core/effect.ts";
import type { Limits } from "../../src/core/limits.ts";
import { Service } from "../../src/core/service.ts";
import { NaiveQuorums } from "../../src/testing/naive-quorums.ts";
import { NaiveRosters } from "../../src/testing/naive-rosters.ts";
import { NaiveStates } from "../../src/testing/naive-states.ts";
import {
  entriesOf,
  barrierLimits as limits,
  quorumScript,
  rosterScript,
  stateScript,
  type TimedStep,
} from "./core-script.ts";

const runs = Number(process.env["MUSTER_RUNS"] ?? 600);

interface Model {
  apply(entry: LogEntry): readonly unknown[];
}

function told(applied: Applied): unknown {
  return applied.addressed.map(({ edge, incarnation, effect }) => {
    if (effect.kind === "released") {
      // Lists of members are for people; the models say who is missing in words only.
      const { presence: _, ...released } = effect;
      return { edge, incarnation, effect: released };
    }
    if (effect.kind === "quorum-status") {
      const { presence: _, ...status } = effect;
      return { edge, incarnation, effect: status };
    }
    if (effect.kind !== "refused") return { edge, incarnation, effect };
    const { kind, connection, code } = effect;
    return { edge, incarnation, effect: { kind, connection, code } };
  });
}

/** @returns the kinds of effects, and outcomes of releases, that were seen. */
function compare(
  script: fc.Arbitrary<readonly TimedStep[]>,
  createModel: (limits: Limits) => Model,
): readonly string[] {
  const seen = new Set<string>();
  fc.assert(
    fc.property(script, (steps) => {
      const core = new Service(limits);
      const model = createModel(limits);
      for (const entry of entriesOf(steps)) {
        const applied = core.apply(entry);
        expect(told(applied)).toEqual(model.apply(entry));
        for (const { effect } of applied.addressed) {
          seen.add(effect.kind === "released" ? effect.outcome : effect.kind);
        }
      }
    }),
    { numRuns: runs },
  );
  return [...seen].sort();
}

describe("the core and the naive models of its kinds", () => {
  it("states: Service.apply() says what the model says when histories are random", () => {
    const seen = compare(stateScript, (each) => new NaiveStates(each));
    const words = ["acknowledged", "cancelled", "crossed", "failed", "refused", "revoked"];
    expect(seen).toEqual([...words, "signalled", "timeout"]);
  });

  it("quorums: Service.apply() says what the model says when histories are random", () => {
    const seen = compare(quorumScript, (each) => new NaiveQuorums(each));
    const words = ["acknowledged", "cancelled", "crossed", "failed", "quorum-status", "refused"];
    expect(seen).toEqual([...words, "revoked", "timeout"]);
  });

  it("rosters: Service.apply() says what the model says when histories are random", () => {
    const seen = compare(rosterScript, (each) => new NaiveRosters(each));
    const words = ["acknowledged", "cancelled", "crossed", "failed", "refused", "revoked"];
    expect(seen).toEqual([...words, "timeout"]);
  });
});
