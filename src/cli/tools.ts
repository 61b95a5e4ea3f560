// SPDX-License-Identifier: MIT
// The command lines that nodes of a run find: those that the old nodes had, and `muster` for its
// barriers.
import { existsSync } from "node:fs";
import { resolve } from "node:path";

const names = [
  ...["emulab-sync", "emulab-syncd", "eventdebug", "evproxy", "loghole", "ltevent", "muster"],
  ...["program-agent", "startcmddone", "tevc", "tmcc", "trafgen"],
];

/** On nodes it has its old name, which no file of this installation has. */
const renamed = [["run_linktest", "run-linktest"]] as const;

/** Name -> executable of this installation. */
export function oldTools(): Readonly<Record<string, string>> {
  const bin = resolve(import.meta.dirname, "../../bin");
  const files = [...names.map((name) => [name, name] as const), ...renamed];
  const found = files.map(([name, file]) => [name, resolve(bin, file)] as const);
  return Object.fromEntries(found.filter(([, path]) => existsSync(path)));
}

/** Path of a command of this installation; undefined when it has none of that name. */
export function installedTool(name: string): string | undefined {
  const path = resolve(import.meta.dirname, "../../bin", name);
  return existsSync(path) ? path : undefined;
}
