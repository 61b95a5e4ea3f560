// SPDX-License-Identifier: MIT
// Reads files that are still written to, from their beginning, and goes on until what writes them
// is over. Looks at the files at intervals: that needs nothing of the kernel and misses nothing.
import { closeSync, fstatSync, read } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { StringDecoder } from "node:string_decoder";
import { promisify } from "node:util";
import { type Clock, sleep } from "../host/clock.ts";
import { openRegularFile } from "../testbed/nodes/regular-file.ts";
import { followMs, outputPieceBytes } from "./limits.ts";

const readAt = promisify(read);

export interface FollowOptions {
  readonly directory: string;
  /** The files in it to read; asked again each time, because new ones appear. */
  readonly isWanted: (file: string) => boolean;
  /** Whether to wait for more; false reads what is there. */
  readonly follow: boolean;
  /** Nothing is written any more. */
  readonly isOver: () => boolean;
  readonly clock: Clock;
  /** Nobody reads any more. */
  readonly signal: AbortSignal;
  /** Resolves when there is room for more. */
  readonly send: (file: string, text: string) => Promise<void>;
}

interface Place {
  offset: number;
  decoder: StringDecoder;
}

/** @returns how many files were found. */
export async function followOutput(options: FollowOptions): Promise<number> {
  const places = new Map<string, Place>();
  for (;;) {
    // Asked before reading: what was written before the end is read after it.
    const isLast = !options.follow || options.isOver();
    for (const file of await list(options)) await readOn(options, file, places);
    if (isLast || options.signal.aborted) return places.size;
    await sleep(options.clock, followMs);
  }
}

async function list({ directory, isWanted }: FollowOptions): Promise<readonly string[]> {
  const names = await readdir(directory).catch(() => []);
  return names.filter(isWanted).sort();
}

async function readOn(
  { directory, signal, send }: FollowOptions,
  file: string,
  places: Map<string, Place>,
): Promise<void> {
  // Programs write here: a FIFO would hold a thread of this process, and a link leads elsewhere.
  const descriptor = openRegularFile(join(directory, file), "read");
  if (typeof descriptor === "string") return;
  const place = places.get(file) ?? { offset: 0, decoder: new StringDecoder("utf8") };
  places.set(file, place);
  try {
    const { size } = fstatSync(descriptor);
    // A program that was started again writes its output anew.
    if (size < place.offset)
      Object.assign(place, { offset: 0, decoder: new StringDecoder("utf8") });
    const buffer = Buffer.allocUnsafe(outputPieceBytes);
    while (!signal.aborted) {
      const { bytesRead } = await readAt(descriptor, buffer, 0, buffer.length, place.offset);
      if (bytesRead === 0) return;
      place.offset += bytesRead;
      const text = place.decoder.write(buffer.subarray(0, bytesRead));
      if (text !== "") await send(file, text);
    }
  } finally {
    closeSync(descriptor);
  }
}
