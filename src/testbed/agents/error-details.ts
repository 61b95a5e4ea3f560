// SPDX-License-Identifier: MIT
// What the files of an experiment say of an error: the status and the last words of a program, the
// reason why a node did not restart. Reads only the copies in the experiment's directory, which
// programs may have put anything into. [EMULAB-EVENTS 2.10]
import { join } from "node:path";
import type { ErrorRecord } from "../../core/agenda/effects.ts";
import { copyParts } from "../logs/experiment-logs.ts";
import { existingDirectory } from "../logs/log-tree.ts";
import { readExistingTail } from "./output-tail.ts";
import { type DetailPart, type ErrorDetails, lastLines, selectStatus } from "./report.ts";
import { reportLimits } from "./report-limits.ts";

export interface DetailSources {
  /** `$EXPDIR`, as a directory of this machine. */
  readonly experiment: string;
  /** The node of a program. */
  readonly nodeOf: (program: string) => string | undefined;
}

export async function describeError(
  record: ErrorRecord,
  sources: DetailSources,
): Promise<ErrorDetails> {
  const { object, type, token, error, text } = record;
  const why = text === "" ? "" : `: ${text}`;
  // A sequence or timeline was never sent out.
  const which = token === 0 ? "" : `, token ${token}`;
  // A group has the type of its members.
  const isGroup = type === "PROGRAM" && sources.nodeOf(object) === undefined;
  const what = isGroup ? "group" : type.toLowerCase();
  const title = `${what} ${object}${which}: error ${error}${why}`;
  if (type === "PROGRAM") return { title, ...(await describeProgram(record, sources)) };
  if (type !== "NODE") return { title, status: [], parts: [] };
  const parts = ["logs", object];
  return { title, status: [], parts: [await readPart(sources, parts, controlFile(token))] };
}

/** Where a node's restart says why it failed, below `logs/NODE`. [EMULAB-EVENTS 2.8 NODE] */
export function controlFile(token: number): string {
  return `node-control.${token}`;
}

async function describeProgram(
  { object, token, text }: ErrorRecord,
  sources: DetailSources,
): Promise<Pick<ErrorDetails, "status" | "parts">> {
  const node = sources.nodeOf(object);
  if (node === undefined) return { status: [], parts: [] };
  const folder = copyParts(node);
  const status = await readPart(sources, folder, `${object}.status.${token}`);
  const outputs = await Promise.all(
    ["out", "err"].map((kind) => readPart(sources, folder, `${object}.${kind}.${token}`)),
  );
  const files = [status, ...outputs];
  // Why it did not run is in the title; it has left nothing that could be missing.
  if (text !== "" && files.every(({ kind }) => kind === "missing"))
    return { status: [], parts: [] };
  if (status.kind === "missing") return { status: [], parts: files };
  return { status: selectStatus(status.text), parts: outputs };
}

async function readPart(
  { experiment }: DetailSources,
  folder: readonly string[],
  file: string,
): Promise<DetailPart> {
  const path = join(...folder, file);
  const directory = await existingDirectory(experiment, folder);
  const tail = directory && readExistingTail(join(directory, file), reportLimits.tailBytesMax);
  if (tail === undefined) return { kind: "missing", path };
  // A status file is short, and all of it is wanted.
  const isStatus = file.includes(".status.");
  return { kind: "tail", path, text: isStatus ? tail : lastLines(tail, reportLimits.tailLinesMax) };
}
