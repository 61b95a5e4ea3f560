// SPDX-License-Identifier: MIT
// A picture of the whole machine, and what is in one that was not in another: processes,
// namespaces, mounts, sockets, control groups, temporary directories and files for process ids.
// Other work goes on on the machine meanwhile; only what is provably not the run's is left out.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

export interface MachineProcess {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
  /** With the pid it names a process for ever. */
  readonly startTime: string;
  readonly commandLine: string;
  readonly environment: string;
  readonly namespaces: readonly string[];
}

export interface Machine {
  readonly processes: ReadonlyMap<string, MachineProcess>;
  readonly namespaces: ReadonlySet<string>;
  readonly mounts: ReadonlySet<string>;
  readonly listeners: ReadonlySet<string>;
  readonly files: ReadonlySet<string>;
}

const NAMESPACES = ["mnt", "pid", "user", "uts", "ipc", "net", "cgroup"];
/** Where leftovers of a run would be; cgroup: every group is a directory. */
const DIRECTORIES = ["/tmp", "/var/tmp", "/run", "/dev/shm", "/proj", "/users", "/local"];

export function lookAtMachine(): Machine {
  const processes = lookAtProcesses();
  return {
    processes,
    namespaces: new Set([...processes.values()].flatMap((p) => p.namespaces)),
    mounts: new Set(lines("/proc/self/mountinfo")),
    listeners: new Set(["tcp", "udp", "unix"].flatMap((kind) => listenersOf(kind))),
    files: new Set([
      ...DIRECTORIES.flatMap((directory) => entries(directory, 1)),
      ...entries("/sys/fs/cgroup", 3),
    ]),
  };
}

export function lookAtProcesses(): ReadonlyMap<string, MachineProcess> {
  const processes = new Map<string, MachineProcess>();
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    const seen = lookAtProcess(name);
    if (seen !== undefined) processes.set(`${seen.pid}@${seen.startTime}`, seen);
  }
  return processes;
}

