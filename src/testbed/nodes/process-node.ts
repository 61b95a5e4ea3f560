// SPDX-License-Identifier: MIT
// One node, as the orchestrator sees it, and the list of all programs of the run.
import type { Clock } from "../../host/clock.ts";
import type { NodeAddress } from "../run-event.ts";
import type { NodeAddresses } from "./addresses.ts";
import type { NodeEntrance } from "./entrances.ts";
import { type ProgramGroup, prepareProgram, signalProgram } from "./launch.ts";
import type {
  NodeProcess,
  PreparedProcess,
  RunningNode,
  SpawnSpec,
  StartError,
} from "./node-backend.ts";
import type { NodeDirectories } from "./node-files.ts";
import type { NodeGroups } from "./node-groups.ts";
import { withProgramVariables } from "./program-environment.ts";
import type { Reaper } from "./reaper.ts";
import type { NodeShell } from "./system-programs.ts";
import { within } from "./within.ts";

/** The process groups that are alive, as far as Muster started them. */
export class RunPrograms {
  readonly clock: Clock;
  readonly #reaper: Reaper;
  readonly #groups = new Map<number, ProgramGroup>();
  #closed = false;
  #whenEmpty: (() => void) | undefined;

  constructor(clock: Clock, reaper: Reaper) {
    this.clock = clock;
    this.#reaper = reaper;
  }

  get closed(): boolean {
    return this.#closed;
  }

  started(group: ProgramGroup): void {
    this.#groups.set(group.pid, group);
    this.#reaper.started(group.pid);
    // It was on its way when the run ended.
    if (this.#closed) signalProgram(group, "SIGKILL", "group");
  }

  ended(group: ProgramGroup): void {
    this.#groups.delete(group.pid);
    this.#reaper.ended(group.pid);
    if (this.#groups.size === 0) this.#whenEmpty?.();
  }

  /** Starts no more, asks all groups to end, and waits until they have or `graceMs` are over. */
  async close(graceMs: number): Promise<void> {
    this.#closed = true;
    if (this.#groups.size === 0) return;
    const empty = new Promise<void>((resolve) => {
      this.#whenEmpty = resolve;
    });
    this.#signalAll("SIGTERM");
    this.#signalAll("SIGCONT"); // A stopped program could not obey.
    await within(this.clock, empty, graceMs);
    this.#signalAll("SIGKILL");
  }

  #signalAll(name: NodeJS.Signals): void {
    for (const group of this.#groups.values()) signalProgram(group, name, "group");
  }
}

export interface ProcessNodeOptions {
  readonly name: string;
  readonly addresses: NodeAddresses;
  readonly directories: NodeDirectories;
  readonly environment: Readonly<Record<string, string>>;
  readonly shell: NodeShell;
  readonly programs: RunPrograms;
  /** Where programs run that name no directory, as the node sees it. */
  readonly defaultDirectory: string;
  /** See `LaunchContext`. */
  readonly entrance: readonly string[];
  readonly groups: NodeGroups | undefined;
}

export class ProcessNode implements RunningNode {
  readonly name: string;
  addresses: readonly NodeAddress[];
  readonly calledAt: string;
  readonly hostPath: RunningNode["hostPath"];
  readonly #options: ProcessNodeOptions;

  constructor(options: ProcessNodeOptions) {
    this.name = options.name;
    this.addresses = options.addresses.all;
    this.calledAt = options.addresses.calledAt;
    const { boot, localLogs, root } = options.directories;
    this.hostPath = { boot, localLogs, root };
    this.#options = options;
  }

  /** What programs are given that are started by others than the run. */
  get surroundings(): Pick<NodeEntrance, "name" | "directory" | "environment"> {
    const { environment, defaultDirectory: directory } = this.#options;
    return { name: this.name, directory, environment };
  }

  async spawn(spec: SpawnSpec): Promise<NodeProcess | StartError> {
    const prepared = await this.prepare(spec);
    return "startError" in prepared ? prepared : prepared.start();
  }

  async prepare(spec: SpawnSpec): Promise<PreparedProcess | StartError> {
    const { programs, environment, defaultDirectory, entrance, groups } = this.#options;
    const argv = this.#argv(spec);
    if (typeof argv === "string") return { startError: argv };
    if (programs.closed) return { startError: `${spec.name} was not started: the run is ending` };
    return await prepareProgram(spec, {
      clock: programs.clock,
      entrance,
      environment: withProgramVariables(environment, spec.environment),
      argv,
      directory: spec.directory === "" ? defaultDirectory : spec.directory,
      onStarted: (group) => {
        groups?.join(this.name, group.pid);
        programs.started(group);
      },
      onEnded: (group) => programs.ended(group),
    });
  }

  #argv(spec: SpawnSpec): readonly string[] | string {
    if (spec.argv !== undefined && spec.argv.length > 0) return spec.argv;
    if (spec.command === undefined) return `${spec.name} names nothing to run`;
    const argv = shellArgv(spec.shell ?? "testbed", this.#options.shell);
    if (argv === undefined) return noShell(spec);
    return [...argv, spec.command];
  }
}

function shellArgv(
  wanted: "testbed" | "csh" | "sh",
  testbed: NodeShell,
): readonly string[] | undefined {
  if (wanted === "sh") return ["sh", "-c"];
  const isUsable = wanted === "testbed" || testbed.text.startsWith("csh");
  return isUsable && testbed.argv.length > 0 ? testbed.argv : undefined;
}

function noShell({ name, shell }: SpawnSpec): string {
  if (shell === "csh") {
    return `${name} cannot be started: its command is for csh, which this machine lacks; install csh`;
  }
  return (
    `${name} cannot be started: its command needs csh or bash (commands of the testbed ` +
    "redirect with >&), and this machine has neither; install csh"
  );
}
