// SPDX-License-Identifier: MIT
// Goal: no small case is wrong. Method: up to four parties at one barrier, every kind of arrival,
// every order of all arrivals and all leaves; after each step the invariants are asked as questions
// about the list of steps, not about the core's counters. An order in which somebody stays is a
// beginning of one in which it leaves last, so it is among them.
import { expect, it } from "vitest";
import type { Command } from "../../../src/core/command.ts";
import { resolveLimits } from "../../../src/core/limits.ts";
import { Service } from "../../../src/core/service.ts";

interface Kind {
  /** What it asks for; undefined for a wait. */
  readonly asks?: number;
  readonly stays: boolean;
  readonly error: number;
}

const fewKinds: readonly Kind[] = [
  { stays: true, error: 0 },
  { stays: true, error: 7 },
  { asks: 1, stays: true, error: 0 },
  { asks: 2, stays: true, error: 9 },
  { asks: 3, stays: true, error: 0 },
  { asks: 1, stays: false, error: 0 },
  { asks: 2, stays: false, error: 9 },
  { asks: 3, stays: false, error: 0 },
];
const allKinds: readonly Kind[] = [
  ...[0, 7, 239].map((error) => ({ stays: true, error })),
  ...[0, 1, 2, 3].flatMap((asks) =>
    [true, false].flatMap((stays) => [0, 9].map((error) => ({ asks, stays, error }))),
  ),
];

/** `+2`: the third party arrives; `-2`: it leaves. */
type Step = { readonly party: number; readonly leaves: boolean };

/**
 * All orders of N arrivals, in the order of their numbers, and N leaves, each after its arrival.
 */
function ordersOf(parties: number): readonly (readonly Step[])[] {
  const orders: (readonly Step[])[] = [];
  const extend = (steps: readonly Step[], arrived: number, present: readonly number[]): void => {
    if (steps.length === 2 * parties) orders.push(steps);
    if (arrived < parties) {
      extend([...steps, { party: arrived, leaves: false }], arrived + 1, [...present, arrived]);
    }
    for (const party of present) {
      const rest = present.filter((other) => other !== party);
      extend([...steps, { party, leaves: true }], arrived, rest);
    }
  };
  extend([], 0, []);
  return orders;
}

function* kindsOf(parties: number, kinds: readonly Kind[]): Generator<readonly Kind[]> {
  if (parties === 0) yield [];
  else
    for (const rest of kindsOf(parties - 1, kinds)) for (const kind of kinds) yield [...rest, kind];
}

class Bench {
  readonly #core = new Service(resolveLimits());
  #number = 0;
  #connection = 0;

  /** @returns the connections that were released, with their error. */
  apply(command: Command): ReadonlyMap<number, number> {
    this.#number += 1;
    const commands = this.#number === 1 ? [{ kind: "attach" } as const, command] : [command];
    const batch = { edge: "e", incarnation: 1, number: this.#number, commands };
    const entry = { format: 1, batches: [batch] } as const;
    const applied = this.#core.apply({ sequence: this.#number, stampUs: 0, entry });
    const released = new Map<number, number>();
    for (const { effect } of applied.addressed) {
      if (effect.kind !== "released") continue;
      for (const connection of effect.connections) {
        if (released.has(connection)) throw new Error("B2: two outcomes at once");
        released.set(connection, effect.error);
      }
    }
    return released;
  }

  run(kinds: readonly Kind[], order: readonly Step[]): void {
    const base = this.#connection;
    this.#connection += kinds.length;
    const scope = "s";
    const who = { address: "x" };
    const history: Step[] = [];
    let answered = new Set<number>();
    let epochStart = 0;
    for (const step of order) {
      const kind = kinds[step.party] as Kind;
      const connection = base + step.party;
      const { error, asks, stays } = kind;
      const place = { scope, barrier: "b", connection, who, error };
      const arrival: Command =
        asks === undefined
          ? { kind: "count-wait", ...place }
          : { kind: "count-init", ...place, count: asks, waits: stays };
      history.push(step);
      const released = this.apply(step.leaves ? { kind: "leave", connection } : arrival);
      const epoch = history.slice(epochStart);
      const ended = check(kinds, epoch, answered, mapKeys(released, base));
      answered = new Set([...answered, ...mapKeys(released, base).keys()]);
      if (ended) epochStart = history.length;
    }
    // B5: what those who did not wait asked for is still there when everybody else has gone.
    const left = history.slice(epochStart).filter(({ party, leaves }) => {
      return !leaves && !(kinds[party] as Kind).stays;
    });
    const sum = left.reduce((total, { party }) => total + (kinds[party]?.asks ?? 0), 0);
    const [barrier] = this.#core.describe(scope).barriers;
    if ((barrier?.count ?? 0) !== sum) throw new Error("B5: an initialised count was lost");
    this.apply({ kind: "cancel-all", scope, error: 0 });
  }
}

function mapKeys(released: ReadonlyMap<number, number>, base: number): Map<number, number> {
  return new Map([...released].map(([connection, error]) => [connection - base, error]));
}

/**
 * Holds what was released after the last step of an epoch against the invariants.
 * @returns whether the barrier ended with that step.
 */
function check(
  kinds: readonly Kind[],
  epoch: readonly Step[],
  answered: ReadonlySet<number>,
  released: ReadonlyMap<number, number>,
): boolean {
  const kindOf = (party: number): Kind => kinds[party] as Kind;
  const came = epoch.filter(({ leaves }) => !leaves).map(({ party }) => party);
  const went = new Set(epoch.filter(({ leaves }) => leaves).map(({ party }) => party));
  const waiting = came.filter((party) => kindOf(party).stays && !went.has(party));
  const holding = came.filter((party) => !kindOf(party).stays || !went.has(party));
  const sum = holding.reduce((total, party) => total + (kindOf(party).asks ?? -1), 0);
  const conditionHolds = came.length > 0 && sum === 0;

  if (released.size > 0 && !conditionHolds) throw new Error(`B1: released at a sum of ${sum}`);
  if (conditionHolds && released.size !== waiting.length) {
    throw new Error(`B2, B4: ${released.size} released, ${waiting.length} waited`);
  }
  const errors = came.filter((party) => kindOf(party).stays).map((party) => kindOf(party).error);
  const largest = Math.max(0, ...errors);
  for (const [party, error] of released) {
    if (answered.has(party)) throw new Error("B2: a second outcome");
    if (went.has(party)) throw new Error("B4: who left was released");
    if (error !== largest) throw new Error(`B3: error ${error}, the largest is ${largest}`);
  }
  return conditionHolds;
}

it.each([
  { parties: 1, kinds: allKinds, name: "all" },
  { parties: 2, kinds: allKinds, name: "all" },
  { parties: 3, kinds: allKinds, name: "all" },
  { parties: 4, kinds: fewKinds, name: "eight" },
])(
  "B1-B5 hold in every order of $parties parties of $name kinds",
  ({ parties, kinds }) => {
    const bench = new Bench();
    const orders = ordersOf(parties);
    let cases = 0;
    for (const chosen of kindsOf(parties, kinds)) {
      for (const order of orders) {
        try {
          bench.run(chosen, order);
        } catch (error) {
          throw new Error(`${JSON.stringify({ chosen, order })}: ${String(error)}`);
        }
        cases += 1;
      }
    }
    process.stdout.write(`exhaustive: ${parties} parties, ${cases} cases\n`);
    expect(cases).toBe(kinds.length ** parties * orders.length);
  },
  300_000,
);