function lookAtProcess(pid: string): MachineProcess | undefined {
  const stat = text(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (stat === "" || fields[0] === "Z") return undefined;
  return {
    pid: Number(pid),
    parent: Number(fields[1]),
    session: Number(fields[3]),
    startTime: fields[19] ?? "",
    commandLine: text(`/proc/${pid}/cmdline`).replaceAll("\0", " "),
    environment: text(`/proc/${pid}/environ`),
    namespaces: NAMESPACES.map((kind) => link(`/proc/${pid}/ns/${kind}`)).filter((n) => n !== ""),
  };
}

/** Local addresses and paths; the numbers of single sockets mean nothing afterwards. */
function listenersOf(kind: string): readonly string[] {
  return lines(`/proc/net/${kind}`)
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .flatMap((words) => {
      if (kind === "unix") return words[7] === undefined ? [] : [`unix ${words[7]}`];
      return kind === "tcp" && words[3] !== "0A" ? [] : [`${kind} ${words[1]}`];
    });
}

/** What a run brought: to be asked while it lives, so that its parts are known by name later. */
export function partsOfRun(before: Machine, now: Machine, runId: string, host: number): string[] {
  const own = new Set<number>([host]);
  // Children can come before their parents in the list: repeat until nothing is added.
  for (let size = 0; size !== own.size; ) {
    size = own.size;
    for (const p of now.processes.values()) {
      if (own.has(p.parent) || p.environment.includes(`MUSTER_RUN=${runId}`)) own.add(p.pid);
    }
  }
  const processes = [...now.processes].filter(([, p]) => own.has(p.pid));
  const namespaces = new Set(processes.flatMap(([, p]) => p.namespaces));
  return [
    ...processes.map(([key]) => `process ${key}`),
    ...[...namespaces].filter((n) => !before.namespaces.has(n)).map((n) => `namespace ${n}`),
  ];
}

/**
 * What the run left.
 *
 * @param parts from `partsOfRun`.
 * @param block second octet of the run's addresses, as text.
 */
export function leftovers(
  before: Machine,
  now: Machine,
  run: { readonly runId: string; readonly parts: readonly string[]; readonly block: string },
): readonly string[] {
  const { runId, parts, block } = run;
  const found: string[] = [];
  const known = new Set(parts);
  for (const [key, p] of now.processes) {
    if (before.processes.has(key)) continue;
    if (known.has(`process ${key}`) || !isForeign(p, before, now, runId)) {
      found.push(`process ${key} ${p.commandLine}`);
    }
  }
  // The kernel gives numbers of namespaces out again: one may by now be that of another run, or of
  // nodes that a test beside this one has made.
  const held = new Set(
    [...now.processes]
      .filter(([key, p]) =>
        before.processes.has(key) ? !isOfAnotherTest(p) : !isForeign(p, before, now, runId),
      )
      .flatMap(([, p]) => p.namespaces),
  );
  for (const name of held) if (known.has(`namespace ${name}`)) found.push(name);
  for (const mount of now.mounts) if (!before.mounts.has(mount)) found.push(`mount ${mount}`);
  // 127.B.x.y is written back to front in hexadecimal. 127.0.x.y is everybody's, and no run's.
  const octet = `${Number(block).toString(16).toUpperCase().padStart(2, "0")}7F:`;
  const isOfBlock = (listener: string): boolean => block !== "0" && listener.includes(octet);
  for (const listener of now.listeners) {
    if (before.listeners.has(listener)) continue;
    if (!isOfBlock(listener) && !listener.includes(runId)) continue;
    if (!isHeldByAnotherTest(listener, now)) found.push(`listener ${listener}`);
  }
  for (const file of now.files) {
    if (!before.files.has(file) && file.includes(runId)) found.push(`file ${file}`);
  }
  return found;
}

/** Not marked, in no new namespace, and of a session or family that was there before the run. */
function isForeign(p: MachineProcess, before: Machine, now: Machine, runId: string): boolean {
  if (p.environment.includes(runId) || p.commandLine.includes(runId)) return false;
  if (isOfAnotherTest(p)) return true;
  const sessions = new Set([...before.processes.values()].map((other) => other.session));
  if (sessions.has(p.session)) return true;
  const byPid = new Map([...now.processes.values()].map((other) => [other.pid, other]));
  const older = new Set([...before.processes.values()].map((other) => other.pid));
  for (let at = byPid.get(p.parent); at !== undefined; at = byPid.get(at.parent)) {
    if (at.pid === 1) break;
    // A process of this very test that was there before: its other children are other tests'.
    if (older.has(at.pid) || isOfAnotherTest(at)) return true;
  }
  return false;
}

function isMarked(p: MachineProcess): boolean {
  return p.environment.includes("MUSTER_RUN=");
}

/**
 * Of another run, or of a test file beside this one: each has a worker, whose number is in the
 * environment of all that it starts. What guards a run has nothing of either but the run's name.
 */
function isOfAnotherTest(p: MachineProcess): boolean {
  if (isMarked(p) || /\bmuster-reaper \w+ /.test(p.commandLine)) return true;
  const worker = /(?:^|\0)VITEST_WORKER_ID=(\d+)/.exec(p.environment)?.[1];
  return worker !== undefined && worker !== process.env["VITEST_WORKER_ID"];
}

/** A block that a run has given back may be another's at once. */
function isHeldByAnotherTest(listener: string, now: Machine): boolean {
  const sockets = socketsOf(listener);
  const owners = [...now.processes.values()].filter(({ pid }) =>
    entries(`/proc/${pid}/fd`, 1).some((path) => sockets.has(link(path))),
  );
  return owners.length > 0 && owners.every(isOfAnotherTest);
}

/** As links in /proc/PID/fd name them; of `tcp` and `udp` alone. */
function socketsOf(listener: string): ReadonlySet<string> {
  const [kind = "", place = ""] = listener.split(" ");
  const rows = lines(`/proc/net/${kind}`).map((line) => line.trim().split(/\s+/));
  return new Set(rows.filter((row) => row[1] === place).map((row) => `socket:[${row[9]}]`));
}

function entries(directory: string, depth: number): readonly string[] {
  try {
    return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
      const path = `${directory}/${entry.name}`;
      return entry.isDirectory() && depth > 1 ? [path, ...entries(path, depth - 1)] : [path];
    });
  } catch {
    return [];
  }
}

function lines(path: string): readonly string[] {
  return text(path)
    .split("\n")
    .filter((line) => line !== "");
}

function text(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
