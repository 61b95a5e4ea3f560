// SPDX-License-Identifier: MIT
// `loghole validate`: whether the copies of logs hold what the nodes hold, byte for byte.
import { closeSync, readSync } from "node:fs";
import { readlink } from "node:fs/promises";
import { join } from "node:path";
import { openRegularFile } from "../nodes/regular-file.ts";
import { copiedLogs, type ExperimentLogs, originalLogs } from "./experiment-logs.ts";
import { existingDirectory, type LogEntry, readLogTree } from "./log-tree.ts";

export interface ValidateReport {
  /** Files and links that are as on their nodes. */
  readonly same: number;
  /** Sentences, one for each that is not. */
  readonly problems: readonly string[];
}

/** Never rejects. */
export async function validateLogs(
  logs: ExperimentLogs,
  nodes: readonly string[],
): Promise<ValidateReport> {
  let same = 0;
  const problems: string[] = [];
  for (const node of nodes) {
    const original = await originalLogs(logs, node);
    const copy = await copiedLogs(logs, node);
    const tree = await readLogTree(original);
    problems.push(...tree.problems);
    for (const entry of tree.entries) {
      const problem = await compare(original ?? "", copy, entry);
      if (problem === undefined) same += 1;
      else problems.push(`${node}: ${entry.path}: ${problem}`);
    }
  }
  return { same, problems };
}

const noCopy = "there is no copy; run loghole sync";

/** What is wrong with the copy, as the end of a sentence; undefined when nothing is. */
async function compare(
  from: string,
  to: string | undefined,
  entry: LogEntry,
): Promise<string | undefined> {
  const parts = entry.path.split("/");
  const folder = to === undefined ? to : await existingDirectory(to, parts.slice(0, -1));
  if (folder === undefined) return noCopy;
  const original = join(from, entry.path);
  const copy = join(folder, parts.at(-1) ?? "");
  if (entry.kind === "file") return compareFiles(original, copy);
  const [leadsTo, copyLeadsTo] = await Promise.all(
    [original, copy].map((path) => readlink(path).catch(() => undefined)),
  );
  if (copyLeadsTo === undefined) return noCopy;
  return leadsTo === copyLeadsTo ? undefined : `the copy leads to ${copyLeadsTo}`;
}

const pieceBytes = 64 * 1024;

function compareFiles(original: string, copy: string): string | undefined {
  const first = openRegularFile(original, "read");
  if (typeof first === "string") return `it cannot be read: ${first}`;
  const second = openRegularFile(copy, "read");
  try {
    if (typeof second === "string") {
      return second.includes("ENOENT") ? noCopy : `the copy cannot be read: ${second}`;
    }
    return compareBytes(first, second);
  } finally {
    closeSync(first);
    if (typeof second === "number") closeSync(second);
  }
}

function compareBytes(original: number, copy: number): string | undefined {
  const buffers = [Buffer.allocUnsafe(pieceBytes), Buffer.allocUnsafe(pieceBytes)] as const;
  for (;;) {
    const [piece, copied] = [readPiece(original, buffers[0]), readPiece(copy, buffers[1])];
    const common = Math.min(piece.length, copied.length);
    if (!piece.subarray(0, common).equals(copied.subarray(0, common))) {
      return "the copy differs; run loghole sync";
    }
    if (piece.length > common) return "more was written since; run loghole sync";
    if (copied.length > common) return "it is shorter than its copy; run loghole sync";
    if (common < pieceBytes) return undefined;
  }
}

/** As much as there is, up to the size of the buffer. */
function readPiece(descriptor: number, buffer: Buffer): Buffer {
  let length = 0;
  while (length < buffer.length) {
    const bytes = readSync(descriptor, buffer, length, buffer.length - length, null);
    if (bytes === 0) break;
    length += bytes;
  }
  return buffer.subarray(0, length);
}
