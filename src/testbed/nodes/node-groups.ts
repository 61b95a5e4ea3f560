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
/** Of version 2: what groups there have, and what they pass on to those below them. */
const controllersFile = join(root, "cgroup.controllers");
const passedOnFile = join(root, "cgroup.subtree_control");
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

/** Of groups of version 2, where the machine mounts those. */
export interface GroupsRoot {
  /** What the groups here have of the kernel, and what groups below them have of it. */
  readonly offered: readonly string[];
  readonly passedOn: readonly string[];
  /** Processes are in it, and it is not the machine's own: then it can pass nothing on. */
  readonly isBusy: boolean;
}

/**
 * What nodes have no limit of, a sentence for who starts the run. There is no other that holds: the
 * kernel counts the processes of a user over all nodes and what else the user runs.
 */
export function describeUnbounded(
  groups: Pick<NodeGroups, "bounded"> | undefined,
  asUser: boolean,
  lookAt: () => GroupsRoot | undefined = lookAtRoot,
): readonly string[] {
  const words = { memory: "memory", pids: "processes" } as const;
  const missing = (["memory", "pids"] as const).filter((one) => !groups?.bounded.includes(one));
  if (missing.length === 0) return [];
  const what = missing.map((one) => words[one]).join(" and ");
  const why = asUser
    ? "control groups are for root (sudo muster run FILE)"
    : whyNotMade(missing, lookAt());
  return [`nodes have no limit of ${what}, which one that fills up takes from all: ${why}`];
}

/** Muster does not pass them on itself: that would be a change of the machine which stays. */
function whyNotMade(missing: readonly Controller[], seen: GroupsRoot | undefined): string {
  const lacking = missing.filter((one) => !seen?.passedOn.includes(one));
  if (seen === undefined || lacking.length === 0) return "control groups cannot be made here";
  const notOffered = lacking.filter((one) => !seen.offered.includes(one));
  if (notOffered.length > 0) {
    return `the control groups of this machine have no ${notOffered.join(" and ")} (${controllersFile})`;
  }
  const all = lacking.map((one) => `+${one}`).join(" ");
  return seen.isBusy
    ? `${passedOnFile} lacks ${all}, and takes it only when no processes are in ${root} itself`
    : `as root say: echo '${all}' >${passedOnFile}`;
}

function lookAtRoot(): GroupsRoot | undefined {
  const words = (file: string): readonly string[] => readFileSync(file, "utf8").split(/\s+/);
  try {
    // The machine's own group has no type, and may have processes.
    const isOwn = !existsSync(join(root, "cgroup.type"));
    return {
      offered: words(controllersFile),
      passedOn: words(passedOnFile),
      isBusy: !isOwn && words(join(root, "cgroup.procs")).some((pid) => pid !== ""),
    };
  } catch {
    return undefined;
  }
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
        told.push(`${kills} processes of ${node} were killed: ${this.#whatFilled(node)}`);
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

  #whatFilled(node: string): string {
    const run = this.#run.get("memory") ?? "";
    const { nodeMemoryShareMax, runMemoryShareMax } = this.#limits;
    if (isFull(join(run, node))) {
      return (
        "they had filled what a node may have of memory " +
        `(limit nodeMemoryShareMax: ${nodeMemoryShareMax})`
      );
    }
    return isFull(run)
      ? "the nodes together had filled what a run may have of memory " +
          `(limit runMemoryShareMax: ${runMemoryShareMax})`
      : "this machine had no memory left";
  }
}

/** Whether a group itself, and none above or below it, had no memory left of what it may have. */
function isFull(group: string): boolean {
  const old = join(group, "memory.failcnt");
  if (existsSync(old)) return readCount(old, /(\d+)/) > 0;
  return readCount(join(group, "memory.events.local"), /^oom (\d+)/m) > 0;
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
    if (!isOne && lookAtRoot()?.passedOn.includes(controller) !== true) return undefined;
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
