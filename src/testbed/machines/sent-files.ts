// SPDX-License-Identifier: MIT
// Files as they go over a link to a host or back: which there are below a directory, and one of
// them sent. Only regular files are opened, and nothing is followed.
import { closeSync, fstatSync, readSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { pieceBytes } from "../../wire/node-link/index.ts";
import { openRegularFile } from "../nodes/regular-file.ts";
import type { NodeLink } from "./node-link.ts";

/**
 * Paths below a directory in the order of their names; links and devices are left out.
 * @param wanted whether an entry of this name is, with all that is below it
 */
export async function* filesBelow(
  directory: string,
  wanted: (name: string) => boolean = () => true,
  below = "",
): AsyncGenerator<string> {
  const entries = await readdir(join(directory, below), { withFileTypes: true }).catch(() => []);
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (!wanted(entry.name)) continue;
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) yield* filesBelow(directory, wanted, path);
    else if (entry.isFile()) yield path;
  }
}

/** @returns its bytes */
export async function sendFile(link: NodeLink, directory: string, path: string): Promise<number> {
  const descriptor = openRegularFile(join(directory, path), "read");
  if (typeof descriptor === "string") return 0;
  const stream = link.newStream();
  let at = 0;
  try {
    const { size, mode } = fstatSync(descriptor);
    link.send({ kind: "file", stream, path, mode: mode & 0o777 });
    const buffer = Buffer.alloc(pieceBytes);
    // What is still being written is sent as far as it was when it was looked at.
    while (at < size && !link.ended) {
      const count = readSync(descriptor, buffer, 0, Math.min(pieceBytes, size - at), at);
      if (count === 0) break;
      at += count;
      if (!link.sendData(stream, Buffer.from(buffer.subarray(0, count)))) await link.whenDrained();
    }
    return at;
  } finally {
    closeSync(descriptor);
    link.send({ kind: "finish", stream });
  }
}
