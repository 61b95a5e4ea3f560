// SPDX-License-Identifier: MIT
// Matches regular expressions in time proportional to text times expression: all ways through the
// expression go forward together, one character at a time, so that no pattern is exponential.
//   R1. The match that begins first wins; of those the longest, or the shortest when the first
//       repetition of the expression is a short one.
//   R2. Of ways that end at one place the one that the expression prefers gives the groups.

import type { Instruction, RegexpProgram } from "./regexp-parser.ts";

/** Start and end of the match and of each group; -1 for a group that took no part. */
export type RegexpMatch = readonly number[];

interface Thread {
  readonly pc: number;
  readonly slots: readonly number[];
}

/** The first match at or after `from`, or undefined. */
export function matchRegexp(
  program: RegexpProgram,
  text: string,
  from: number,
): RegexpMatch | undefined {
  return new Run(program, text).from(from);
}

class Run {
  readonly #code: readonly Instruction[];
  readonly #program: RegexpProgram;
  readonly #text: string;
  /** Step at which an instruction was reached last: one way through it is enough. */
  readonly #reached: Int32Array;
  #best: number[] | undefined = undefined;

  constructor(program: RegexpProgram, text: string) {
    this.#program = program;
    this.#code = program.code;
    this.#text = text;
    this.#reached = new Int32Array(program.code.length).fill(-1);
  }

  from(start: number): RegexpMatch | undefined {
    const { groups, isShortest } = this.#program;
    const none = new Array<number>(groups * 2 + 2).fill(-1);
    let threads: Thread[] = [];
    for (let at = start; at <= this.#text.length; at += 1) {
      const next: Thread[] = [];
      const here: Thread[] = [];
      this.#reached.fill(-1);
      for (const thread of threads) this.#follow(here, thread, at);
      // A later beginning has no chance against a match that is there.
      if (this.#best === undefined) this.#follow(here, { pc: 0, slots: none }, at);
      else if (here.length === 0) break;
      const ch = this.#text[at] ?? "";
      for (const { pc, slots } of here) {
        const best = this.#best as number[] | undefined;
        const [begin = 0] = slots;
        if (best !== undefined && (begin > (best[0] ?? 0) || (isShortest && begin === best[0]))) {
          continue;
        }
        const instruction = this.#code[pc];
        if (instruction?.op === "char" && ch !== "" && instruction.test(ch)) {
          next.push({ pc: pc + 1, slots });
        }
      }
      threads = next;
    }
    return this.#best;
  }

  /** Adds the places that wait for a character, in order of preference; notes matches. */
  #follow(list: Thread[], first: Thread, at: number): void {
    const stack: Thread[] = [first];
    for (let thread = stack.pop(); thread !== undefined; thread = stack.pop()) {
      const { pc, slots } = thread;
      const instruction = this.#code[pc];
      if (instruction === undefined || this.#reached[pc] === at) continue;
      this.#reached[pc] = at;
      switch (instruction.op) {
        case "char":
          list.push(thread);
          break;
        case "match":
          this.#note(slots);
          break;
        case "jump":
          stack.push({ pc: instruction.to, slots });
          break;
        case "split":
          stack.push({ pc: instruction.second, slots }, { pc: instruction.first, slots });
          break;
        case "save":
          stack.push({ pc: pc + 1, slots: slots.with(instruction.slot, at) });
          break;
        default:
          if (this.#holds(instruction.op, at)) stack.push({ pc: pc + 1, slots });
      }
    }
  }

  /** R1, R2. */
  #note(slots: readonly number[]): void {
    const [begin = 0, end = 0] = slots;
    const [bestBegin = 0, bestEnd = 0] = this.#best ?? [];
    const isBetter =
      this.#best === undefined ||
      begin < bestBegin ||
      (begin === bestBegin && !this.#program.isShortest && end > bestEnd);
    if (isBetter) this.#best = [...slots];
  }

  #holds(op: Exclude<Instruction["op"], "char" | "match">, at: number): boolean {
    const isWord = (index: number): boolean => /^[\p{L}\p{N}_]$/u.test(this.#text[index] ?? "");
    const [before, after] = [isWord(at - 1), isWord(at)];
    switch (op) {
      case "start":
        return at === 0;
      case "end":
        return at === this.#text.length;
      case "wordStart":
        return !before && after;
      case "wordEnd":
        return before && !after;
      case "boundary":
        return before !== after;
      default:
        return before === after;
    }
  }
}
