// SPDX-License-Identifier: MIT
// Brings up the namespaces of a run: one keeper for the run and one holder per node, all of them
// blocked shells. Two ways are tried: as root, and as root of a user namespace of our own.
import { type ChildProcess, spawn } from "node:child_process";
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import type { Clock } from "../../host/clock.ts";
import {
  describeFailure,
  type FailedProgram,
  isPassingFailure,
} from "../../network/passing-failure.ts";
import { formatHolderTables, HOLDERS, holdersCommand } from "./holders-script.ts";
import { endHolder, keepNetwork, type LateHolder, startLateHolder } from "./late-holder.ts";

import {
  formatMountTable,
  type HostEntry,
  type HostListing,
  type MountLine,
} from "./mount-plan.ts";
import type { NodeDirectories } from "./node-files.ts";
import {
  archiveDirectory,
  keptEntries,
  listingNeeded,
  planNodeTable,
  planTemplate,
  type ViewInput,
} from "./node-view.ts";
import { NodesError } from "./nodes-error.ts";
import { formatRootScript, HOLDER, KEEPER } from "./scripts.ts";
import { describeSystemError, findProgram, STANDARD_PATH } from "./system-programs.ts";
import { within } from "./within.ts";

/** A node that has said nothing after this long is not coming; plus a share for each node. */
const START_LIMIT_MS = 20_000;
const START_LIMIT_MS_PER_NODE = 50;
/** How long the kernel may take to end the processes of the run. */
const STOP_LIMIT_MS = 5_000;

/** A node as its holder has to know it. */
export interface HeldNode {
  readonly name: string;
  readonly hostName: string;
  readonly directories: NodeDirectories;
  /** It has a network of its own, and forwards what is not for it. */
  readonly network?: { readonly forwards: boolean } | undefined;
  /** Directories that it has for itself. */
  readonly archives?: readonly string[];
}

export interface NamespacesInput {
  readonly runId: string;
  readonly clock: Clock;
  /** Temporary directory of the run; the root is mounted on a directory in it. */
  readonly temporary: string;
  readonly view: ViewInput;
  readonly nodes: readonly HeldNode[];
  /** Nodes, and what lies between them, have networks of their own. */
  readonly hasNetwork?: boolean;
  /**
   * Writes what nodes mount of their directories, once, while their name spaces are being made: of
   * 200 nodes either takes as long. @throws Error of the file system
   */
  readonly writeFiles: () => void;
  /** `shell`: by the shell, as where there is no perl. */
  readonly holders?: "shell";
}

export interface Namespaces {
  /** What runs a shell inside the node, by node name. */
  readonly entrances: ReadonlyMap<string, readonly string[]>;
  /** Pid 1 of each node as this machine counts processes, by node name. */
  readonly holders: ReadonlyMap<string, number>;
  /** Pid 1 of the run, likewise; it has the run's own network, where there is one. */
  readonly keeper: number;
  /** Nodes are root of a user namespace, because the user is not root of this machine. */
  readonly asUser: boolean;
  /** What did not work and does not matter much, as the system's programs put it. */
  readonly warnings: string;
  /** The nodes whose pid 1 is gone or going, with all that runs there. */
  gone(): readonly string[];
  /** Has somebody look for what is gone as soon as anything may be. One listener. */
  onGone(listener: () => void): void;
  /** Resolves when the namespaces have ended, for whatever reason. */
  readonly ended: Promise<void>;
  /** One node more. @returns what runs a shell inside it, or why there is none. */
  add(node: HeldNode): Promise<readonly string[] | string>;
  /**
   * Ends all processes of one node, and waits until they are gone.
   * @param network `keep`: its network stays as it is, for a node of that name that is added.
   */
  remove(name: string, network?: "keep" | "end"): Promise<void>;
  /** Ends all processes of all nodes. Idempotent. */
  stop(): Promise<void>;
}

/** Why there are no namespaces, one sentence for each way that was tried. */
export interface NoNamespaces {
  readonly reasons: readonly string[];
}

/**
 * @throws Error of the file system, when the tables cannot be written; NodesError when the kernel
 * takes too long, when they were killed, and when there is no memory or process for them: that says
 * nothing of what this machine can, and the next run may have it
 */
