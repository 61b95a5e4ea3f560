// SPDX-License-Identifier: MIT
// Going into the background, and telling whoever started the server that it listens. Node cannot
// fork, so the program starts itself again, detached; the first process ends when the second
// listens.
import { spawn } from "node:child_process";
import { closeSync, readFileSync, unlinkSync, writeFileSync, writeSync } from "node:fs";
import type { Exit } from "./exit.ts";

/**
 * Environment variable with the number of a descriptor: the server writes one line of JSON there,
 * `{"port":N,"addresses":[...]}` when it listens or `{"error":TEXT,"exitCode":N}` when it cannot,
 * and closes it.
 */
const readyVariable = "MUSTER_READY_FD";
const readyDescriptor = 3;
/** Set in the second process, which must not start a third. */
const backgroundVariable = "MUSTER_BACKGROUND";

export interface Ready {
  readonly port: number;
  readonly addresses?: readonly string[];
}

export type Readiness = Ready | { readonly error: string; readonly exitCode: number };

/** Whether this is the process in the background. */
export function isBackground(environment: NodeJS.ProcessEnv): boolean {
  return environment[backgroundVariable] !== undefined;
}

/** Tells the starter, if there is one that wants to know. */
export function tellReadiness(environment: NodeJS.ProcessEnv, readiness: Readiness): void {
  const descriptor = Number(environment[readyVariable] ?? "");
  if (!Number.isInteger(descriptor) || descriptor < 3) return;
  delete environment[readyVariable];
  try {
    writeSync(descriptor, `${JSON.stringify(readiness)}\n`);
    closeSync(descriptor);
  } catch {
    // The starter is gone; nobody is left to tell.
  }
}

/**
 * Starts this program again in the background.
 *
 * @param describe what there is to say about a server that listens, for standard error.
 * @param name of the program, for its messages.
 * @returns how the first process ends.
 */
export async function startInBackground(
  args: readonly string[],
  describe: (started: Ready & { readonly pid: number }) => string | undefined,
  name = "emulab-syncd",
): Promise<Exit> {
  const [script = ""] = process.argv.slice(1);
  const child = spawn(process.execPath, [...process.execArgv, script, ...args], {
    detached: true,
    cwd: process.cwd(),
    env: { ...process.env, [backgroundVariable]: "1", [readyVariable]: String(readyDescriptor) },
    stdio: ["ignore", "ignore", "ignore", "pipe"],
  });
  const pipe = child.stdio[readyDescriptor];
  let text = "";
  if (pipe && "setEncoding" in pipe) {
    pipe.setEncoding("utf8");
    for await (const chunk of pipe) text += String(chunk);
  }
  child.unref();
  const readiness = parseReadiness(text, name);
  if ("port" in readiness) {
    const stderr = describe({ ...readiness, pid: child.pid ?? 0 });
    return { kind: "exit", code: 0, ...(stderr === undefined ? {} : { stderr }) };
  }
  return { kind: "exit", code: readiness.exitCode, stderr: `${readiness.error}\n` };
}

function parseReadiness(text: string, name: string): Readiness {
  if (text !== "") return JSON.parse(text) as Readiness;
  return { error: `${name}: the server ended before it listened`, exitCode: 1 };
}

/** Writes the process id. @returns what removes the file again, if it still names this process. */
export function writePidFile(file: string): () => void {
  const content = `${process.pid}\n`;
  writeFileSync(file, content, { mode: 0o644 });
  return () => {
    try {
      if (readFileSync(file, "utf8") === content) unlinkSync(file);
    } catch {
      // Somebody else removed it.
    }
  };
}
