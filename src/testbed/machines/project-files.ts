// SPDX-License-Identifier: MIT
// The files beside an experiment file, which programs know as `$EXPFILES`: copied to each host of a
// run whose file speaks of them. What is likely to be somebody's secret or no part of an experiment
// stays here.
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { nodeLinkLimits } from "../../wire/node-link/index.ts";
import { NodesError } from "../nodes/index.ts";
import type { NodeLink } from "./node-link.ts";
import { filesBelow, sendFile } from "./sent-files.ts";

export interface ProjectFiles {
  readonly directory: string;
  /** Below it. */
  readonly paths: readonly string[];
}

const isWanted = (name: string): boolean =>
  !name.startsWith(".") && name !== "node_modules" && name !== "results";

/** @throws NodesError when there is more than a host is to get */
export async function findProjectFiles(directory: string): Promise<ProjectFiles> {
  const { projectFilesMax, projectBytesMax } = nodeLinkLimits;
  const paths: string[] = [];
  let bytes = 0;
  for await (const path of filesBelow(directory, isWanted)) {
    bytes += (await lstat(join(directory, path))).size;
    paths.push(path);
    if (paths.length <= projectFilesMax && bytes <= projectBytesMax) continue;
    throw new NodesError(
      `the file speaks of $EXPFILES, and there is too much in ${directory} for hosts: more than ` +
        `${projectFilesMax} files (projectFilesMax) or ${projectBytesMax} bytes (projectBytesMax); ` +
        "give the experiment a directory of its own",
    );
  }
  return { directory, paths };
}

/** Resolves when the host has them. @throws LinkError */
export async function sendProjectFiles(
  link: NodeLink,
  { directory, paths }: ProjectFiles,
): Promise<void> {
  for (const path of paths) await sendFile(link, directory, path);
  // It is answered behind them.
  await link.ask({ kind: "clock" });
}
