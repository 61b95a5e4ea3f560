// SPDX-License-Identifier: MIT
// Which server emulab-sync asks: `-s` and `-p`, else the boot file. [EMULAB-SYNC 4] [EMULAB-SYNC 5]
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { exitCodes, fail, type SyncArguments } from "./emulab-sync-arguments.ts";
import type { Exit } from "./exit.ts";
import { scanInteger } from "./getopt.ts";

export interface ServerName {
  readonly host: string;
  readonly port: number | undefined;
}

const advice = `Error: Could not deduce the name of the syncserver!
  Name it with -s and -p, or write HOST:PORT as the first line of the file
  /var/emulab/boot/syncserver (in an experiment: $MUSTER_BOOT/syncserver).
  In an experiment file, tb-set-sync-server $node chooses the node that
  runs the server; without it the first node does.
`;

const hostAdvice =
  "check the name (-s, or the boot file's first line), or give the server's address\n";

/** What a host is told at boot; `MUSTER_BOOT` names another folder for the nodes of a run. */
export function bootFile(environment: NodeJS.ProcessEnv): string {
  return `${environment["MUSTER_BOOT"] ?? "/var/emulab/boot"}/syncserver`;
}

/** The server's name and port. With `-s` the boot file is not read; its port goes before `-p`. */
export function findServer(
  { server, port }: Pick<SyncArguments, "server" | "port">,
  readBootFile: () => string | undefined,
): ServerName | Exit {
  if (server !== undefined) return { host: server, port };
  const line = readBootFile()?.split("\n", 1)[0]?.trim() ?? "";
  const colon = line.lastIndexOf(":");
  const host = colon === -1 ? line : line.slice(0, colon);
  if (host === "") return fail(advice);
  const named = colon === -1 ? undefined : scanInteger(line.slice(colon + 1));
  const isPort = named !== undefined && named > 0 && named < 65_536;
  return { host, port: isPort ? named : port };
}

export function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/** @returns an IPv4 address (an IPv6 one only where it was given as such), or how to end. */
export async function resolveHost(host: string): Promise<string | Exit> {
  if (isIP(host) !== 0) return host;
  const { lookup } = await import("node:dns/promises");
  try {
    const { address } = await lookup(host, { family: 4 });
    return address;
  } catch {
    const stderr = `gethostbyname(${host}) failed\n${hostAdvice}`;
    return { kind: "exit", code: exitCodes.unknownHost, stderr };
  }
}

/**
 * Whether this host is the server. In a run all nodes may share one machine and its addresses, so
 * there the node's own name decides.
 */
export async function isMaster(address: string, environment: NodeJS.ProcessEnv): Promise<boolean> {
  const node = environment["MUSTER_NODE"];
  const master = environment["MUSTER_SYNC_NODE"];
  if (node !== undefined && master !== undefined) return node === master;
  const { networkInterfaces } = await import("node:os");
  return Object.values(networkInterfaces()).some((list) =>
    list?.some((own) => own.address === address),
  );
}
