// SPDX-License-Identifier: MIT
// Holds histories against the record of the log: nobody is let go before the entry with the last
// arrival that is needed was stored, and every arrival that was answered is there.
//
//   R1. A command counts from when it was stored first: what is sent again after a failure stands
//       there more than once and counts once. So does what is asked for again with its key.
//   R2. The log that is there at the end is the one that was read. Where it is not, the brokers
//       have lost what they had acknowledged, and what is found beside that may be its consequence.
import { neededOf, type Place, recountsOf } from "./barriers.ts";
import type { Operation } from "./operations.ts";
import { type Violation, violation } from "./violation.ts";

/** [sequence, stampUs, [[edge and life, connection, kind, scope, name, key], ...]] */
export type RecordLine = readonly [
  sequence: number,
  stampUs: number,
  commands: readonly (readonly [string, number, string, string, string, string?])[],
];

/** Two clocks are compared, of which the wall's may be set a little all the time. */
const toleranceUs = 20_000;

const arrivalKinds: ReadonlySet<string> = new Set([
  ...["count-wait", "state-signal", "state-signal-and-wait", "quorum-wait", "roster-arrive"],
  "topic-publish",
]);

export class Record {
  /** By scope and name: when commands that count there were stored first. */
  readonly #stamps = new Map<string, number[]>();
  readonly #known = new Set<string>();
  #sequence = 0;
  #isAgain = false;
  /** Of each entry when it was read first. */
  readonly #entryStamps: number[] = [];
  /** Entries that are others now: the broker has lost what it had delivered. */
  readonly #replaced: number[] = [];
  readonly #violations: Violation[] = [];

  get entries(): number {
    return this.#sequence;
  }

  /** A line of the file; `again` stands where the log was read a second time. */
  take(line: RecordLine | "again"): void {
    if (line === "again") {
      this.#isAgain = true;
      return;
    }
    const [sequence, stampUs, commands] = line;
    if (this.#isAgain) {
      this.#compare(sequence, stampUs);
      return;
    }
    this.#entryStamps[sequence] = stampUs;
    if (sequence !== this.#sequence + 1) {
      const text = `entry ${sequence} stands behind ${this.#sequence}`;
      this.#violations.push(violation("history", "the record", text));
    }
    this.#sequence = sequence;
    for (const [edge, connection, kind, scope, name, key] of commands) {
      if (!arrivalKinds.has(kind)) continue;
      const one = key === undefined ? `${edge} ${connection}` : `key ${scope} ${key}`;
      if (this.#known.has(one)) continue;
      this.#known.add(one);
      const place = `${kindOf(kind)} ${scope} ${name}`;
      const stamps = this.#stamps.get(place);
      if (stamps === undefined) this.#stamps.set(place, [stampUs]);
      else stamps.push(stampUs);
    }
  }

  /**
   * R2. A log may have been cut behind a snapshot meanwhile, so it need not begin with the first.
   */
  #compare(sequence: number, stampUs: number): void {
    const before = this.#entryStamps[sequence];
    if (before !== undefined && before !== stampUs) this.#replaced.push(sequence);
  }

  /** Of places that are met at once: those of a roster are one place of the record. */
  check(places: readonly Place[]): readonly Violation[] {
    const found = [...this.#violations];
    const [first] = this.#replaced;
    if (first !== undefined) {
      const text = `${this.#replaced.length} entries, the first of them ${first}, are others than the brokers had delivered before`;
      found.push(violation("broker", "the log", text));
    }
    const names = new Map<string, Place[]>();
    for (const place of places) {
      // A publication names its topic here, and phases are no part of a name.
      if (place.kind === "roster" || place.arrivals.some(isPublication)) continue;
      const key = keyOf(place);
      names.set(key, [...(names.get(key) ?? []), place]);
    }
    for (const [key, crossings] of names) {
      const stamps = this.#stamps.get(key) ?? [];
      found.push(...checkNumber(crossings, stamps));
      for (const place of crossings) found.push(...checkWaits(place, stamps));
    }
    return found;
  }
}

/** Of all crossings of one name. */
function checkNumber(crossings: readonly Place[], stamps: readonly number[]): readonly Violation[] {
  const { scope = "", name = "" } = crossings[0] ?? {};
  const where = `${scope} ${name}`;
  const arrivals = crossings.flatMap((place) => place.arrivals);
  const answered = arrivals.filter(({ code }) => code === "ok").length;
  const found: Violation[] = [];
  if (stamps.length < answered) {
    const text = `${answered} arrivals were answered, and the log has ${stamps.length}`;
    found.push(violation("before-log", where, text, arrivals));
  }
  if (stamps.length > arrivals.length) {
    const text = `${arrivals.length} have come, and the log has ${stamps.length} arrivals`;
    found.push(violation("doubled", where, text, arrivals));
  }
  return found;
}

/** Crossings of one name need as many each. */
function checkWaits(place: Place, stamps: readonly number[]): readonly Violation[] {
  const found: Violation[] = [];
  for (const wait of place.waits) {
    // The log has one who counted once more as one: the key is the same.
    const unseen = recountsOf(place).length;
    const needed = (neededOf(place, wait) ?? 0) * place.crossing - unseen;
    const stamp = stamps[needed - 1];
    if (wait.code !== "ok" || stamp === undefined) continue;
    const earlyUs = stamp - wait.endWallUs;
    if (earlyUs <= toleranceUs) continue;
    const text = `${wait.party} was let go ${earlyUs} us before the log had the last arrival`;
    const where = `${place.scope} ${place.name}`;
    found.push(violation("before-log", where, text, [wait, { stamps }]));
  }
  return found;
}

function keyOf({ kind, scope, name }: Place): string {
  return `${kind} ${scope} ${name}`;
}

function isPublication({ asked }: Operation): boolean {
  return asked.kind === "publish-wait";
}

function kindOf(command: string): string {
  return command.slice(0, command.indexOf("-"));
}
