// SPDX-License-Identifier: MIT
// Process nodes: brings the nodes of an experiment up on this machine and takes them down again.
// This file decides and orders; the parts are addresses, files, namespaces, programs, the reaper.
//   N1. Whatever ends Muster, nothing of the run outlives it: programs, holders, mounts, sockets,
//       temporary directories (the limits of environment mode are in `lost`).
//   N2. No process of Muster per node but the holder, which is a blocked sh.
import { assert } from "../../core/assert.ts";
import { type AddressBlock, claimAddressBlock } from "./address-block.ts";
import { type NodeAddresses, planAddresses } from "./addresses.ts";
import { describeLosses } from "./losses.ts";
import type { BackendOptions, NodeBackend, NodeMode, NodePlan } from "./node-backend.ts";
import {
  createNodeFiles,
  createRunFiles,
  planBootFiles,
  planHosts,
  planNodeDirectories,
  planRunDirectories,
  type RunDirectories,
} from "./node-files.ts";
import { ProcessNode, RunPrograms } from "./process-node.ts";
import { planEnvironment } from "./program-environment.ts";
import { type Reaper, startReaper } from "./reaper.ts";
import { createRunDirectory } from "./run-directory.ts";
import { chooseShell, findProgram, type NodeShell } from "./system-programs.ts";
import { currentUser, hostPaths } from "./views.ts";

/** Time programs have between SIGTERM and SIGKILL. */
const GRACE_MS = 1000;

export class NodesError extends Error {
  override readonly name = "NodesError";
}

/**
 * Brings the nodes up.
 *
 * @throws NodesError with a sentence for the user; nothing is left behind then.
 */
export async function startProcessNodes(options: BackendOptions): Promise<NodeBackend> {
  const block = await claimAddressBlock(options.seed);
  if (typeof block === "string") throw new NodesError(block);
  let reaper: Reaper | undefined;
  try {
    const addresses = planAddresses(block.block, options.nodes);
    if (typeof addresses === "string") throw new NodesError(addresses);
    const temporary = createRunDirectory(options.runId);
    const started = await startReaper(options.runId, temporary);
    if (typeof started === "string") throw new NodesError(started);
    reaper = started;
    return await bringUp({ options, block, addresses, temporary, reaper });
  } catch (error) {
    await reaper?.finish();
    await block.release();
    if (error instanceof NodesError) throw error;
    throw new NodesError(`the nodes cannot be set up: ${String(error)}`, { cause: error });
  }
}

interface Parts {
  readonly options: BackendOptions;
  readonly block: AddressBlock;
  readonly addresses: ReadonlyMap<string, NodeAddresses>;
  readonly temporary: string;
  readonly reaper: Reaper;
}

async function bringUp(parts: Parts): Promise<NodeBackend> {
  const { options, temporary } = parts;
  const mode: NodeMode = "environment";
  const run = planRunDirectories(options.out, temporary);
  createRunFiles(run, options.tools);
  const shell = chooseShell();
  const programs = new RunPrograms(options.clock, parts.reaper);
  const nodes = new Map(
    options.nodes.map((plan) => [
      plan.name,
      createNode(parts, run, plan, { mode, shell, programs }),
    ]),
  );
  const lost = describeLosses(mode, []);
  return new ProcessBackend({ ...parts, mode, nodes, programs, shell: shell.text, lost });
}

function createNode(
  parts: Parts,
  run: RunDirectories,
  plan: NodePlan,
  how: { mode: NodeMode; shell: NodeShell; programs: RunPrograms },
): ProcessNode {
  const { options, addresses } = parts;
  const own = addresses.get(plan.name);
  assert(own !== undefined, "every node of the plan has addresses");
  const directories = planNodeDirectories(options.out, run, plan.name);
  const hosts = planHosts(options, plan, addresses);
  createNodeFiles(directories, planBootFiles(options, how.mode, plan, own), hosts.text);
  return new ProcessNode({
    name: plan.name,
    addresses: own,
    directories,
    environment: planEnvironment({
      ...options,
      ...currentUser(),
      node: plan.name,
      controlAddress: own.control,
      nodeAddress: hosts.nodeAddress,
      paths: hostPaths(options, run, directories),
      callerPath: process.env["PATH"] ?? "",
      userEnvironment: options.environment,
    }),
    shell: how.shell,
    programs: how.programs,
    defaultDirectory: directories.temporary,
    entrance: [findProgram("sh") ?? "sh"],
  });
}

interface BackendParts extends Parts {
  readonly mode: NodeMode;
  readonly nodes: ReadonlyMap<string, ProcessNode>;
  readonly programs: RunPrograms;
  readonly shell: string;
  readonly lost: readonly string[];
}

class ProcessBackend implements NodeBackend {
  readonly mode: NodeMode;
  readonly lost: readonly string[];
  readonly nodes: ReadonlyMap<string, ProcessNode>;
  readonly shell: string;
  readonly #parts: BackendParts;
  #stopped: Promise<void> | undefined;

  constructor(parts: BackendParts) {
    this.mode = parts.mode;
    this.lost = parts.lost;
    this.nodes = parts.nodes;
    this.shell = parts.shell;
    this.#parts = parts;
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    const { programs, reaper, block, options } = this.#parts;
    await programs.close(GRACE_MS);
    if (!(await reaper.finish())) {
      options.onMessage("warning", null, "a program of the run could not be ended");
    }
    await block.release();
  }
}
