// SPDX-License-Identifier: MIT
// Many checks of one configuration, of which each may fail: all that is wrong is told at once, and
// nothing that only follows from something else.
import { CommandError } from "../io.ts";

/** @typeParam Name of a setting */
export class Attempts<Name extends string> {
  readonly #errors: CommandError[] = [];
  /** What cannot be relied on: what needs it is not checked. */
  readonly #unsound: Set<Name>;

  /** @param unsound found to be wrong already */
  constructor(unsound: Iterable<Name> = []) {
    this.#unsound = new Set(unsound);
  }

  /** Of settings that all are sound. */
  check(names: readonly Name[], check: () => void): void {
    if (names.some((name) => this.#unsound.has(name))) return;
    this.#attempt(check);
  }

  /** @returns what is read of settings that all are sound; undefined when they, or it, are wrong */
  read<Value>(names: readonly Name[], read: () => Value): Value | undefined {
    if (names.some((name) => this.#unsound.has(name))) return undefined;
    return this.#attempt(read)?.value;
  }

  /** What is read of each text of a list, which is unsound when one of them is wrong. */
  readEach<Value>(
    name: Name,
    texts: readonly string[],
    read: (text: string) => Value,
  ): readonly Value[] {
    if (this.#unsound.has(name)) return [];
    const found = texts.map((text) => this.#attempt(() => read(text)));
    if (found.includes(undefined)) this.#unsound.add(name);
    return found.flatMap((one) => (one === undefined ? [] : [one.value]));
  }

  /** All that was wrong, a line each. */
  get error(): CommandError | undefined {
    const [first, ...rest] = this.#errors;
    if (first === undefined || rest.length === 0) return first;
    return new CommandError(first.exitCode, this.#errors.map(({ message }) => message).join("\n"));
  }

  #attempt<Value>(read: () => Value): { readonly value: Value } | undefined {
    try {
      return { value: read() };
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      this.#errors.push(error);
      return undefined;
    }
  }
}
