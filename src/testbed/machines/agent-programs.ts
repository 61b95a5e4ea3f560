// SPDX-License-Identifier: MIT
// The programs of a host's nodes, by the numbers that the run gives them: loaded, let go at an
// instant of this machine's clock, signalled, and their ends told.
//
//   A1. A program is let go once, or discarded; what comes for it afterwards is passed over.
import { closeSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../host/clock.ts";
import { fieldsOf } from "../../wire/json-fields.ts";
import type { RunMessage } from "../../wire/node-link/index.ts";
import type { FireClock } from "../agents/firing/fire-clock.ts";
import { probeArgv, probeWord } from "../linktest/node-probes.ts";
import type {
  ExitStatus,
  NodeBackend,
  NodeProcess,
  PreparedProcess,
  SpawnSpec,
  StartError,
} from "../nodes/node-backend.ts";
import { openRegularFile } from "../nodes/regular-file.ts";
import type { AgentOutputs } from "./agent-outputs.ts";
import type { StartedThere } from "./agent-plan.ts";
import type { NodeLink } from "./node-link.ts";

type Asked<Kind extends RunMessage["kind"]> = Extract<RunMessage, { readonly kind: Kind }>;

interface Program {
  prepared: PreparedProcess | undefined;
  process: NodeProcess | undefined;
  readonly files: readonly string[];
}

export interface AgentProgramsOptions {
  readonly link: NodeLink;
  readonly clock: Clock;
  readonly fire: FireClock;
  readonly outputs: AgentOutputs;
  readonly backend: NodeBackend;
  /** Where output is kept until it has been sent. */
  readonly directory: string;
}

export class AgentPrograms {
  readonly #options: AgentProgramsOptions;
  readonly #programs = new Map<number, Program>();
  /** Programs that have ended, oldest first. */
  readonly #over: number[] = [];

  constructor(options: AgentProgramsOptions) {
    this.#options = options;
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
  }

  /** @returns why it was not loaded, if so. */
  async prepare(asked: Asked<"prepare">): Promise<string | undefined> {
    const { backend, outputs, directory } = this.#options;
    const { program, stdout, stderr } = asked;
    const node = backend.nodes.get(asked.node);
    const spec = readSpec(asked.spec);
    if (node === undefined) return `there is no node ${asked.node} on this host`;
    if (spec === undefined || this.#programs.has(program)) return "the run asks for it wrongly";
    const file = (stream: number): string => join(directory, `${program}.${stream}`);
    const files = [...new Set([file(stdout), file(stderr)])];
    for (const [index, path] of files.entries()) {
      const descriptor = openRegularFile(path, "append");
      if (typeof descriptor === "string") return `its output cannot be kept: ${descriptor}`;
      closeSync(descriptor);
      outputs.follow(path, index === 0 ? stdout : stderr);
    }
    const kept: Program = { prepared: undefined, process: undefined, files };
    this.#programs.set(program, kept);
    const output = { stdout: file(stdout), stderr: file(stderr) };
    const prepared = await node.prepare({ ...asHere(spec), ...output });
    if (!("startError" in prepared)) {
      kept.prepared = prepared;
      return undefined;
    }
    this.#forget(program);
    return prepared.startError;
  }

  async start({ program, dueUs }: Asked<"start">): Promise<StartedThere | string> {
    const kept = this.#programs.get(program);
    const prepared = kept?.prepared;
    if (kept === undefined || prepared === undefined) return "it was started or given up before";
    kept.prepared = undefined; // A1.
    const started = await this.#letGo(prepared, dueUs);
    if ("startError" in started) {
      for (const file of kept.files) await this.#options.outputs.flush(file);
      this.#forget(program);
      return started.startError;
    }
    kept.process = started;
    void started.done.then((status) => this.#ended(program, kept, status));
    return { pid: started.pid, startedUs: started.startedMonotonicUs };
  }

  discard(program: number): void {
    const kept = this.#programs.get(program);
    if (kept?.prepared === undefined) return;
    kept.prepared.discard();
    this.#forget(program);
  }

  signal({ program, name, whole }: Asked<"signal">): void {
    this.#programs.get(program)?.process?.signal(name, whole);
  }

  #letGo(prepared: PreparedProcess, dueUs: number): Promise<NodeProcess | StartError> {
    const { clock, fire } = this.#options;
    const { trigger } = prepared;
    if (dueUs <= clock.nowUs()) return prepared.start();
    return new Promise((resolve) => {
      if (trigger === undefined) {
        fire.at(dueUs, { kind: "tell" }, () => resolve(prepared.start()));
        return;
      }
      const write = { kind: "write", ...trigger } as const;
      fire.at(dueUs, write, ({ firedUs }) => resolve(prepared.released(firedUs)));
    });
  }

  async #ended(program: number, { files }: Program, status: ExitStatus): Promise<void> {
    const { link, outputs } = this.#options;
    for (const file of files) await outputs.flush(file); // O1.
    const { exitCode, signal, endedMonotonicUs: endedUs, usage } = status;
    link.send({
      ...{ kind: "ended", program, exitCode: exitCode ?? -1, signal: signal ?? "", endedUs },
      cpuUs: usage?.cpuUs ?? -1,
      rssKibMax: usage?.rssKibMax ?? -1,
    });
    this.#over.push(program);
    // What it has left behind may still write, and is heard for as long as there is room.
    const oldest = this.#over.length > followedMax ? this.#over.shift() : undefined;
    if (oldest === undefined) return;
    for (const file of this.#programs.get(oldest)?.files ?? []) await outputs.flush(file);
    this.#forget(oldest);
  }

  #forget(program: number): void {
    const kept = this.#programs.get(program);
    this.#programs.delete(program);
    for (const file of kept?.files ?? []) this.#options.outputs.forget(file);
  }
}

/** Programs that have ended and whose output is still followed. */
const followedMax = 256;

/** A program of Muster's own is where this machine has it. */
function asHere<Spec extends Pick<SpawnSpec, "argv">>(spec: Spec): Spec {
  const { argv: [first, ...rest] = [] } = spec;
  return first === probeWord ? { ...spec, argv: [...probeArgv, ...rest] } : spec;
}

const specFields = ["argv", "command", "shell", "environment", "isMeasured"];

/** Without where the output goes. */
function readSpec(json: unknown): Omit<SpawnSpec, "stdout" | "stderr"> | undefined {
  const fields = fieldsOf(json, ["name", "directory"], specFields);
  if (fields === undefined) return undefined;
  const { argv, command } = json as SpawnSpec;
  const isProper = (argv === undefined) !== (command === undefined);
  return isProper ? (json as Omit<SpawnSpec, "stdout" | "stderr">) : undefined;
}
