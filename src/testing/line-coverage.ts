// SPDX-License-Identifier: MIT
// Which lines of the shipped files a run has gone through, so that a simulation can say how much of
// them it simulates. Measured by the engine that runs them; nothing is rewritten.
import { readFileSync } from "node:fs";
import type { Profiler } from "node:inspector";
import { Session } from "node:inspector/promises";
import { fileURLToPath } from "node:url";

export interface FileCoverage {
  /** From the folder of the layer on: `core/service.ts`. */
  readonly file: string;
  readonly lines: number;
  readonly covered: number;
}

/** Whether shipped files are files: in a program that is put together of them they are not. */
export const countsLines: boolean = /\/testing\/line-coverage\.[jt]s$/.test(import.meta.url);

/**
 * Runs `work` and measures it.
 * @param folders of the layers to report, e.g. `core`.
 */
export async function measureLines(
  folders: readonly string[],
  work: () => Promise<void>,
): Promise<readonly FileCoverage[]> {
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  try {
    await work();
    const { result } = await session.post("Profiler.takePreciseCoverage");
    return result
      .flatMap((script) => {
        const at = folders.map((folder) => script.url.lastIndexOf(`/${folder}/`));
        const start = Math.max(...at);
        const isOurs = script.url.startsWith("file://") && !script.url.includes("/node_modules/");
        if (!isOurs || start < 0) return [];
        return [countLines(script.url.slice(start + 1), script)];
      })
      .sort((a, b) => (a.file < b.file ? -1 : 1));
  } finally {
    session.disconnect();
  }
}

function countLines(file: string, script: Profiler.ScriptCoverage): FileCoverage {
  const text = readFileSync(fileURLToPath(script.url), "utf8");
  const reached = new Uint8Array(text.length).fill(1);
  // Inner ranges come after the outer ones they refine.
  for (const { ranges } of script.functions) {
    for (const { startOffset, endOffset, count } of ranges) {
      reached.fill(count > 0 ? 1 : 0, startOffset, endOffset);
    }
  }
  let [lines, covered, offset] = [0, 0, 0];
  for (const line of text.split("\n")) {
    const first = offset + line.length - line.trimStart().length;
    offset += line.length + 1;
    if (!isCode(line.trim())) continue;
    lines += 1;
    covered += reached[first] ?? 0;
  }
  return { file, lines, covered };
}

/** Comments, closing brackets and declarations of types cannot be gone through. */
function isCode(line: string): boolean {
  return line !== "" && !/^(\/\/|\/?\*|[\])}]|import |export type |readonly |type )/.test(line);
}
