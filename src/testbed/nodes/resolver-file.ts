// SPDX-License-Identifier: MIT
// The resolver file of a node, `/etc/resolv.conf`: its own, so that a program which writes there
// changes no other node and not this machine.
import { readFileSync, readlinkSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

export const resolverPath = "/etc/resolv.conf";

/** A network of its own leads to no name server, and asking one would take the resolver's time. */
const noServer = `# The names of this network are in /etc/hosts: no name server can be reached from it, and
# without one named here a question for another name fails at once.
`;

/** As a node begins: what this machine asks, where it has the machine's network. */
export function resolverText(hasOwnNetwork: boolean): string {
  if (hasOwnNetwork) return noServer;
  try {
    return readFileSync(resolverPath, "utf8");
  } catch {
    return "";
  }
}

/**
 * Whether a file can be mounted over `path` on a node: this machine has one there, and what leads
 * to it is there on nodes, too. Links of a link are followed one by one as the node would.
 *
 * @param without directories of this machine that nodes do not see.
 */
export function isMountedOver(path: string, without: readonly string[]): boolean {
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return false;
  let at = path;
  for (let links = 0; links < linksMax; links += 1) {
    if (without.some((directory) => at.startsWith(`${directory}/`))) return false;
    const target = readLink(at);
    if (target === undefined) return true;
    at = resolve(dirname(at), target);
  }
  return false;
}

/** As many as the kernel follows. */
const linksMax = 40;

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