export async function startNamespaces(input: NamespacesInput): Promise<Namespaces | NoNamespaces> {
  const missing = ["unshare", "nsenter", "setsid", "mount", "umount", "pivot_root", "sh"].filter(
    (name) => findProgram(name) === undefined,
  );
  if (missing.length > 0) {
    return { reasons: [`${missing.join(", ")} not found; install util-linux`] };
  }
  const rootDirectory = writeTables(input);
  const waiter = findWaiter();
  const reasons: string[] = [];
  const written = createFilesOnce(input);
  for (const asUser of process.geteuid?.() === 0 ? [false, true] : [true]) {
    const result = await tryOnce(input, rootDirectory, { asUser, waiter, written });
    if (typeof result !== "string") return result;
    reasons.push(result);
  }
  return { reasons };
}

/** @returns what writes the files of nodes when it is called first. */
function createFilesOnce(input: NamespacesInput): () => void {
  let isWritten = false;
  return () => {
    if (isWritten) return;
    input.writeFiles();
    for (const node of input.nodes) makeMountPoints(input, node);
    isWritten = true;
  };
}

/** @returns the directory the root is mounted on. */
function writeTables(input: NamespacesInput): string {
  const { view, nodes } = input;
  const rootDirectory = join(input.temporary, "root");
  const tables = tableDirectory(input);
  mkdirSync(tables, { recursive: true });
  mkdirSync(rootDirectory, { recursive: true });
  writeFileSync(join(tables, "keeper"), KEEPER);
  writeFileSync(join(tables, "holder"), HOLDER);
  const template = planTemplate(listMachine(listingNeeded(view)), view);
  writeFileSync(join(tables, "root.sh"), formatRootScript(template));
  writeFileSync(join(tables, "root.table"), formatMountTable(template.table, rootDirectory));
  writeFileSync(join(tables, "readonly"), template.readOnly.map((path) => `${path}\n`).join(""));
  writeFileSync(join(tables, "holders"), HOLDERS);
  if (isByShell(input)) {
    writeFileSync(join(tables, "nodes"), nodes.map((n) => `${n.name} ${n.hostName}\n`).join(""));
    for (const node of nodes) writeNodeTable(input, node);
  } else {
    const all = nodes.map((node) => ({ ...node, mounts: mountsOf(input, node) }));
    writeFileSync(join(tables, "nodes"), formatHolderTables(all));
  }
  return rootDirectory;
}

function isByShell({ holders }: NamespacesInput): boolean {
  return holders === "shell" || holdersCommand().length === 0;
}

function mountsOf(
  { view }: NamespacesInput,
  { name, directories, archives = [] }: HeldNode,
): readonly MountLine[] {
  return planNodeTable(name, directories, view, archives);
}

/** For a holder that the shell makes. */
function writeNodeTable(input: NamespacesInput, node: HeldNode): void {
  const { name, network } = node;
  writeFileSync(
    join(tableDirectory(input), `node-${name}`),
    formatMountTable(mountsOf(input, node)),
  );
  const networkFile = join(tableDirectory(input), `network-${name}`);
  if (network === undefined) rmSync(networkFile, { force: true });
  else writeFileSync(networkFile, network.forwards ? "1\n" : "0\n");
}

function makeMountPoints(
  { view }: NamespacesInput,
  { directories, archives = [] }: HeldNode,
): void {
  for (const index of archives.keys()) {
    mkdirSync(archiveDirectory(directories, index), { recursive: true });
  }
  for (const path of keptEntries(view.needed)) {
    const own = path.startsWith("/tmp/")
      ? join(directories.temporary, path.slice("/tmp/".length))
      : join(directories.varTemporary, path.slice("/var/tmp/".length));
    makeLike(path, own);
  }
}

/** A mount needs something of the same kind to be mounted on. */
function makeLike(path: string, own: string): void {
  if (lstatSync(path).isDirectory()) mkdirSync(own, { recursive: true });
  else writeFileSync(own, "");
}

function tableDirectory(input: NamespacesInput): string {
  return join(input.view.run.shared, "tables");
}

