// SPDX-License-Identifier: MIT
// Unpacks the archives of nodes, by tar on the node itself: with its paths and rights, and nowhere
// else. What has been said by tar is kept with the node's logs.
import { readdirSync, realpathSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Archive } from "../../experiment/model.ts";
import { readTail } from "../agents/output-tail.ts";
import type { Present } from "./node-archives.ts";
import type { RunningNode } from "./node-backend.ts";
import { NodesError } from "./nodes-error.ts";

/** Nodes at once. */
const nodesMax = 8;

/** @throws NodesError with what tar says of the first that cannot be unpacked */
export async function unpackArchives(
  work: readonly { readonly node: RunningNode; readonly archives: readonly Archive[] }[],
): Promise<void> {
  const left = [...work];
  const unpackNext = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      for (const archive of next.archives) await unpack(next.node, archive);
    }
  };
  await Promise.all(Array.from({ length: Math.min(nodesMax, work.length) }, unpackNext));
}

async function unpack(node: RunningNode, { directory, file }: Archive): Promise<void> {
  const log = join(node.hostPath.localLogs, "tarfiles.log");
  const argv = ["tar", "-xf", file, "-C", directory];
  const spec = { name: "tar", argv, directory: "", stdout: log, stderr: log };
  const program = await node.spawn(spec);
  const what = `${file} cannot be unpacked in ${directory} of ${node.name}`;
  if ("startError" in program) throw new NodesError(`${what}: ${program.startError}`);
  const { exitCode, signal } = await program.done;
  if (exitCode === 0) return;
  const said = readTail(log, 500).trim().split("\n").at(-1) ?? "";
  throw new NodesError(`${what}: ${said || `tar ended with ${exitCode ?? signal}`}`);
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
