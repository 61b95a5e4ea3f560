// SPDX-License-Identifier: MIT
// Goal: it changes no barrier that somebody asks again with its key. Method: random histories in
// which every arrival has a key of its own and nobody asks twice, beside the same histories with
// detours strewn in: what waits is asked for at another edge and then again where it was, what has
// ended is asked for at another edge, but for members of rosters, who are there then. The same
// barriers end in the same way, and the same waits are left. No model takes part.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Command } from "../../src/core/command.ts";
import type { BarrierKind } from "../../src/core/effect.ts";
import { Service } from "../../src/core/service.ts";
import {
  barrierScript,
  barrierLimits as limits,
  quorumScript,
  rosterScript,
  stateScript,
  type TimedStep,
} from "./core-script.ts";
import { entriesFrom, makesVersion, mayHaveKey, withKey } from "./keyed-script.ts";

const runs = Number(process.env["MUSTER_RUNS"] ?? 150);
/** No edge of a script: it does nothing but what is asked for again, and never ends. */
const away = 3;

type Keyed = Command & { readonly connection: number };

/** Every arrival with a key of its own, and what was asked with it. */
function keyAll(script: readonly TimedStep[]) {
  const byKey = new Map<string, Keyed>();
  const steps = script.map((timed): TimedStep => {
    if (timed.step.kind !== "send") return timed;
    const commands = timed.step.commands.map((command) => {
      if (!mayHaveKey(command)) return command;
      const key = `k${byKey.size}`;
      const keyed = withKey(command, key);
      byKey.set(key, keyed);
      return keyed;
    });
    return { ...timed, step: { ...timed.step, commands } };
  });
  return { steps, byKey };
}

/** What is asked again behind a step, of what the core knows then. */
function detoursOf(
  core: Service,
  byKey: ReadonlyMap<string, Keyed>,
  isDrawn: () => boolean,
  nextConnection: () => number,
): readonly TimedStep[] {
  const send = (edge: number, command: Keyed): TimedStep => ({
    afterUs: 0,
    step: { kind: "send", edge, commands: [command] },
  });
  return core.snapshot().scopes.flatMap(({ keyed = [] }) =>
    keyed.flatMap(({ key, holder, end }): readonly TimedStep[] => {
      const command = byKey.get(key);
      // Who comes back to a signal alone waits again: that is no detour.
      if (command === undefined || (holder === null && end === null) || !isDrawn()) return [];
      // A member of a roster is then one that has come by that edge (X2).
      if (holder === null && command.kind === "roster-arrive") return [];
      const there = send(away, { ...command, connection: nextConnection() });
      return holder === null ? [there] : [there, send(Number(holder.edge.slice(1)), command)];
    }),
  );
}

/** The script with detours, which are drawn from what it leads to. */
function withDetours(script: readonly TimedStep[], draws: readonly number[]) {
  const { steps, byKey } = keyAll(script);
  const core = new Service(limits);
  const [, ...entries] = entriesFrom(makesVersion, limits, steps).map((entry) => {
    core.apply(entry);
    let drawn = entry.sequence * 7;
    const isDrawn = (): boolean => {
      drawn += 1;
      return (draws[drawn % draws.length] ?? 0) === 1;
    };
    return detoursOf(core, byKey, isDrawn, () => (connection += 1));
  });
  return { steps, longer: steps.flatMap((step, at) => [step, ...(entries[at] ?? [])]) };
}

let connection = 100;

/** How barriers ended, and what is left. */
function resultOf(script: readonly TimedStep[]) {
  const core = new Service(limits);
  const ends: string[] = [];
  let moved = 0;
  // What is due when the script ends is due with detours and without.
  const last: TimedStep = { afterUs: 0, step: { kind: "tick" } };
  for (const entry of entriesFrom(makesVersion, limits, [...script, last])) {
    const { observed, addressed } = core.apply(entry);
    for (const { effect } of addressed) if (effect.kind === "moved") moved += 1;
    for (const effect of observed) {
      if (effect.kind !== "barrier-closed") continue;
      const { scope, barrier, barrierKind, generation, outcome, error, participants } = effect;
      const who = participants.map(({ who: one }) => `${one.address} ${one.name}`).sort();
      ends.push(JSON.stringify([scope, barrier, barrierKind, generation, outcome, error, who]));
    }
  }
  const left = ["s", "t", "u"].map((scope) =>
    core.describe(scope).barriers.map(({ name, kind, waiting, state }) => {
      const who = waiting.map(({ who: one }) => one);
      return { name, kind, who, state };
    }),
  );
  return { told: { ends: ends.sort(), left }, moved };
}

const kinds: readonly (readonly [kind: BarrierKind, script: typeof barrierScript])[] = [
  ["count", barrierScript],
  ["state", stateScript],
  ["quorum", quorumScript],
  ["roster", rosterScript],
];

describe("asking again at another edge", () => {
  it.each(kinds)("changes no barrier of the kind %s", (_, script) => {
    let moves = 0;
    let ends = 0;
    const draws = fc.noShrink(
      fc.array(fc.nat({ max: 2 }), { minLength: 41, maxLength: 83, size: "max" }),
    );
    fc.assert(
      fc.property(script, draws, (drawn, numbers) => {
        const { steps, longer } = withDetours(drawn, numbers);
        const [plain, detoured] = [resultOf(steps), resultOf(longer)];
        expect(detoured.told).toEqual(plain.told);
        expect(plain.moved).toBe(0);
        moves += detoured.moved;
        ends += plain.told.ends.length;
      }),
      { numRuns: runs },
    );
    expect(Math.min(moves, ends)).toBeGreaterThan(runs / 10);
  });
});
