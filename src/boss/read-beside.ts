// SPDX-License-Identifier: MIT
// Reads the files that an experiment file names by `source`: only plain files in its directory and
// below, wherever symbolic links lead, and none larger than an experiment file may be.
import { readFileSync, realpathSync, statSync } from "node:fs";
import { dirname, isAbsolute, relative, resolve } from "node:path";
import { fileBytesMax } from "../experiment/index.ts";

/** @param file absolute path of the experiment file. @returns the reader; undefined for no file. */
export function readBeside(file: string): (name: string) => string | undefined {
  return (name) => {
    try {
      const root = realpathSync(dirname(file));
      const target = realpathSync(resolve(root, name));
      const way = relative(root, target);
      if (way === "" || way.startsWith("..") || isAbsolute(way)) return undefined;
      // Asked for before it is opened: opening a pipe would wait for somebody to write.
      const status = statSync(target);
      const isReadable = status.isFile() && status.size <= fileBytesMax;
      return isReadable ? decode(readFileSync(target)) : undefined;
    } catch {
      // Not there, not readable, a loop of links: the file that asked gets the error.
      return undefined;
    }
  };
}

/** UTF-8, or one character per byte for older files. */
export function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return Buffer.from(bytes).toString("latin1");
  }
}
