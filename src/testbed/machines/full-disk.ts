// SPDX-License-Identifier: MIT
// Whether programs of a host can have lost what they wrote: they are told by the system and may not
// care, and what they did not write is not there to be missed.
import { rmSync, statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** More than what a file system may put beside the name of a file. */
const probeBytes = 65_536;
const causes: ReadonlyMap<string, string> = new Map([
  ["ENOSPC", "its disk is full"],
  ["EDQUOT", "its disk quota is used up"],
]);

/** @returns a sentence when nothing more can be written there. */
export function describeFullDisk(
  directory: string,
  write: (path: string, bytes: Uint8Array) => void = writeFileSync,
): string | undefined {
  const path = join(directory, ".muster-room");
  try {
    write(path, Buffer.alloc(probeBytes));
    return undefined;
  } catch (error) {
    const cause = causes.get(error instanceof Error && "code" in error ? String(error.code) : "");
    if (cause === undefined) return undefined;
    return `${cause} (${describeRoom(directory)}): what programs wrote there may not be whole`;
  } finally {
    rmSync(path, { force: true });
  }
}

function describeRoom(directory: string): string {
  const { bavail, blocks, bsize } = statfsSync(directory);
  const mib = (count: number): number => Math.trunc((count * bsize) / 2 ** 20);
  return `${directory}: ${mib(bavail)} of ${mib(blocks)} MiB are free`;
}
