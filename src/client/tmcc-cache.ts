// SPDX-License-Identifier: MIT
// The command cache: one file per command, filled from a full configuration. [EMULAB-TMCD 6]
//
//   K1. Only a command without arguments is answered from it.
//   K2. It is filled beside the old one and put in its place whole.
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findCommand } from "../wire/tmcd/index.ts";

/** Where the cache of a node, or of a virtual node on it, lies. */
export function cacheFolder(boot: string, vnodeId: string | undefined): string {
  return join(boot, vnodeId === undefined ? "tmcc" : `tmcc.${vnodeId}`);
}

/** K1. @returns the reply, or undefined when the server has to be asked. */
export function readCache(folder: string, words: readonly string[]): string | undefined {
  const [command = ""] = words;
  // Commands only: a word with slashes would read files elsewhere.
  if (words.length !== 1 || findCommand(command)?.name !== command) return undefined;
  try {
    return readFileSync(join(folder, command), "utf8");
  } catch {
    return undefined;
  }
}

/** K2. @throws Error of the file system. */
export function fillCache(folder: string, parts: ReadonlyMap<string, string>): void {
  const fresh = `${folder}.${process.pid}.new`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  for (const [command, reply] of parts) {
    if (findCommand(command)?.name !== command) continue;
    // The secret in it ends the machine of whoever tells it.
    const mode = command === "ipodinfo" ? 0o600 : 0o644;
    writeFileSync(join(fresh, command), reply, { mode });
  }
  clearCache(folder);
  renameSync(fresh, folder);
}

export function clearCache(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}
