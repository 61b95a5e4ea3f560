// SPDX-License-Identifier: MIT
// Writes the files a finished run leaves: report.html, the JUnit file if asked for, result.json.
// Each appears whole or not at all; result.json comes last, so that who sees it sees everything.
import { constants } from "node:fs";
import { open, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type OutputError, outputError } from "./output-error.ts";
import type { RunResult } from "./result-model.ts";

export interface RunFiles {
  readonly result: RunResult;
  readonly reportHtml: string;
  /** Where the JUnit file goes and what is in it; null for none. */
  readonly junit: { readonly path: string; readonly xml: string } | null;
}

/**
 * Writes the files into the directory `out`, which must exist. Goes on after an error, so that one
 * bad path does not cost the other files.
 *
 * @returns an error for each file that is not there; none when everything is written.
 */
export async function writeRunFiles(out: string, files: RunFiles): Promise<OutputError[]> {
  const { result, reportHtml, junit } = files;
  const errors = [await writeWhole(join(out, "report.html"), reportHtml)];
  if (junit !== null) errors.push(await writeWhole(junit.path, junit.xml));
  const json = `${JSON.stringify(result, null, 2)}\n`;
  errors.push(await writeWhole(join(out, "result.json"), json));
  return errors.filter((error) => error !== null);
}

/**
 * Puts `text` at `path` in one step: a reader sees the old file or the new one. What is there and
 * is no regular file (a device, a pipe) is written into and stays what it is; a link stays a link.
 *
 * @returns what went wrong, or null.
 */
export async function writeWhole(path: string, text: string): Promise<OutputError | null> {
  try {
    const there = await stat(path).catch(() => null);
    if (there !== null && !there.isFile()) return await writeInto(path, text);
    return await replace(await realpath(path).catch(() => path), text);
  } catch (error) {
    return outputError(path, error);
  }
}

/** A pipe that nobody reads is refused at once: waiting for a reader could take for ever. */
async function writeInto(path: string, text: string): Promise<null> {
  const file = await open(path, constants.O_WRONLY | constants.O_NONBLOCK);
  try {
    await file.writeFile(text);
  } finally {
    await file.close();
  }
  return null;
}

async function replace(path: string, text: string): Promise<OutputError | null> {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  try {
    const file = await open(temporary, "w");
    try {
      await file.writeFile(text);
      // Without it a power loss after the rename could leave an empty file under the final name.
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    return null;
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    return outputError(path, error);
  }
}
