// SPDX-License-Identifier: MIT
// Numbers that are given once each: those of signals, of counters, of messages.
//
//   N1. They are 1, 2, 3, ..., each once, and none contradicts time: a number was given between the
//       question and its answer, and later than every smaller one.
//   N2. One that nobody was told was given to somebody who had asked before a larger one was told,
//       and had no answer, or counted once more and was told a larger one.
import type { Operation } from "./operations.ts";
import type { Violation } from "./violation.ts";

interface Told {
  readonly askUs: number;
  readonly endUs: number;
  readonly number: number;
  readonly party: string;
}

/** A number that may have been given, and that nobody was told. */
interface Unheard {
  readonly askUs: number;
  /** It is smaller. */
  readonly below: number;
}

export function numbersOf(
  operations: readonly Operation[],
  numberOf: (operation: Operation) => number | undefined,
): { readonly told: readonly Told[]; readonly unheard: readonly Unheard[] } {
  const told: Told[] = [];
  const unheard: Unheard[] = [];
  for (const operation of operations) {
    const { party, askUs, endUs = Number.POSITIVE_INFINITY, recountsUs } = operation;
    const number = numberOf(operation);
    const open = { askUs, below: number ?? Number.POSITIVE_INFINITY };
    if (number !== undefined) told.push({ askUs, endUs, number, party });
    else unheard.push(open);
    unheard.push(...recountsUs.map(() => open));
  }
  return { told, unheard };
}

export function checkNumbers(options: {
  readonly numbers: readonly Told[];
  readonly unheard: readonly Unheard[];
  readonly wrong: (kind: Violation["kind"], text: string) => void;
}): void {
  const { unheard, wrong } = options;
  const numbers = options.numbers.toSorted((a, b) => a.number - b.number);
  const asked = numbers.length + unheard.length;
  let latest = { askUs: 0, number: 0, party: "" };
  for (const [index, { number, askUs, endUs, party }] of numbers.entries()) {
    const before = numbers[index - 1];
    if (before?.number === number) {
      wrong("doubled", `${number} was given to ${before.party} and to ${party}`);
    }
    if (number > asked) wrong("doubled", `${party} got ${number}, and only ${asked} have asked`);
    // Somebody who asked after this one had his answer has a smaller number.
    if (endUs < latest.askUs) {
      const text = `${party} had ${number} before ${latest.party} asked and got ${latest.number}`;
      wrong("order", text);
    }
    if (askUs > latest.askUs) latest = { askUs, number, party };
  }
  checkGaps(numbers, unheard, wrong);
}

/**
 * N2. Each missing number takes of those that may be it the one that may be no larger one.
 *
 * @param numbers in their order
 */
function checkGaps(
  numbers: readonly Told[],
  unheard: readonly Unheard[],
  wrong: (kind: Violation["kind"], text: string) => void,
): void {
  const left = unheard.toSorted((a, b) => a.below - b.below);
  const ends = endsOf(numbers);
  let last = 0;
  for (const [index, { number, party }] of numbers.entries()) {
    const untilUs = ends[index] ?? 0;
    for (let missing = last + 1; missing < number; missing += 1) {
      const found = left.findIndex(({ askUs, below }) => missing < below && askUs <= untilUs);
      if (found < 0) {
        wrong("gap", `${party} got ${number}, and nobody got ${missing}`);
        break;
      }
      left.splice(found, 1);
    }
    last = Math.max(last, number);
  }
}

/** Of each when it or a larger one was known to be given. */
function endsOf(numbers: readonly Told[]): readonly number[] {
  let soonestUs = Number.POSITIVE_INFINITY;
  return numbers
    .toReversed()
    .map(({ endUs }) => {
      soonestUs = Math.min(soonestUs, endUs);
      return soonestUs;
    })
    .toReversed();
}
