// SPDX-License-Identifier: MIT
// Random histories whose arrivals and makers of barriers have keys: those of core-script.ts, in
// which what has a key is asked for again, at any edge, by any connection, now and then as another.
import fc from "fast-check";
import type { Batch, Command, LogEntry } from "../../src/core/command.ts";
import type { Limits } from "../../src/core/limits.ts";
import { entriesOf, type TimedStep } from "./core-script.ts";

/** From this version on one counts of those that have one key. */
export const keysVersion = 9;
/** From this version on also of those that make a quorum or a roster. */
export const makesVersion = 12;

type Keyed = Extract<Command, { barrier: string; connection: number; who: unknown }>;

const arrives = /^(count-init|count-wait|state-.*|quorum-wait|roster-arrive)$/;
const makes = /^(quorum-init|roster-open)$/;
/** Of so many arrivals that had keys last one is asked for again. */
const lastMax = 5;

/** Whether it may have a key. */
export function mayHaveKey(command: Command): command is Keyed {
  return arrives.test(command.kind) || makes.test(command.kind);
}

export function withKey(command: Keyed, key: string): Keyed {
  return Object.assign({}, command, makes.test(command.kind) ? { once: key } : { key });
}

/** Those that are asked for again come from these edges and connections as well as others do. */
const edges = 3;
const connections = 9;

class Strewer {
  readonly #draws: readonly number[];
  readonly #last: Keyed[] = [];
  #at = 0;
  #lastKey = 0;

  constructor(draws: readonly number[]) {
    this.#draws = draws;
  }

  strew(script: readonly TimedStep[]): readonly TimedStep[] {
    return script.flatMap((timed): readonly TimedStep[] => {
      const { step } = timed;
      const commands = step.kind === "send" ? step.commands.map((one) => this.#withKey(one)) : [];
      const same = step.kind === "send" ? { ...timed, step: { ...step, commands } } : timed;
      return [same, ...this.#again()];
    });
  }

  #withKey(command: Command): Command {
    if (!mayHaveKey(command) || this.#draw(3) === 0) return command;
    this.#lastKey += 1;
    // Now and then one that was given before.
    const draw = this.#draw(20);
    const number = draw === 2 ? Math.max(1, this.#lastKey - this.#draw(lastMax)) : this.#lastKey;
    const key = draw === 1 ? "x".repeat(this.#draw(2) * 65) : `k${number}`;
    const keyed = withKey(command, key);
    this.#last.push(keyed);
    return keyed;
  }

  #again(): readonly TimedStep[] {
    const again: TimedStep[] = [];
    for (let most = 3; most > 0 && this.#draw(5) > 2; most -= 1) {
      const arrival = this.#last.at(-1 - this.#draw(Math.min(lastMax, this.#last.length)));
      if (arrival === undefined) continue;
      const connection = 1 + this.#draw(connections);
      const barrier = this.#draw(30) === 1 ? "b" : arrival.barrier;
      const commands = [{ ...arrival, barrier, connection } as Command];
      const afterUs = this.#draw(4) === 1 ? 1_000_000 : 0;
      again.push({ afterUs, step: { kind: "send", edge: this.#draw(edges), commands } });
      // Often all of the 30 s in which it is known pass by.
      for (let ticks = this.#draw(40) === 1 ? 14 + this.#draw(3) : 0; ticks > 0; ticks -= 1) {
        again.push({ afterUs: 2_000_000, step: { kind: "tick" } });
      }
    }
    return again;
  }

  /** A number from 0 to below `below`. */
  #draw(below: number): number {
    const drawn = this.#draws[this.#at % this.#draws.length] ?? 0;
    this.#at += 1;
    return drawn % below;
  }
}

/** The script with keys, and with arrivals that are asked for again. */
export function withKeys(
  script: fc.Arbitrary<readonly TimedStep[]>,
): fc.Arbitrary<readonly TimedStep[]> {
  const draws = fc.noShrink(
    fc.array(fc.nat({ max: 999 }), { minLength: 97, maxLength: 401, size: "max" }),
  );
  return fc.tuple(script, draws).map(([steps, numbers]) => new Strewer(numbers).strew(steps));
}

/** Entries of a script in a log that is raised first. */
export function entriesFrom(
  version: number,
  limits: Limits,
  script: readonly TimedStep[],
): readonly LogEntry[] {
  const commands: readonly Command[] = [{ kind: "attach" }, { kind: "version", version, limits }];
  const raise: Batch = { edge: "raiser", incarnation: 1, number: 1, commands };
  const first: LogEntry = {
    ...{ sequence: 1, stampUs: 7_000_000 },
    entry: { format: 1, batches: [raise] },
  };
  const rest = entriesOf(script).map((entry) => ({ ...entry, sequence: entry.sequence + 1 }));
  return [first, ...rest];
}
