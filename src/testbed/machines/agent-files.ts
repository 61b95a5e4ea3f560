// SPDX-License-Identifier: MIT
// What the nodes of a host leave, sent back file by file: what is below `nodes/` and `proj/` of the
// agent's directory. Programs may have put anything there: only regular files are opened, and
// nothing is followed.
import { closeSync, fstatSync, readSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { nodeLinkLimits, partsOfResult, pieceBytes } from "../../wire/node-link/index.ts";
import { runDirectoryFile } from "../nodes/node-files.ts";
import { openRegularFile } from "../nodes/regular-file.ts";
import type { NodeLink } from "./node-link.ts";

/** @returns what was left there, one sentence each. */
export async function sendFiles(link: NodeLink, out: string): Promise<readonly string[]> {
  const left: string[] = [];
  let [files, bytes] = [0, 0];
  for await (const path of filesBelow(out)) {
    if (path === `proj/${runDirectoryFile}`) continue;
    if (partsOfResult(path) === undefined) {
      left.push(`${path} was not brought back: its name is too long`);
      continue;
    }
    files += 1;
    if (files > nodeLinkLimits.filesMax || bytes > nodeLinkLimits.filesBytesMax) {
      left.push(
        `not all files were brought back: more than ${nodeLinkLimits.filesMax} files (filesMax) or ` +
          `${nodeLinkLimits.filesBytesMax} bytes (filesBytesMax)`,
      );
      break;
    }
    bytes += await sendFile(link, out, path);
    if (link.ended) break;
  }
  return left;
}

/** In the order of their names; links and devices are left out. */
async function* filesBelow(out: string, below = ""): AsyncGenerator<string> {
  const entries = await readdir(join(out, below), { withFileTypes: true }).catch(() => []);
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) yield* filesBelow(out, path);
    else if (entry.isFile()) yield path;
  }
}

/** @returns its bytes */
async function sendFile(link: NodeLink, out: string, path: string): Promise<number> {
  const descriptor = openRegularFile(join(out, path), "read");
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
