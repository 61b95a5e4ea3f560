// SPDX-License-Identifier: MIT
// Hosts for runs with `--on` that are this machine: each a shell with a home and a temporary
// directory of its own, so that nothing but the link of the run connects them.
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { repository, scratch } from "./command.ts";

export interface ShellHosts {
  /** How they are reached. */
  readonly argv: readonly string[];
  /** Whether nothing of a run is left on a host. */
  isEmpty(name: string): boolean;
}

export function shellHosts(...names: readonly string[]): ShellHosts {
  const at = scratch();
  for (const name of names) mkdirSync(join(at, name, "tmp"), { recursive: true });
  const shell = `env HOME=${at}/%h TMPDIR=${at}/%h/tmp sh -c`;
  return {
    argv: ["--remote-shell", shell, "--remote-muster", join(repository, "bin/muster")],
    isEmpty: (name) => readdirSync(join(at, name, "tmp")).length === 0,
  };
}
