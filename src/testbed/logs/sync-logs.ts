// SPDX-License-Identifier: MIT
// `loghole sync`: copies the logs of nodes into the experiment's directory. A copy is replaced in
// one step and has the time of its original, by which the next sync knows whether to copy it again.
// What is no longer on a node stays in its copy.
import { createReadStream, createWriteStream, type Stats } from "node:fs";
import { lstat, readlink, rename, rm, symlink, utimes } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { errorText } from "../../core/text.ts";
import { openRegularFile } from "../nodes/regular-file.ts";
import { copyParts, type ExperimentLogs, originalLogs } from "./experiment-logs.ts";
import { type LogEntry, newPartialName, readLogTree, withDirectories } from "./log-tree.ts";

export interface SyncReport {
  readonly copied: number;
  readonly unchanged: number;
  readonly bytes: number;
  /** Sentences; empty when every copy is there. */
  readonly problems: readonly string[];
}

export interface SyncOptions {
  readonly logs: ExperimentLogs;
  readonly nodes: readonly string[];
  readonly onCopied?: (node: string, path: string, bytes: number) => void;
}

type CopyResult =
  | { readonly kind: "copied"; readonly bytes: number }
  | { readonly kind: "unchanged" }
  | { readonly kind: "failed"; readonly why: string };

/** Never rejects: what could not be copied is in the report, and the rest is copied. */
export async function syncLogs({ logs, nodes, onCopied }: SyncOptions): Promise<SyncReport> {
  const report = { copied: 0, unchanged: 0, bytes: 0, problems: [] as string[] };
  for (const node of nodes) {
    const original = await originalLogs(logs, node);
    const { entries, problems } = await readLogTree(original);
    report.problems.push(...problems);
    for (const entry of entries) {
      const result = await copyEntry(original ?? "", logs.experiment, copyParts(node), entry);
      switch (result.kind) {
        case "copied":
          report.copied += 1;
          report.bytes += result.bytes;
          onCopied?.(node, entry.path, result.bytes);
          break;
        case "unchanged":
          report.unchanged += 1;
          break;
        case "failed":
          report.problems.push(`${node}: ${entry.path} is not copied: ${result.why}`);
          break;
      }
    }
  }
  return report;
}

async function copyEntry(
  from: string,
  experiment: string,
  copy: readonly string[],
  entry: LogEntry,
): Promise<CopyResult> {
  const parts = [...copy, ...entry.path.split("/")];
  try {
    return await withDirectories(experiment, parts.slice(0, -1), async ({ at }) => {
      const target = join(at, parts.at(-1) ?? "");
      const partial = join(at, newPartialName());
      const original = join(from, entry.path);
      try {
        return await (entry.kind === "link"
          ? copyLink(original, target, partial)
          : copyFile(original, target, partial, entry.stats));
      } finally {
        await rm(partial, { force: true });
      }
    });
  } catch (error) {
    return { kind: "failed", why: errorText(error) };
  }
}

/** @throws Error */
async function copyLink(original: string, target: string, partial: string): Promise<CopyResult> {
  const leadsTo = await readlink(original);
  if (leadsTo === (await readlink(target).catch(() => undefined))) return { kind: "unchanged" };
  await symlink(leadsTo, partial);
  await rename(partial, target);
  return { kind: "copied", bytes: 0 };
}

/** @throws Error */
async function copyFile(
  original: string,
  target: string,
  partial: string,
  stats: Stats,
): Promise<CopyResult> {
  if (await isSame(target, stats)) return { kind: "unchanged" };
  const descriptor = openRegularFile(original, "read");
  if (typeof descriptor === "string") throw new Error(descriptor);
  const output = createWriteStream(partial, { flags: "wx", mode: stats.mode & 0o777 });
  await pipeline(createReadStream("", { fd: descriptor }), output);
  // The time from before: what is written from now on makes the original newer than its copy.
  await utimes(partial, stats.atimeMs / 1000, stats.mtimeMs / 1000);
  await rename(partial, target);
  return { kind: "copied", bytes: output.bytesWritten };
}

/** By size and time, to the millisecond: a finer time does not survive being set. */
async function isSame(target: string, original: Stats): Promise<boolean> {
  const stats = await lstat(target).catch(() => undefined);
  return (
    stats?.isFile() === true &&
    stats.size === original.size &&
    Math.abs(stats.mtimeMs - original.mtimeMs) < 1
  );
}
