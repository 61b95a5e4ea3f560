// SPDX-License-Identifier: MIT
// What the nodes of a host leave, sent back file by file: what is below `nodes/` and `proj/` of the
// agent's directory. Programs may have put anything there: only regular files are opened, and
// nothing is followed.
import { nodeLinkLimits, partsOfResult } from "../../wire/node-link/index.ts";
import { runDirectoryFile } from "../nodes/node-files.ts";
import type { NodeLink } from "./node-link.ts";
import { filesBelow, sendFile } from "./sent-files.ts";

/** @returns what was left there, one sentence each. */
export async function sendFiles(link: NodeLink, out: string): Promise<readonly string[]> {
  const left: string[] = [];
  let [files, bytes] = [0, 0];
  for await (const path of filesBelow(out)) {
    if (path === `proj/${runDirectoryFile}`) continue;
    if (partsOfResult(path) === undefined) {
      left.push(`${path} was not brought back: ${noName}`);
      continue;
    }
    files += 1;
    if (files > nodeLinkLimits.filesMax || bytes > nodeLinkLimits.filesBytesMax) {
      left.push(
        `not all files were brought back: more than ${nodeLinkLimits.filesMax} files (filesMax) or ` +
          `${nodeLinkLimits.filesBytesMax} bytes (filesBytesMax)`,
      );
      break;
    }
    bytes += await sendFile(link, out, path);
    if (link.ended) break;
  }
  return left;
}

const noName = "its name is too deep, or has control characters";