async function tryOnce(
  input: NamespacesInput,
  rootDirectory: string,
  how: {
    readonly asUser: boolean;
    readonly waiter: Promise<readonly string[]>;
    readonly written: () => void;
  },
): Promise<Namespaces | string> {
  const { asUser } = how;
  const keeper = spawnKeeper(input, rootDirectory, asUser);
  const reports = new KeeperReports(keeper);
  try {
    how.written();
  } catch (error) {
    keeper.kill("SIGKILL");
    await reports.exited;
    throw error;
  }
  endOf(keeper, 4)?.destroy();
  const limitMs = START_LIMIT_MS + input.nodes.length * START_LIMIT_MS_PER_NODE;
  let isLate = false;
  const cancel = input.clock.after(limitMs, () => {
    isLate = true;
    keeper.kill("SIGKILL");
  });
  const holders = await reports.collect(input.nodes.length);
  // As it is before it is ended here.
  const failed = reports.failure();
  cancel();
  // All may have been said just before it was killed, and be read after.
  if (isLate || typeof holders === "string") {
    keeper.kill("SIGKILL");
    await reports.exited;
    if (isLate) throw lateError(input.nodes.length, limitMs);
    if (isPassingFailure(failed)) {
      throw new NodesError(`the namespaces of nodes cannot be made: ${describeFailure(failed)}`);
    }
    return `${asUser ? "in a user namespace" : "as root"}: ${holders}`;
  }
  const waiter = await how.waiter;
  return new RunNamespaces({ input, keeper, reports, holders, asUser, waiter });
}

function lateError(count: number, limitMs: number): NodesError {
  const nodes = count === 1 ? "the node" : `the ${count} nodes`;
  return new NodesError(
    `the kernel has not made the namespaces of ${nodes} within ${limitMs / 1_000} s; run it again ` +
      "when the machine is less busy, or without them (MUSTER_NODES=environment)",
  );
}

interface NamespacesParts {
  readonly input: NamespacesInput;
  readonly keeper: ChildProcess;
  readonly reports: KeeperReports;
  readonly holders: ReadonlyMap<string, string>;
  readonly asUser: boolean;
  readonly waiter: readonly string[];
}

class RunNamespaces implements Namespaces {
  readonly entrances: ReadonlyMap<string, readonly string[]>;
  readonly asUser: boolean;
  readonly warnings: string;
  readonly ended: Promise<void>;
  readonly #parts: NamespacesParts;
  readonly #holders: Map<string, string>;
  readonly #keeper: string | undefined;
  /** Lets go of the holders that were started later. */
  readonly #releases = new Map<string, () => void>();
  /** What keeps the network of a node that is away. */
  readonly #networks = new Map<string, LateHolder>();
  #onGone: () => void = () => undefined;

