// SPDX-License-Identifier: MIT
// Events that are planned carry the command of their program as it was when they were planned. Here
// is which texts said nothing but that, so that a step of a sequence that goes on after a
// modification runs the program as it is now.
import type { Program } from "../../experiment/model.ts";
import { defaultArgs } from "../../experiment/yaml/read-programs.ts";

export class EarlierArgs {
  /** By program; one text for each command that it had. */
  readonly #texts = new Map<string, Set<string>>();

  /** These programs are about to be others. */
  add(programs: readonly Pick<Program, "name" | "command">[]): void {
    for (const program of programs) {
      const text = defaultArgs(program);
      const known = this.#texts.get(program.name);
      if (known === undefined) this.#texts.set(program.name, new Set([text]));
      else known.add(text);
    }
  }

  /** What an event for this program says now. */
  renew(program: Pick<Program, "name" | "command">, args: string): string {
    const isEarlier = args !== "" && this.#texts.get(program.name)?.has(args) === true;
    return isEarlier ? defaultArgs(program) : args;
  }
}
