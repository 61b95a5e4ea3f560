// SPDX-License-Identifier: MIT
// A program that is loaded on its node and waits to be let go. Its output goes to files whose names
// cannot be final yet: they carry the token of the event that will start it.
import type { Program } from "../../experiment/model.ts";
import type { PreparedProcess, RunningNode, SpawnSpec, StartError } from "../nodes/index.ts";
import {
  loadedFiles,
  moveOutput,
  type OutputFiles,
  outputFiles,
  removeOutput,
} from "./program-files.ts";
import type { ProgramSettings } from "./program-settings.ts";

export class LoadedProgram {
  readonly process: PreparedProcess;
  readonly #logs: string;
  readonly #name: string;
  readonly #settings: ProgramSettings;
  #files: OutputFiles;

  private constructor(process: PreparedProcess, loading: LoadingFacts) {
    this.process = process;
    this.#logs = loading.logs;
    this.#name = loading.name;
    this.#settings = loading.settings;
    this.#files = loading.files;
  }

  static async load(
    program: Program,
    settings: ProgramSettings,
    node: RunningNode,
  ): Promise<LoadedProgram | StartError> {
    const logs = node.hostPath.localLogs;
    const files = loadedFiles(logs, program.name);
    removeOutput(files);
    const process = await node.prepare({
      ...programSpec(program, settings),
      ...files,
    });
    if (!("startError" in process)) {
      return new LoadedProgram(process, { logs, name: program.name, settings, files });
    }
    removeOutput(files);
    return process;
  }

  /** Whether a start with these settings would be of what is loaded. */
  isFor({ command, directory }: ProgramSettings): boolean {
    return command === this.#settings.command && directory === this.#settings.directory;
  }

  /**
   * Gives the output the names of the run with this token; once more when another start takes it.
   */
  nameOutput(token: number): void {
    const files = outputFiles(this.#logs, this.#name, token);
    // What cannot be moved is found missing, and said, when the run is linked.
    if (moveOutput(this.#files, files) === undefined) this.#files = files;
  }

  discard(): void {
    this.process.discard();
    removeOutput(this.#files);
  }
}

interface LoadingFacts {
  readonly logs: string;
  readonly name: string;
  readonly settings: ProgramSettings;
  readonly files: OutputFiles;
}

/** Everything of the start but where the output goes. */
export function programSpec(
  program: Program,
  { command, directory }: ProgramSettings,
): Omit<SpawnSpec, "stdout" | "stderr"> {
  const { name, environment, shell } = program;
  return {
    name,
    command,
    directory,
    ...(shell === undefined ? {} : { shell }),
    isMeasured: true,
    // By this it is known at barriers that are for members.
    environment: { ...Object.fromEntries(environment ?? []), MUSTER_PARTICIPANT: name },
  };
}
