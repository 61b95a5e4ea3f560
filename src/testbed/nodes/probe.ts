// SPDX-License-Identifier: MIT
// What nodes on this machine would be, without a run: the real thing, once, with one scratch node.
// A run does not ask here first: it tries its own namespaces and falls back, which cannot be wrong.
import { join } from "node:path";
import { errorText } from "../../core/text.ts";
import type { Clock } from "../../host/clock.ts";
import { newRunId } from "../../host/ids.ts";
import { describeLosses, type NodeSituation } from "./losses.ts";
import { type Namespaces, type NoNamespaces, startNamespaces } from "./namespaces.ts";
import type { NodeMode } from "./node-backend.ts";
import {
  createNodeFiles,
  createRunFiles,
  planNodeDirectories,
  planRunDirectories,
} from "./node-files.ts";
import { unseenDirectories } from "./node-view.ts";
import { startReaper } from "./reaper.ts";
import { isMountedOver, resolverPath } from "./resolver-file.ts";
import { createRunDirectory } from "./run-directory.ts";
import { chooseShell } from "./system-programs.ts";

export interface NodesProbe {
  readonly mode: NodeMode;
  /** Why not namespaces, one sentence for each way that was tried. */
  readonly reasons: readonly string[];
  readonly lost: readonly string[];
  /** As in `NodeBackend`. */
  readonly shell: string;
}

/** Tries. What goes wrong is a reason, never an exception. */
export async function probeNodes(clock: Clock): Promise<NodesProbe> {
  const result = await tryScratchNode(clock);
  const situation: NodeSituation =
    "entrances" in result
      ? { kind: "namespace", asUser: result.asUser }
      : { kind: "environment", reasons: result.reasons };
  return {
    mode: situation.kind,
    reasons: situation.kind === "environment" ? situation.reasons : [],
    lost: describeLosses(situation),
    shell: chooseShell().text,
  };
}

async function tryScratchNode(clock: Clock): Promise<Namespaces | NoNamespaces> {
  const runId = newRunId();
  try {
    const temporary = createRunDirectory(runId);
    const reaper = await startReaper(runId, temporary, clock);
    if (typeof reaper === "string") return { reasons: [reaper] };
    try {
      const out = join(temporary, "out");
      const run = planRunDirectories(out, temporary);
      const directories = planNodeDirectories(out, run, "probe");
      createRunFiles(run, {});
      const hosts = "127.0.0.1\tlocalhost\n";
      const result = await startNamespaces({
        runId,
        clock,
        temporary,
        view: {
          ...{ pid: "probe", eid: "probe", user: "probe", out, run, home: run.home },
          projectFiles: undefined,
          needed: [],
          hasResolver: isMountedOver(resolverPath, unseenDirectories),
        },
        nodes: [{ name: "probe", hostName: "probe", directories }],
        writeFiles: () => createNodeFiles(directories, { hosts, resolver: "", boot: {} }),
      });
      if ("entrances" in result) await result.stop();
      return result;
    } finally {
      await reaper.finish();
    }
  } catch (error) {
    return { reasons: [errorText(error)] };
  }
}
