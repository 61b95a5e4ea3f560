// SPDX-License-Identifier: MIT
// Reads the text of an experiment file away from the serving loop (parse-worker.ts).
import { Worker } from "node:worker_threads";
import { errorText } from "../core/text.ts";
import type { Experiment, Tables } from "../experiment/index.ts";
import { describeSystemError } from "../testbed/nodes/system-programs.ts";
import { BossError } from "./boss-error.ts";

export type NameKind = "pid" | "eid";

export interface ParseRequest {
  /** Absolute path of the file: for diagnostics, and for the files it names. */
  readonly file: string;
  readonly text: string;
  readonly pid: string;
  readonly eid: string;
  /** Names that count even where the file, in YAML, has its own. */
  readonly insisted: readonly NameKind[];
  readonly presets: readonly (readonly [name: string, value: string])[];
}

export interface ParsedDefinition {
  /** Undefined when there are errors; so are the rows. */
  readonly experiment: Experiment | undefined;
  readonly rows: Tables | undefined;
  /** For people, with source line and caret. */
  readonly diagnostics: readonly string[];
  readonly errors: number;
  /** What the file printed. */
  readonly output: string;
}

/** Heap of the thread; the evaluator's own bound on values is 64 MiB. */
const heapMegabytesMax = 1024;

const worker = import.meta.url.endsWith(".ts") ? "./parse-worker.ts" : "./parse-worker.js";

/**
 * @param signal nobody waits for it any more: a file may compute for a minute
 * @throws BossError (INTERNAL) when the thread fails, never for what the file says; (LOST) when
 * nobody waits.
 */
export function parseDefinition(
  request: ParseRequest,
  signal?: AbortSignal,
): Promise<ParsedDefinition> {
  return new Promise((resolve, reject) => {
    const thread = new Worker(new URL(worker, import.meta.url), {
      workerData: request,
      resourceLimits: { maxOldGenerationSizeMb: heapMegabytesMax },
    });
    const fail = (why: string): void => {
      const message = `reading ${request.file} failed (${why}); this is a fault of Muster, please report it`;
      reject(new BossError("INTERNAL", message));
    };
    const abandon = (): void => {
      reject(new BossError("LOST", `nobody waits for ${request.file} any more; ask again`));
      void thread.terminate();
    };
    thread.once("message", resolve);
    thread.once("error", (error: Error) => {
      const message = `${request.file} was not read: ${describeSystemError(error)}`;
      if (error.message.includes("EMFILE")) reject(new BossError("LIMIT", message));
      else fail(errorText(error));
    });
    thread.once("exit", (code) => {
      signal?.removeEventListener("abort", abandon);
      fail(`its thread ended with ${code}`);
    });
    if (signal?.aborted) abandon();
    else signal?.addEventListener("abort", abandon, { once: true });
  });
}
