// SPDX-License-Identifier: MIT
// Which archives of a file are unpacked on a node, and where: in directories that are the node's
// alone, never over files of this machine, which all nodes share. Pure. [EMULAB-NSFILE 9 tarfiles]
import type { Archive } from "../../experiment/model.ts";

/** What this machine has at a path; `linked`: a part of it is a link. */
export type Present = "missing" | "empty" | "full" | "linked";

export interface ArchivePlan {
  /** Directories that each node gets for itself, none within another. */
  readonly mounts: readonly string[];
  /** In order; the file as the node sees it. */
  readonly unpack: readonly Archive[];
  /** Why others are not unpacked, a sentence each. */
  readonly refused: readonly string[];
}

/** A node's own anyway. */
const own = ["/tmp", "/var/tmp", "/var/run", "/var/emulab", "/local/logs"];
const shared = ["/proj", "/users", "/usr/testbed", "/usr/local/etc/emulab"];

/**
 * @param look what this machine has there
 * @param files where the node sees the directory of the experiment file; `""`: nowhere
 */
export function planArchives(
  archives: readonly Archive[],
  look: (path: string) => Present,
  files: string,
): ArchivePlan {
  const wanted: string[] = [];
  const unpack: Archive[] = [];
  const refused: string[] = [];
  for (const { directory, file } of archives) {
    const path = directory.replace(/\/+$/, "");
    const why = refusal(path, file, look);
    if (why !== undefined) {
      refused.push(`${file} is not unpacked in ${directory}: ${why}`);
      continue;
    }
    unpack.push({ directory: path, file: file.startsWith("/") ? file : `${files}/${file}` });
    if (!own.some((parent) => isWithin(path, parent))) wanted.push(path);
  }
  const mounts = [...new Set(wanted)].filter(
    (path) => !wanted.some((other) => other !== path && isWithin(path, other)),
  );
  return { mounts, unpack, refused };
}

function refusal(path: string, file: string, look: (path: string) => Present): string | undefined {
  if (/^[a-z]+:\/\//.test(file)) return "nothing is fetched from elsewhere; give a file";
  if (!path.startsWith("/") || /\/\.\.?(\/|$)|\/\//.test(path)) {
    return "it must be an absolute path of a directory, without . and ..";
  }
  const parent = shared.find((one) => isWithin(path, one));
  if (parent !== undefined) return `all nodes share ${parent}; take a directory of the node`;
  if (own.some((one) => isWithin(path, one))) return undefined;
  // What is not there is made, so that nothing of this machine is hidden or written over.
  const present = look(path);
  if (present === "linked") return "a part of that path is a link; name the directory itself";
  return present === "full" ? "it holds files of this machine; take another one" : undefined;
}

function isWithin(path: string, parent: string): boolean {
  return path === parent || path.startsWith(`${parent}/`);
}
