// SPDX-License-Identifier: MIT
// Which archives can be unpacked on nodes, and into which directories, whatever language asks for
// it. Pure. Whether a file is there is the site's knowledge: it is asked only when the catalogue
// lists files. [EMULAB-NS 9]
import type { Catalogue } from "./catalogue.ts";
import type { Archive } from "./model.ts";

export interface ArchiveFault {
  /** Which of the two it is about. */
  readonly part: keyof Archive;
  /** A sentence without its full stop. */
  readonly message: string;
  readonly hint: string;
}

export function directoryFault(
  { directory }: Pick<Archive, "directory">,
  { sharedDirectories }: Catalogue,
): ArchiveFault | undefined {
  const part = "directory";
  if (!directory.startsWith("/")) {
    const message = `'${directory}' is not an absolute path`;
    return { part, message, hint: "Give it from / on." };
  }
  const shared = sharedDirectories.find(
    (root) => directory === root || directory.startsWith(`${root}/`),
  );
  if (shared === undefined) return undefined;
  const message = `'${directory}' is below ${shared}, which all nodes share`;
  return { part, message, hint: "Unpack into a directory that each node has for itself." };
}

export function archiveFileFault(
  { file }: Pick<Archive, "file">,
  { files }: Catalogue,
): ArchiveFault | undefined {
  const refuse = (why: string, hint: string): ArchiveFault => {
    return { part: "file", message: `'${file}' ${why}`, hint };
  };
  if (!/\.(?:tar|tar\.Z|tar\.gz|tgz|tar\.bz2)$/.test(file)) {
    return refuse("is no archive", "Use .tar, .tar.Z, .tar.gz, .tgz or .tar.bz2.");
  }
  const scheme = /^([A-Za-z]+):\/\//.exec(file)?.[1];
  if (scheme !== undefined) {
    if (["http", "https", "ftp", "xxx"].includes(scheme)) return undefined;
    return refuse(`has the unknown scheme ${scheme}`, "Use http, https or ftp.");
  }
  if (files === undefined) return undefined;
  if (!/^\/(?:proj|groups|users)\//.test(file)) {
    return refuse("is not in an allowed directory", "Put it below /proj, /groups or /users.");
  }
  return files.has(file) ? undefined : refuse("does not exist", "The site has no such file.");
}
