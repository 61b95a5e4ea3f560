// SPDX-License-Identifier: MIT
// Unpacks the archives of nodes, by tar on the node itself: with its paths and rights, and nowhere
// else. What has been said by tar is kept with the node's logs.
import { readdirSync, realpathSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Archive } from "../../experiment/model.ts";
import { readTail } from "../agents/output-tail.ts";
import type { Present } from "./node-archives.ts";
import type { NodeProcess, RunningNode } from "./node-backend.ts";
import { NodesError } from "./nodes-error.ts";

/** Nodes at once. */
const nodesMax = 8;

/** $1 archive, $2 directory. Of a FIFO tar would wait for somebody who writes, for ever. */
const script = `
if [ -p "$1" ]; then echo "tar: $1: it is a FIFO, and not a file" >&2; exit 2; fi
exec tar -xf "$1" -C "$2"`;

/**
 * @param interrupt ends it, in the middle of an archive: one may take minutes
 * @throws NodesError with what tar says of the first that cannot be unpacked
 */
export async function unpackArchives(
  work: readonly { readonly node: RunningNode; readonly archives: readonly Archive[] }[],
  interrupt: AbortSignal = new AbortController().signal,
): Promise<void> {
  const left = [...work];
  const running = new Set<NodeProcess>();
  const end = (): void => {
    if (!interrupt.aborted) return;
    for (const program of running) program.signal("SIGKILL", "group");
  };
  const begin = (program: NodeProcess): void => {
    running.add(program);
    void program.done.then(() => running.delete(program));
    end();
  };
  interrupt.addEventListener("abort", end);
  const unpackNext = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      for (const archive of next.archives) await unpack(next.node, archive, begin);
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(nodesMax, work.length) }, unpackNext));
  } finally {
    interrupt.removeEventListener("abort", end);
  }
}

async function unpack(
  node: RunningNode,
  { directory, file }: Archive,
  begin: (program: NodeProcess) => void,
): Promise<void> {
  const log = join(node.hostPath.localLogs, "tarfiles.log");
  const argv = ["sh", "-c", script, "muster-tar", file, directory];
  const spec = { name: "tar", argv, directory: "", stdout: log, stderr: log };
  const program = await node.spawn(spec);
  const what = `${file} cannot be unpacked in ${directory} of ${node.name}`;
  if ("startError" in program) throw new NodesError(`${what}: ${program.startError}`);
  begin(program);
  const { exitCode, signal } = await program.done;
  if (exitCode === 0) return;
  const said = firstReason(readTail(log, tailCharacters));
  throw new NodesError(`${what}: ${said || `tar ended with ${exitCode ?? signal}`}`);
}

const tailCharacters = 2_000;

/**
 * What tar says last is only that something was wrong before, and what it passes over no reason.
 */
export function firstReason(said: string): string {
  const lines = said.trim().split("\n");
  const isReason = (line: string): boolean => !/: Removing leading |xiting /.test(line);
  return lines.find(isReason) ?? lines.at(-1) ?? "";
}

/** What this machine has there. */
export function lookAt(path: string): Present {
  try {
    if (realpathSync(path) !== path) return "linked";
    return statSync(path).isDirectory() && readdirSync(path).length === 0 ? "empty" : "full";
  } catch {
    const parent = dirname(path);
    return parent !== path && lookAt(parent) === "linked" ? "linked" : "missing";
  }
}
