// SPDX-License-Identifier: MIT
// The limits of a core as state: what the log says of them, and by whom. They decide, so whoever
// reads the log must judge by the same, whatever its own process was told (D12, version 5).
//
//   T1. What holds is the defaults and over them what was told, the last of each name. A limit that
//       is told counts for what comes after it: earlier decisions stand, and nothing is taken away
//       that is there.
//   T2. Before limits are state, those of the process decide, as in the builds of that time.
//   T3. What would not fit together is passed over as a whole.
import {
  type CoreLimits,
  complaintOfLimits,
  coreLimitNames,
  defaultCoreLimits,
  type Limits,
} from "./limits.ts";

/** A limit that the log says. */
export interface ToldLimit {
  readonly name: keyof CoreLimits;
  readonly value: number;
  /** Whose entry said it: the edge that a server is, empty where only one server appends. */
  readonly server: string;
}

export class ToldLimits {
  /** What holds now. It stays this object: all parts of the core have it. */
  readonly current: Limits;
  readonly #current: { -readonly [name in keyof Limits]: number };
  #before: Limits;
  #rows: readonly ToldLimit[] = [];
  #isState = false;

  constructor(before: Limits) {
    this.#before = before;
    this.#current = { ...before };
    this.current = this.#current;
  }

  /** T2. By what entries are judged that are before limits are state. */
  get before(): Limits {
    return this.#before;
  }

  /** Whether the log is of a version in which limits are state. */
  get isState(): boolean {
    return this.#isState;
  }

  /** In the order in which names were first told; replaced, not changed. */
  get rows(): readonly ToldLimit[] {
    return this.#rows;
  }

  /**
   * T2. Of entries that are before limits are state: what the log itself says of it, in its own.
   */
  judgeBefore(limits: Partial<CoreLimits>): void {
    this.#before = { ...this.#before, ...defaultCoreLimits, ...known(limits) };
    if (!this.#isState) Object.assign(this.#current, this.#before);
  }

  /** From here on they are state. Does nothing when they are already. */
  begin(limits: Partial<CoreLimits> | undefined, server: string): void {
    if (this.#isState) return;
    this.#isState = true;
    Object.assign(this.#current, defaultCoreLimits);
    this.tell(limits ?? {}, server);
  }

  /** T1, T3. */
  tell(limits: Partial<CoreLimits>, server: string): void {
    if (!this.#isState) return;
    const news = known(limits);
    if (complaintOfLimits({ ...this.#current, ...news }) !== undefined) return;
    Object.assign(this.#current, news);
    const rows = new Map(this.#rows.map((row) => [row.name, row]));
    for (const name of coreLimitNames) {
      const value = news[name];
      if (value !== undefined) rows.set(name, { name, value, server });
    }
    this.#rows = [...rows.values()];
  }

  /** For a snapshot. */
  capture(): { readonly limits?: readonly ToldLimit[] } {
    return this.#isState ? { limits: this.#rows } : {};
  }

  /** As of a snapshot. @param rows undefined when they were no state yet */
  restore(rows: readonly ToldLimit[] | undefined): void {
    this.clear();
    if (rows === undefined) return;
    this.#isState = true;
    this.#rows = rows;
    Object.assign(this.#current, defaultCoreLimits);
    for (const { name, value } of rows) this.#current[name] = value;
  }

  clear(): void {
    this.#isState = false;
    this.#rows = [];
    Object.assign(this.#current, this.#before);
  }
}

/** Those of them that decide in the core. */
function known(limits: Partial<CoreLimits>): Partial<CoreLimits> {
  const found: { -readonly [name in keyof CoreLimits]?: number } = {};
  for (const name of coreLimitNames) {
    const value = limits[name];
    if (value !== undefined) found[name] = value;
  }
  return found;
}
