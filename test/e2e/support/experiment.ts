// SPDX-License-Identifier: MIT
// Experiments for tests: writes the file, runs `muster run` on it, reads back what it leaves.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { RunResult } from "../../../src/testbed/record/result-model.ts";
import type { RunEvent } from "../../../src/testbed/run-event.ts";
import { type Command, type CommandOptions, type Ended, scratch, start } from "./command.ts";

export interface StartedRun {
  readonly command: Command;
  /** The output directory. */
  readonly out: string;
  readonly file: string;
}

export interface EndedRun extends Ended {
  readonly out: string;
  readonly file: string;
  /** What result.json holds. @throws Error of the file system when there is none. */
  readonly result: RunResult;
  /** The text of a file below the output directory, `""` when there is none. */
  text(path: string): string;
}

/** Writes a file of the experiment in `body` and returns its path. */
export function writeExperiment(body: string, directory: string = scratch()): string {
  const file = join(directory, "test.ns");
  writeFileSync(file, `set ns [new Simulator]\nsource tb_compat.tcl\n${body}\n$ns run\n`);
  return file;
}

/** Starts `muster run` on the experiment in `body`. */
export function startRun(
  body: string,
  argv: readonly string[] = [],
  options: CommandOptions = {},
): StartedRun {
  const file = writeExperiment(body);
  const out = join(scratch(), "out");
  return { command: start("muster", ["run", file, "--out", out, ...argv], options), out, file };
}

/** Runs `muster run` on the experiment in `body` to its end. */
export function runBody(
  body: string,
  argv: readonly string[] = [],
  options: CommandOptions = {},
): Promise<EndedRun> {
  return ended(startRun(body, argv, options));
}

/** The end of a started run. */
export async function ended({ command, out, file }: StartedRun): Promise<EndedRun> {
  const end = await command.ended;
  return {
    ...end,
    out,
    file,
    get result() {
      return readResult(out);
    },
    text: (path) => readText(join(out, path)),
  };
}

export function readResult(out: string): RunResult {
  return JSON.parse(readFileSync(join(out, "result.json"), "utf8")) as RunResult;
}

export function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    // The last: of a process that has ended between being found and being read.
    if (["ENOENT", "ENOTDIR", "ESRCH"].includes(String((error as NodeJS.ErrnoException).code)))
      return "";
    throw error;
  }
}

/** The lines of a run record. */
export function readRecord(out: string): readonly (Partial<RunEvent> & Record<string, unknown>)[] {
  return readFileSync(join(out, "record.ndjson"), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Partial<RunEvent> & Record<string, unknown>);
}

/** A command that means the same to csh and bash, whichever the nodes have: they differ in much. */
export function sh(script: string): string {
  return `exec sh -c '${script}'`;
}

/** `$ns` lines for nodes `n0`, `n1`, ... with one start command each; `""` for none. */
export function nodesWith(...commands: readonly string[]): string {
  return commands
    .map((command, index) => {
      const node = `set n${index} [$ns node]`;
      if (command === "") return node;
      return `${node}\ntb-set-node-startcmd $n${index} {${command}}`;
    })
    .join("\n");
}

/** Processes that run event-sched for this run. */
export function schedulersOf({ out }: Pick<StartedRun, "out">): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const words = readText(`/proc/${pid}/cmdline`).split("\0");
      const isNode = words.some((word) => word.endsWith("programs/event-sched.js"));
      return isNode && words.includes(join(out, "scheduler"));
    });
}
