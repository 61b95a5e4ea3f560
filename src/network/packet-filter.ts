// SPDX-License-Identifier: MIT
// Which packets a filter lets pass that was compiled for the packet filter of BSD, as tcpdump and
// libpcap compile expressions: reads a program, and runs it on frames. Pure.
// https://www.tcpdump.org/papers/bpf-usenix93.pdf
//
//   F1. A program that was read ends: it jumps forwards only, and its last instruction returns.
//   F2. A packet that is shorter than what is asked of it does not pass.

/** Operation, where to go on when it holds and when not, operand. */
export type FilterInstruction = readonly [code: number, ifTrue: number, ifFalse: number, k: number];

/** As many as the kernels that have such a machine take. */
const instructionsMax = 4_096;
const cells = 16;

/** What is not a whole number of 32 bits, an instruction, or the end of a program. */
export type FilterProblem = { readonly problem: string };

/** @param text how many instructions, then one a line: four decimal numbers (`tcpdump -ddd`) */
export function parseFilterProgram(text: string): readonly FilterInstruction[] | FilterProblem {
  const [count = "", ...lines] = text.trim().split("\n");
  if (Number(count) !== lines.length || lines.length === 0 || lines.length > instructionsMax) {
    return { problem: `a program of ${count} instructions has ${lines.length} lines` };
  }
  const program: FilterInstruction[] = [];
  for (const [at, line] of lines.entries()) {
    const [code = -1, ifTrue = -1, ifFalse = -1, k = -1] = line.split(" ").map(Number);
    const instruction = [code, ifTrue, ifFalse, k] as const;
    const isWord = instruction.every((value) => Number.isInteger(value) && value >= 0);
    if (!isWord || k >= 2 ** 32 || !isKnown(instruction, lines.length - at - 1)) {
      return { problem: `instruction ${at + 1} (${line.slice(0, 60)}) is none` };
    }
    program.push(instruction);
  }
  return program;
}

/** F1. @param behind how many instructions follow */
function isKnown([code, ifTrue, ifFalse, k]: FilterInstruction, behind: number): boolean {
  const [group, mode] = [code & 7, code & 0xe0];
  switch (group) {
    case 0:
      return behind > 0 && loads.has(code) && (mode !== 0x60 || k < cells);
    case 1:
      return behind > 0 && indexLoads.has(code) && (mode !== 0x60 || k < cells);
    case 2:
    case 3:
      return behind > 0 && code === group && k < cells;
    case 4:
      return behind > 0 && (code & 0xf0) <= 0xa0 && code <= 0xac;
    case 5:
      if (code === 0x05) return k < behind;
      return code >= 0x15 && code <= 0x4d && ifTrue < behind && ifFalse < behind;
    case 6:
      return code === 0x06 || code === 0x16;
    default:
      return behind > 0 && (code === 0x07 || code === 0x87);
  }
}

/** Absolute, from X on, immediate, of memory, length. */
const loads: ReadonlySet<number> = new Set([
  ...[0x20, 0x28, 0x30, 0x40, 0x48, 0x50],
  ...[0x00, 0x60, 0x80],
]);
/** Immediate, of memory, length, and four times the low half of a byte: a header's length. */
const indexLoads: ReadonlySet<number> = new Set([0x01, 0x61, 0x81, 0xb1]);

export class PacketFilter {
  readonly #program: readonly FilterInstruction[];
  readonly #memory = new Uint32Array(cells);

  /** @param program that was read */
  constructor(program: readonly FilterInstruction[]) {
    this.#program = program;
  }

  /** @param from where in the bytes the frame begins */
  accepts(bytes: Uint8Array, from: number): boolean {
    const memory = this.#memory.fill(0);
    const length = bytes.length - from;
    let [a, x] = [0, 0];
    for (let at = 0; ; at += 1) {
      const [code, ifTrue, ifFalse, k] = this.#program[at] ?? end;
      switch (code & 7) {
        case 0: {
          const loaded = load(code, { bytes, from, length, k, x, memory });
          if (loaded < 0) return false;
          a = loaded;
          break;
        }
        case 1: {
          const loaded = load(code, { bytes, from, length, k, x: 0, memory });
          if (loaded < 0) return false;
          x = loaded;
          break;
        }
        case 2:
          memory[k] = a;
          break;
        case 3:
          memory[k] = x;
          break;
        case 4: {
          const operand = (code & 8) === 0 ? k : x;
          if (operand === 0 && isDivision(code)) return false;
          a = compute(code, a, operand);
          break;
        }
        case 5:
          if (code === 0x05) at += k;
          else at += holds(code, a, (code & 8) === 0 ? k : x) ? ifTrue : ifFalse;
          break;
        case 6:
          return (code === 0x16 ? a : k) !== 0;
        default:
          if (code === 0x07) x = a;
          else a = x;
      }
    }
  }
}

const end: FilterInstruction = [0x06, 0, 0, 0];
const isDivision = (code: number): boolean => (code & 0xf0) === 0x30 || (code & 0xf0) === 0x90;

interface Loading {
  readonly bytes: Uint8Array;
  readonly from: number;
  readonly length: number;
  readonly k: number;
  readonly x: number;
  readonly memory: Uint32Array;
}

/** @returns -1 beyond the packet (F2) */
function load(code: number, { bytes, from, length, k, x, memory }: Loading): number {
  const mode = code & 0xe0;
  if (mode === 0) return k;
  if (mode === 0x60) return memory[k] ?? 0;
  if (mode === 0x80) return length;
  const size = (code & 0x18) === 0 ? 4 : (code & 0x18) === 0x08 ? 2 : 1;
  const at = mode === 0x40 ? k + x : k;
  if (at + size > length) return -1;
  let value = 0;
  for (let index = 0; index < size; index += 1) {
    value = value * 256 + (bytes[from + at + index] ?? 0);
  }
  return mode === 0xa0 ? 4 * (value & 15) : value;
}

/** Of 32 bits without a sign. */
function compute(code: number, a: number, operand: number): number {
  switch (code & 0xf0) {
    case 0x00:
      return (a + operand) >>> 0;
    case 0x10:
      return (a - operand) >>> 0;
    case 0x20:
      return Math.imul(a, operand) >>> 0;
    case 0x30:
      return Math.floor(a / operand);
    case 0x40:
      return (a | operand) >>> 0;
    case 0x50:
      return (a & operand) >>> 0;
    case 0x60:
      return operand > 31 ? 0 : (a << operand) >>> 0;
    case 0x70:
      return operand > 31 ? 0 : a >>> operand;
    case 0x80:
      return -a >>> 0;
    case 0x90:
      return a % operand;
    default:
      return (a ^ operand) >>> 0;
  }
}

function holds(code: number, a: number, operand: number): boolean {
  switch (code & 0xf0) {
    case 0x10:
      return a === operand;
    case 0x20:
      return a > operand;
    case 0x30:
      return a >= operand;
    default:
      return (a & operand) !== 0;
  }
}
