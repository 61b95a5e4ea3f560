// SPDX-License-Identifier: MIT
// The command lines that nodes of a run find: the old ones, and `muster` for its barriers.
import { existsSync } from "node:fs";
import { resolve } from "node:path";

const names = [
  ...["emulab-sync", "emulab-syncd", "eventdebug", "loghole", "muster", "startcmddone", "tevc"],
  "tmcc",
];

/** Name -> executable of this installation. */
export function oldTools(): Readonly<Record<string, string>> {
  const bin = resolve(import.meta.dirname, "../../bin");
  const found = names.map((name) => [name, resolve(bin, name)] as const);
  return Object.fromEntries(found.filter(([, path]) => existsSync(path)));
}

/** Path of a command of this installation; undefined when it has none of that name. */
export function installedTool(name: string): string | undefined {
  const path = resolve(import.meta.dirname, "../../bin", name);
  return existsSync(path) ? path : undefined;
}
