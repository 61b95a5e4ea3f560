// SPDX-License-Identifier: MIT
// `loghole archive`: one compressed file of everything in the experiment's `logs`, beside what it
// holds. The archive has its name only when it is complete, and nothing is removed before that.
import { execFile } from "node:child_process";
import { lstat, readdir, rename, rm, rmdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { errorText } from "../../core/text.ts";
import { copyParts, type ExperimentLogs } from "./experiment-logs.ts";
import {
  existingDirectory,
  type HeldDirectory,
  type LogEntry,
  newPartialName,
  partialPrefix,
  readLogTree,
  withDirectories,
} from "./log-tree.ts";

/** Below `logs`; archives do not hold archives. */
const archivesDirectory = "archives";

export interface ArchiveOptions {
  readonly logs: ExperimentLogs;
  /** Of the file, without `.tar.gz`. */
  readonly name: string;
  /** Removes the copies of the nodes' logs that are in the archive. */
  readonly deletes: boolean;
}

export interface ArchiveReport {
  /** Undefined: none was made. */
  readonly path: string | undefined;
  readonly files: number;
  readonly bytes: number;
  /** Sentences. */
  readonly problems: readonly string[];
}

/** Never rejects. */
export async function archiveLogs(options: ArchiveOptions): Promise<ArchiveReport> {
  const { experiment } = options.logs;
  try {
    return await withDirectories(experiment, ["logs"], async (folder) => {
      const names = (await readdir(folder.at)).filter((one) => one !== archivesDirectory).sort();
      if (names.length === 0) return failed("there is nothing to archive; run loghole sync first");
      return await withDirectories(experiment, ["logs", archivesDirectory], (archives) =>
        pack(options, { folder, archives, names }),
      );
    });
  } catch (error) {
    return failed(`no archive is made: ${errorText(error)}`);
  }
}

interface Packing {
  readonly folder: HeldDirectory;
  readonly archives: HeldDirectory;
  readonly names: readonly string[];
}

/** @throws Error */
async function pack(
  { logs, name, deletes }: ArchiveOptions,
  { folder, archives, names }: Packing,
): Promise<ArchiveReport> {
  const file = `${name}.tar.gz`;
  const path = join(archives.path, file);
  if (await exists(join(archives.at, file))) {
    return failed(`${path} exists already; give another name`);
  }
  // Listed before they are packed: what changes meanwhile is not removed.
  const copies = await listCopies(logs);
  const partial = join(archives.at, newPartialName());
  try {
    const what = [`--exclude=${partialPrefix}*`, `--directory=${folder.at}`, "--", ...names];
    await tar(["--create", "--gzip", `--file=${partial}`, ...what]);
    const files = await countEntries(partial);
    const { size } = await stat(partial);
    await rename(partial, join(archives.at, file));
    const problems = deletes ? await removeCopies(logs, copies) : [];
    return { path, files, bytes: size, problems };
  } finally {
    await rm(partial, { force: true }).catch(() => undefined);
  }
}

function failed(problem: string): ArchiveReport {
  return { path: undefined, files: 0, bytes: 0, problems: [problem] };
}

/** Sentences about archives that cannot be read to their end. */
export async function validateArchives(logs: ExperimentLogs): Promise<readonly string[]> {
  const folder = await existingDirectory(logs.experiment, ["logs", archivesDirectory]);
  if (folder === undefined) return [];
  const problems: string[] = [];
  for (const name of (await readdir(folder)).sort()) {
    if (!name.endsWith(".tar.gz")) continue;
    try {
      await countEntries(join(folder, name));
    } catch (error) {
      problems.push(`${join(folder, name)} cannot be read to its end: ${errorText(error)}`);
    }
  }
  return problems;
}

interface CopyTree {
  readonly folder: string;
  readonly entries: readonly LogEntry[];
}

async function listCopies(logs: ExperimentLogs): Promise<readonly CopyTree[]> {
  const trees: CopyTree[] = [];
  for (const node of logs.nodes) {
    const folder = await existingDirectory(logs.experiment, copyParts(node));
    if (folder !== undefined) trees.push({ folder, ...(await readLogTree(folder)) });
  }
  return trees;
}

/** @returns sentences about what could not be removed. */
async function removeCopies(
  logs: ExperimentLogs,
  trees: readonly CopyTree[],
): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const { folder, entries } of trees) {
    for (const { path, stats } of entries) {
      const file = join(folder, path);
      const now = await lstat(file).catch(() => undefined);
      // A sync has replaced it since: that is not in the archive.
      if (now?.ino !== stats.ino || now.mtimeMs !== stats.mtimeMs) continue;
      await rm(file).catch((error: unknown) => {
        problems.push(`${file} is not removed: ${errorText(error)}`);
      });
    }
  }
  for (const node of logs.nodes) await removeEmpty(join(logs.experiment, "logs", node));
  return problems;
}

/** Removes a directory that holds nothing but empty ones. */
async function removeEmpty(folder: string): Promise<void> {
  if ((await lstat(folder).catch(() => undefined))?.isDirectory() !== true) return;
  for (const name of await readdir(folder)) await removeEmpty(join(folder, name));
  await rmdir(folder).catch(() => undefined);
}

/** Files and links in an archive. @throws Error when it is not complete. */
async function countEntries(archive: string): Promise<number> {
  const text = await tar(["--list", "--gzip", "--quoting-style=escape", `--file=${archive}`]);
  return text.split("\n").filter((line) => line !== "" && !line.endsWith("/")).length;
}

/** @returns its standard output. @throws Error with what it says. */
function tar(argv: readonly string[]): Promise<string> {
  const options = { maxBuffer: 256 * 1024 * 1024, env: { ...process.env, LC_ALL: "C" } };
  return new Promise((resolve, reject) => {
    execFile("tar", ["--force-local", ...argv], options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else if (error.code === "ENOENT")
        reject(new Error("there is no tar; install the package tar"));
      else reject(new Error(stderr.trim() === "" ? error.message : stderr.trim()));
    });
  });
}

async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined;
}
