// SPDX-License-Identifier: MIT
// The files that a linktest leaves: all verdicts as JSON, and the error files of the old system.
// [LINKTEST 7] What it has found does not depend on them: a disk may be full, and programs of the
// experiment write where the error files are, so that nothing there is followed elsewhere.
import { existsSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { errorText } from "../../core/text.ts";
import { formatErrorRecord, type Verdict } from "../../linktest/index.ts";
import { withDirectories } from "../logs/log-tree.ts";

/** Each test of a run has one of its own, also of a run that was taken over; the last has two. */
export function verdictsFile(directory: string): string {
  const name = (number: number): string => `verdicts-${number}.json`;
  let number = 1;
  while (existsSync(join(directory, name(number)))) number += 1;
  return name(number);
}

export interface VerdictFiles {
  /** Of the results of the run. */
  readonly out: string;
  /** Of all verdicts, in `linktest/`; the last one is there by another name, too. */
  readonly file: string;
  readonly verdicts: readonly Verdict[];
  /** Those that error files are made of. */
  readonly judged: readonly Verdict[];
}

/** Never rejects. @returns what could not be written, a sentence each */
export async function writeVerdictFiles(files: VerdictFiles): Promise<readonly string[]> {
  const { out, file, verdicts, judged } = files;
  const text = `${JSON.stringify(verdicts, null, 2)}\n`;
  const problems: string[] = [];
  const attempt = async (what: string, write: () => Promise<void>): Promise<void> => {
    await write().catch((error: unknown) => {
      problems.push(`linktest: ${what} cannot be written: ${errorText(error)}`);
    });
  };
  await attempt(`linktest/${file}`, async () => {
    for (const name of [file, "verdicts.json"]) await writeFile(join(out, "linktest", name), text);
  });
  await attempt("the error files", () => writeErrorFiles(join(out, "proj"), judged));
  return problems;
}

/** One for each node with errors: the sender of the direction. Those of an earlier test go. */
async function writeErrorFiles(project: string, verdicts: readonly Verdict[]): Promise<void> {
  const files = new Map<string, string>();
  for (const verdict of verdicts) {
    if (verdict.verdict !== "bad") continue;
    const { from } = verdict.edge;
    files.set(from, (files.get(from) ?? "") + formatErrorRecord(verdict));
  }
  await withDirectories(project, ["tbdata"], ({ at }) =>
    rm(join(at, "linktest"), { recursive: true, force: true }),
  );
  if (files.size === 0) return;
  await withDirectories(project, ["tbdata", "linktest"], async ({ at }) => {
    for (const [node, text] of files) {
      await writeFile(join(at, `${node}.error`), text, { flag: "wx" });
    }
  });
}
