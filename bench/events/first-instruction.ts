// SPDX-License-Identifier: MIT
// A program that prints what CLOCK_MONOTONIC shows at its first instruction, and does nothing else:
// an ELF file of 200 bytes without libraries, so that what starts late is not the program itself.
import { readFileSync, writeFileSync } from "node:fs";

const base = 0x40_0000;
const headersBytes = 64 + 56;

/** x86-64: `clock_gettime(CLOCK_MONOTONIC, rsp - 16)`, `write(1, rsp - 16, 16)`, `exit(0)`. */
const code = Buffer.from(
  [
    "b8e4000000", // mov eax, 228
    "bf01000000", // mov edi, 1
    "488d7424f0", // lea rsi, [rsp - 16]
    "0f05", // syscall
    "b801000000", // mov eax, 1
    "bf01000000", // mov edi, 1
    "ba10000000", // mov edx, 16
    "0f05", // syscall
    "b83c000000", // mov eax, 60
    "31ff", // xor edi, edi
    "0f05", // syscall
  ].join(""),
  "hex",
);

/** @throws Error on another processor: the benchmark has no program for it. */
export function writeFirstInstruction(path: string): void {
  if (process.arch !== "x64") throw new Error(`there is no first instruction for ${process.arch}`);
  const header = Buffer.alloc(headersBytes);
  header.write("7f454c4602010100", 0, "hex");
  header.writeUInt16LE(2, 16); // executable
  header.writeUInt16LE(0x3e, 18); // x86-64
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(BigInt(base + headersBytes), 24); // where it begins
  header.writeBigUInt64LE(64n, 32); // program headers
  header.writeUInt16LE(64, 52);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(1, 56);
  const bytes = BigInt(headersBytes + code.length);
  header.writeUInt32LE(1, 64); // to load
  header.writeUInt32LE(5, 68); // read and execute
  header.writeBigUInt64LE(BigInt(base), 80);
  header.writeBigUInt64LE(BigInt(base), 88);
  header.writeBigUInt64LE(bytes, 96);
  header.writeBigUInt64LE(bytes, 104);
  header.writeBigUInt64LE(0x1000n, 112);
  writeFileSync(path, Buffer.concat([header, code]), { mode: 0o755 });
}

/** @returns CLOCK_MONOTONIC in microseconds, as the program printed it to this file. */
export function readFirstInstruction(path: string): number {
  return instantOf(readFileSync(path));
}

export function instantOf(printed: Buffer): number {
  if (printed.length !== 16) throw new Error(`a program printed ${printed.length} bytes, not 16`);
  const seconds = Number(printed.readBigInt64LE(0));
  return seconds * 1_000_000 + Math.trunc(Number(printed.readBigInt64LE(8)) / 1_000);
}
