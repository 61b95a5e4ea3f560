// SPDX-License-Identifier: MIT
// An entry as a log keeps it: JSON, which may be damaged, or be something else.
import { crc32 } from "node:zlib";
import type { Entry } from "../core/command.ts";

/** @returns undefined for what is no entry */
export function parseStoredEntry(text: string): Entry | undefined {
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!(found instanceof Object) || !("batches" in found)) return undefined;
  const { batches } = found;
  const isEntry = Array.isArray(batches) && batches.every(isBatch);
  return isEntry ? (found as unknown as Entry) : undefined;
}

function isBatch(batch: unknown): boolean {
  return batch instanceof Object && "commands" in batch && Array.isArray(batch.commands);
}

/**
 * The checksum of an entry at its place: CRC-32, 0 to 2^32 - 1. What a disk or a program has
 * changed by accident is found by it, of one byte for certain; not what somebody has forged.
 */
export function sumOfEntry(sequence: number, stampUs: number, text: string): number {
  return crc32(text, crc32(`${sequence} ${stampUs} `));
}