  constructor(parts: NamespacesParts) {
    this.#parts = parts;
    this.#holders = new Map(parts.holders);
    this.#keeper = firstChild(parts.keeper.pid);
    this.asUser = parts.asUser;
    this.warnings = parts.reports.problems();
    this.ended = parts.reports.exited;
    this.entrances = new Map([...parts.holders].map(([node, pid]) => [node, this.#enter(pid)]));
  }

  async add(node: HeldNode): Promise<readonly string[] | string> {
    const { input, keeper, asUser } = this.#parts;
    const { name, hostName } = node;
    const held = firstChild(keeper.pid);
    if (held === undefined) return "the processes that hold the nodes have ended";
    makeMountPoints(input, node);
    writeNodeTable(input, node);
    const { runId, clock } = input;
    const network = this.#networks.get(name)?.pid ?? (node.network === undefined ? "none" : "new");
    const onGone = (): void => this.#onGone();
    const late = { runId, clock, keeper: held, asUser, name, hostName, network, onGone };
    const holder = await startLateHolder(late);
    if (typeof holder === "string") return holder;
    this.#networks.get(name)?.release();
    this.#networks.delete(name);
    this.#holders.set(name, holder.pid);
    this.#releases.set(name, holder.release);
    return this.#enter(holder.pid);
  }

  get holders(): ReadonlyMap<string, number> {
    return new Map([...this.#holders].map(([name, pid]) => [name, Number(pid)]));
  }

  get keeper(): number {
    return Number(firstChild(this.#parts.keeper.pid) ?? -1);
  }

  gone(): readonly string[] {
    const all = [...this.#holders];
    // All nodes go with the keeper, a few moments behind it.
    const found = isAlive(this.#keeper) ? all.filter(([, pid]) => !isAlive(pid)) : all;
    return found.map(([name]) => name);
  }

  onGone(listener: () => void): void {
    this.#onGone = listener;
    this.#parts.reports.onGone = listener;
  }

  async remove(name: string, network: "keep" | "end" = "end"): Promise<void> {
    const { asUser, input } = this.#parts;
    const { runId, clock } = input;
    const present = this.#holders.get(name);
    if (network === "keep" && present !== undefined) {
      const kept = await keepNetwork({ runId, clock, asUser, holder: present });
      if (kept !== undefined) this.#networks.set(name, kept);
    } else if (network === "end") {
      this.#networks.get(name)?.release();
      this.#networks.delete(name);
    }
    await endHolder(this.#holders.get(name) ?? "", runId, clock);
    this.#holders.delete(name);
    this.#releases.get(name)?.();
    this.#releases.delete(name);
  }

  async stop(): Promise<void> {
    const { input, keeper, reports } = this.#parts;
    for (const release of this.#releases.values()) release();
    for (const { release } of this.#networks.values()) release();
    endOf(keeper, 3)?.destroy();
    await within(input.clock, reports.exited, STOP_LIMIT_MS);
    keeper.kill("SIGKILL");
    await within(input.clock, reports.exited, STOP_LIMIT_MS);
  }

  #enter(pid: string): readonly string[] {
    const { asUser, waiter, input } = this.#parts;
    return entranceOf(pid, { asUser, waiter, hasNetwork: input.hasNetwork === true });
  }
}

/** What `unshare --fork` has forked: pid 1 of the namespaces. */
function firstChild(pid: number | undefined): string | undefined {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
    return /^\d+/.exec(children)?.[0];
  } catch {
    return undefined;
  }
}

/**
 * Of pid 1 of a PID namespace: no more as soon as it ends, which is before what runs there does.
 */
function isAlive(pid: string | undefined): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, "utf8");
    // Behind the name, which may hold anything: the state, and flags as the seventh word from it.
    const words = status.slice(status.lastIndexOf(")") + 2).split(" ");
    return !/[XZ]/.test(words[0] ?? "X") && (Number(words[6]) & exitingFlag) === 0;
  } catch {
    return false;
  }
}

/** PF_EXITING of the kernel. */
const exitingFlag = 4;

function spawnKeeper(input: NamespacesInput, rootDirectory: string, asUser: boolean): ChildProcess {
  const user = asUser ? ["--user", "--map-root-user"] : [];
  const network = input.hasNetwork === true ? ["--net"] : [];
  return spawn(
    findProgram("unshare") ?? "unshare",
    [
      ...user,
      ...["--mount", "--pid", "--fork", "--kill-child=KILL", ...network],
      ...["sh", join(tableDirectory(input), "keeper"), rootDirectory, tableDirectory(input)],
      ...[network.join(" "), ...(isByShell(input) ? [] : holdersCommand())],
    ],
    {
      // Away from the terminal: Ctrl-C must reach Muster, which then ends programs in order.
      detached: true,
      cwd: "/",
      env: { PATH: STANDARD_PATH, MUSTER_RUN: input.runId, LC_ALL: "C" },
      stdio: ["ignore", "pipe", "pipe", "pipe", "pipe"],
    },
  );
}

/** There is none when this process has run out of descriptors; `error` says so then. */
function endOf(keeper: ChildProcess, descriptor: 3 | 4): Readable | Writable | undefined {
  const stdio: ChildProcess["stdio"] | undefined = keeper.stdio;
  return stdio?.[descriptor] ?? undefined;
}

/**
 * Somebody of this PID namespace has to fork the program into the node's, wait for it and end the
 * way it ended. nsenter can, but stops whenever the program stops and may then miss its end;
 * unshare takes SIGKILL for an error of its own. timeout, without a limit, does it right where it
 * is the one of GNU; that is tried, because there are others.
 *
 * @returns its command line, or nothing where nsenter has to do.
 */
function findWaiter(): Promise<readonly string[]> {
  const timeout = findProgram("timeout");
  if (timeout === undefined) return Promise.resolve([]);
  const waiter = [timeout, "--foreground", "0"];
  return new Promise((resolve) => {
    const child = spawn(timeout, [...waiter.slice(1), "sh", "-c", "kill -s KILL $$"], {
      env: { PATH: STANDARD_PATH },
      stdio: "ignore",
    });
    child.once("error", () => resolve([]));
    child.once("exit", (_code, signal) => resolve(signal === "SIGKILL" ? waiter : []));
  });
}

function entranceOf(
  holder: string,
  how: { asUser: boolean; waiter: readonly string[]; hasNetwork: boolean },
): readonly string[] {
  const { asUser, waiter, hasNetwork } = how;
  return [
    findProgram("nsenter") ?? "nsenter",
    `--target=${holder}`,
    ...(asUser ? ["--user", "--preserve-credentials"] : []),
    ...["--mount", "--uts", "--ipc", "--pid", ...(hasNetwork ? ["--net"] : [])],
    ...(waiter.length === 0 ? ["--"] : ["--no-fork", "--", ...waiter]),
    // A session for the program alone: a signal to its group must not hit who waits for it.
    findProgram("setsid") ?? "setsid",
    findProgram("sh") ?? "sh",
  ];
}

/** What the keeper and the holders say. */
class KeeperReports {
  readonly exited: Promise<void>;
  onGone: () => void = () => undefined;
  #status: number | null = null;
  #signal: string | null = null;
  #error = "";
  #text = "";
  #closed = false;
  #wake: (() => void) | undefined;

  constructor(keeper: ChildProcess) {
    this.exited = new Promise((resolve) => {
      keeper.once("exit", (status, signal) => {
        this.#status = status;
        this.#signal = signal;
        resolve();
      });
      keeper.once("error", (error) => {
        this.#error += describeSystemError(error);
        this.#close();
        resolve();
      });
    });
    // Behind its last words.
    keeper.once("close", () => this.#close());
    // Its end is what `exited` tells.
    for (const descriptor of [3, 4] as const) endOf(keeper, descriptor)?.on("error", () => {});
    this.#follow(keeper.stdout, (chunk) => {
      this.#text += chunk;
      if (this.#text.endsWith("gone\n")) this.onGone();
    });
    this.#follow(keeper.stderr, (chunk) => {
      this.#error = (this.#error + chunk).slice(-4096);
    });
  }

  problems(): string {
    return this.#error.trim();
  }

  /** How it ended before it was up. */
  failure(): FailedProgram {
    return { status: this.#status, signal: this.#signal, said: this.problems() };
  }

  /** @returns holders by node, or what went wrong. */
  async collect(count: number): Promise<ReadonlyMap<string, string> | string> {
    for (;;) {
      const holders = new Map<string, string>();
      const lines = this.#text.split("\n").slice(0, -1);
      for (const line of lines) {
        const [word, name = "", pid = ""] = line.split(" ");
        if (word === "node") holders.set(name, pid);
        if (word === "failed") return this.#explain(`node ${name} has no file system`);
      }
      if (lines.includes("root") && holders.size === count) return holders;
      if (this.#closed) return this.#explain("the namespaces could not be made");
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #explain(what: string): string {
    const problems = this.problems();
    return problems === "" ? what : `${what} (${problems.split("\n").slice(0, 3).join("; ")})`;
  }

  #follow(stream: Readable | null, take: (chunk: string) => void): void {
    stream?.setEncoding("utf8");
    stream?.on("data", (chunk: string) => {
      take(chunk);
      this.#wake?.();
    });
  }

  #close(): void {
    this.#closed = true;
    this.#wake?.();
  }
}

/** Reads the directories of this machine; one that cannot be read counts as missing. */
function listMachine(paths: readonly string[]): HostListing {
  const listing = new Map<string, readonly HostEntry[]>();
  for (const path of paths) {
    try {
      const entries = readdirSync(path, { withFileTypes: true });
      listing.set(
        path,
        entries.map((entry) => ({
          name: entry.name,
          kind: entry.isDirectory() ? "directory" : entry.isSymbolicLink() ? "link" : "other",
          target: entry.isSymbolicLink() ? readlinkSync(join(path, entry.name)) : "",
        })),
      );
    } catch {
      // Missing on this machine, or not ours to read: then its entries are not ours to use either.
    }
  }
  return listing;
}
