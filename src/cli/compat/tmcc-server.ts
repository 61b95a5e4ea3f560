// SPDX-License-Identifier: MIT
// Which server tmcc asks, with which certificates and key, through which proxy. [EMULAB-TMCD 3]
// [EMULAB-TMCD 5] [EMULAB-TMCD 6] Everything read here comes from `Files`, so that tests bring
// their own machine.

import { lookup, Resolver } from "node:dns/promises";
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import type { TmccTarget, TmccTls } from "../../client/tmcc-attempt.ts";
import { alternatePort, mainPort } from "../../wire/tmcd/index.ts";
import type { Exit } from "./exit.ts";
import { scanInteger } from "./getopt.ts";
import { exitCodes, type TmccArguments } from "./tmcc-arguments.ts";

/** The text of a file, or undefined when it cannot be read. */
export type Files = (path: string) => string | undefined;

export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** Where a machine keeps what it was given when it was installed, in the order of searching. */
const folders = [
  "/etc/testbed",
  "/etc/emulab",
  "/etc/rc.d/testbed",
  "/usr/local/etc/testbed",
  "/usr/local/etc/emulab",
];

/** What a host is told at boot; `MUSTER_BOOT` names another folder for the nodes of a run. */
export function bootFolder(environment: NodeJS.ProcessEnv): string {
  return environment["MUSTER_BOOT"] ?? "/var/emulab/boot";
}

export interface BossName {
  readonly host: string;
  readonly port: number | undefined;
}

/**
 * `-s`, the environment, the first `bossnode` file, the name of the first name server.
 * @param nameServer finds the last of these; it may take long and is asked only then
 */
export async function findBoss(
  server: string | undefined,
  environment: NodeJS.ProcessEnv,
  files: Files,
  nameServer: () => Promise<string | undefined> = reverseNameServer,
): Promise<BossName> {
  if (server !== undefined) return { host: server, port: undefined };
  // Empty is absent: scripts clear a variable by setting it to nothing.
  const named = environment["BOSSNAME"] || firstBossNode(environment, files);
  return parseBossName(named ?? (await nameServer()) ?? "UNKNOWN");
}

function firstBossNode(environment: NodeJS.ProcessEnv, files: Files): string | undefined {
  // Nodes of a run may share one root directory; their own file goes first.
  const own = environment["MUSTER_BOOT"];
  for (const folder of own === undefined ? folders : [own, ...folders]) {
    const line = files(`${folder}/bossnode`)?.split("\n", 1)[0]?.trim();
    if (line !== undefined && line !== "") return line;
  }
  return undefined;
}

/** `name[:port]` */
function parseBossName(text: string): BossName {
  const colon = text.indexOf(":");
  if (colon === -1) return { host: text, port: undefined };
  const port = scanInteger(text.slice(colon + 1));
  const isPort = port !== undefined && port > 0 && port < 65_536;
  return { host: text.slice(0, colon), port: isPort ? port : undefined };
}

async function reverseNameServer(): Promise<string | undefined> {
  const resolver = new Resolver({ timeout: 2_000, tries: 1 });
  const [first = ""] = resolver.getServers();
  try {
    return (await resolver.reverse(first.replace(/:\d+$/, "")))[0];
  } catch {
    return undefined;
  }
}

/** An address of the host; undefined when there is none. */
export async function resolveHost(host: string): Promise<string | undefined> {
  if (isIP(host) !== 0) return host;
  try {
    return (await lookup(host, { family: 4 })).address;
  } catch {
    return undefined;
  }
}

export async function findTargets(
  given: TmccArguments,
  environment: NodeJS.ProcessEnv,
  files: Files,
): Promise<readonly TmccTarget[] | Exit> {
  const path = given.proxyPath ?? localProxy(given, environment, files);
  if (path !== undefined) return [{ kind: "unix", path }];
  const boss = await findBoss(given.server, environment, files);
  const address = await resolveHost(boss.host);
  if (address === undefined) {
    const stderr = `tmcc: there is no host ${boss.host}; name the server with -s\n`;
    return { kind: "exit", code: exitCodes.usage, stderr };
  }
  const port = given.port ?? boss.port;
  const ports = port === undefined ? [mainPort, alternatePort] : [port];
  // A datagram goes to the first port only.
  if (given.isUdp) return [{ kind: "udp", address, port: ports[0] ?? mainPort }];
  return ports.map((one) => ({ kind: "tcp", address, port: one }));
}

/** Nodes that share an address have a proxy that says who they are. */
function localProxy(
  { avoidsProxy, server, keyFile, servePath, serveInet }: TmccArguments,
  environment: NodeJS.ProcessEnv,
  files: Files,
): string | undefined {
  if (avoidsProxy || servePath !== undefined || serveInet !== undefined) return undefined;
  if (server !== undefined || keyFile !== undefined) return undefined;
  const path = files(`${bootFolder(environment)}/proxypath`)?.trim();
  return path === "" ? undefined : path;
}

/** Both certificates of the first folder that has them; without them nothing is encrypted. */
export function findTls(
  given: Pick<TmccArguments, "isPlain" | "usesTpm" | "isTlsLegacy" | "isUdp">,
  environment: NodeJS.ProcessEnv,
  files: Files,
): TmccTls | undefined {
  if (given.isPlain || given.isUdp || environment["TMCCNOSSL"] !== undefined) return undefined;
  for (const folder of folders) {
    const authority = files(`${folder}/emulab.pem`);
    const name = given.usesTpm ? "tpm.cert" : "client.pem";
    const certificate = files(`${folder}/${name}`);
    const key = given.usesTpm ? files(`${folder}/tpm.key`) : certificate;
    if (authority === undefined || certificate === undefined || key === undefined) continue;
    return { authority, certificate, key, versions: given.isTlsLegacy ? "legacy" : "modern" };
  }
  return undefined;
}

/** The key of a widearea node, its first line; undefined for a machine that has none. */
export function findPrivateKey(
  { keyFile, proxyPath }: TmccArguments,
  files: Files,
): string | undefined | Exit {
  const over = proxyPath === undefined ? files("/etc/emulab/emulab-privkey") : undefined;
  const text = over ?? files(keyFile ?? "/etc/emulab.pkey");
  if (keyFile !== undefined && files(keyFile) === undefined) {
    const stderr = `tmcc: cannot read the key file ${keyFile}\n`;
    return { kind: "exit", code: exitCodes.usage, stderr };
  }
  return text?.split("\n", 1)[0]?.trim();
}
