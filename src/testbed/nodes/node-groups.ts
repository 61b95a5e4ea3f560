// SPDX-License-Identifier: MIT
// Control groups of the nodes of a run, where this machine lets us make some (version 1 or 2): what
// a node may have of memory and processes, so that one that fills either harms itself alone.
//
//   G1. A program is in its node's groups before it runs.
//   G2. The groups go with the run, also when Muster is killed: the reaper removes them by name.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { totalmem } from "node:os";
import { join } from "node:path";

/** What a run, and one node of it, may have; the machine keeps the rest. */
export interface NodeGroupLimits {
  /** Parts of the machine's memory. */
  readonly runMemoryShareMax: number;
  readonly nodeMemoryShareMax: number;
  /** Part of the numbers that the kernel has for processes. */
  readonly runProcessShareMax: number;
  readonly nodeProcessesMax: number;
}

export const nodeGroupLimits: NodeGroupLimits = {
  runMemoryShareMax: 0.8,
  nodeMemoryShareMax: 0.5,
  runProcessShareMax: 0.75,
  nodeProcessesMax: 4_096,
};

/** Where control groups are mounted; the reaper knows the same place. */
const root = "/sys/fs/cgroup";
type Controller = "memory" | "pids";

export interface NodeGroups {
  readonly bounded: readonly Controller[];
  /** Directories of the node's groups, for who joins by itself. */
  of(node: string): readonly string[];
  /** G1. */
  join(node: string, pid: number): void;
  /** Nodes that met a limit, a sentence each. */
  describeMet(): readonly string[];
}

/** @returns undefined where none can be made: to an ordinary user, and in many containers. */
export function createNodeGroups(
  runId: string,
  nodes: readonly string[],
  limits: NodeGroupLimits,
): NodeGroups | undefined {
  const made = new Map<Controller, string>();
  for (const controller of ["memory", "pids"] as const) {
    const path = makeRunGroup(controller, runId, limits);
    if (path !== undefined) made.set(controller, path);
  }
  if (made.size === 0) return undefined;
  const groups = new Groups(made, limits);
  for (const node of nodes) groups.add(node);
  return groups;
}

/**
 * What nodes have no limit of, a sentence for who starts the run. There is no other that holds: the
 * kernel counts the processes of a user over all nodes and what else the user runs.
 */
export function describeUnbounded(
  groups: Pick<NodeGroups, "bounded"> | undefined,
  asUser: boolean,
): readonly string[] {
  const words = { memory: "memory", pids: "processes" } as const;
  const missing = (["memory", "pids"] as const).filter((one) => !groups?.bounded.includes(one));
  if (missing.length === 0) return [];
  const what = missing.map((one) => words[one]).join(" and ");
  const why = asUser
    ? "control groups are for root (sudo muster run FILE)"
    : "control groups cannot be made here";
  return [`nodes have no limit of ${what}, which one that fills up takes from all: ${why}`];
}

class Groups implements NodeGroups {
  readonly #run: ReadonlyMap<Controller, string>;
  readonly #limits: NodeGroupLimits;
  readonly #nodes = new Set<string>();

  constructor(run: ReadonlyMap<Controller, string>, limits: NodeGroupLimits) {
    this.#run = run;
    this.#limits = limits;
  }

  get bounded(): readonly Controller[] {
    return [...this.#run.keys()];
  }

  add(node: string): void {
    this.#nodes.add(node);
    for (const [controller, run] of this.#run) {
      const path = join(run, node);
      try {
        mkdirSync(path, { recursive: true });
        writeFileSync(
          join(path, fileOf(controller, path)),
          limitOf(controller, "node", this.#limits),
        );
      } catch {
        // The group of the run holds, which is what the machine needs.
      }
    }
  }

  of(node: string): readonly string[] {
    if (!this.#nodes.has(node)) this.add(node);
    // Version 2 has one directory for both.
    return [...new Set([...this.#run.values()].map((run) => join(run, node)))];
  }

  join(node: string, pid: number): void {
    for (const path of this.of(node)) {
      try {
        writeFileSync(join(path, "cgroup.procs"), String(pid));
      } catch {
        // It has ended.
      }
    }
  }

  describeMet(): readonly string[] {
    return [...this.#nodes].flatMap((node) => {
      const told: string[] = [];
      const memory = this.#run.get("memory");
      const pids = this.#run.get("pids");
      const kills = memory === undefined ? 0 : countKills(join(memory, node));
      const refused =
        pids === undefined ? 0 : readCount(join(pids, node, "pids.events"), /^max (\d+)/m);
      if (kills > 0) {
        told.push(
          `${kills} processes of ${node} were killed: they had filled what a node may have of ` +
            `memory (limit nodeMemoryShareMax: ${this.#limits.nodeMemoryShareMax})`,
        );
      }
      if (refused > 0) {
        told.push(
          `${node} could not start ${refused} processes: it had as many as a node may have ` +
            `(limit nodeProcessesMax: ${this.#limits.nodeProcessesMax})`,
        );
      }
      return told;
    });
  }
}

/** Version 1 has a hierarchy for each controller, version 2 one for all that are enabled. */
function makeRunGroup(
  controller: Controller,
  runId: string,
  limits: NodeGroupLimits,
): string | undefined {
  const own = join(root, controller);
  const isOne = existsSync(join(own, "cgroup.procs"));
  const path = join(isOne ? own : root, `muster-${runId}`);
  try {
    if (
      !isOne &&
      !readFileSync(join(root, "cgroup.subtree_control"), "utf8").includes(controller)
    ) {
      return undefined;
    }
    mkdirSync(path, { recursive: true });
    if (!isOne) writeFileSync(join(path, "cgroup.subtree_control"), `+${controller}`);
    writeFileSync(join(path, fileOf(controller, path)), limitOf(controller, "run", limits));
    return path;
  } catch {
    return undefined; // G2: what there is of it is removed with the run.
  }
}

function fileOf(controller: Controller, path: string): string {
  if (controller === "pids") return "pids.max";
  const old = "memory.limit_in_bytes";
  return existsSync(join(path, old)) ? old : "memory.max";
}

function limitOf(controller: Controller, who: "run" | "node", limits: NodeGroupLimits): string {
  if (controller === "memory") {
    const share = who === "run" ? limits.runMemoryShareMax : limits.nodeMemoryShareMax;
    return String(Math.trunc(totalmem() * share));
  }
  if (who === "node") return String(limits.nodeProcessesMax);
  const numbers = readCount("/proc/sys/kernel/pid_max", /(\d+)/);
  return String(Math.trunc(numbers * limits.runProcessShareMax));
}

function countKills(path: string): number {
  const old = join(path, "memory.oom_control");
  return readCount(existsSync(old) ? old : join(path, "memory.events"), /^oom_kill (\d+)/m);
}

function readCount(file: string, pattern: RegExp): number {
  try {
    return Number(pattern.exec(readFileSync(file, "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
