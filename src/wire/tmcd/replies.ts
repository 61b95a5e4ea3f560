// SPDX-License-Identifier: MIT
// Replies about who a node is and what runs on it. Every format function returns the whole reply,
// or nothing when there is nothing to say. [EMULAB-TMCD 9] Versions: [EMULAB-TMCD 7]
import { fields, lines } from "./reply-text.ts";
import type { MountRow, Mounts, ProgramRow, TrafficRow, WatchIntervals } from "./rows.ts";

export function formatStatus(
  reserved: { readonly pid: string; readonly eid: string } | undefined,
  nickname: string,
): string {
  if (reserved === undefined) return lines(["FREE"]);
  return lines([`ALLOCATED=${reserved.pid}/${reserved.eid} NICKNAME=${nickname}`]);
}

export function formatCreator(creator: string, swapper: string, version: number): string {
  return lines([version > 20 ? `CREATOR=${creator} SWAPPER=${swapper}` : `CREATOR=${creator}`]);
}

/** @param server the full name of the sync server's node. */
export function formatSyncServer(server: string, isServer: boolean): string {
  return lines([`SYNCSERVER SERVER='${server}' ISSERVER=${isServer ? 1 : 0}`]);
}

export function formatReadyCount(ready: number, total: number): string {
  return lines([`READY=${ready} TOTAL=${total}`]);
}

export function formatStartupCommand(command: string, swapper: string): string {
  return command === "" ? "" : lines([`CMD='${command}' UID=${swapper}`]);
}

/** The programs of one node; without any not even the user is named. */
export function formatPrograms(
  programs: readonly ProgramRow[],
  swapper: string,
  version: number,
): string {
  if (programs.length === 0) return "";
  return lines([`UID=${swapper}`, ...programs.map((program) => formatProgram(program, version))]);
}

function formatProgram(program: ProgramRow, version: number): string {
  const optional: readonly (readonly [string, string])[] = [
    ["DIR", program.directory],
    ["TIMEOUT", program.timeout],
    ["EXPECTED_EXIT_CODE", program.expectedExitCode],
  ];
  const given = version >= 23 ? optional.filter(([, value]) => value !== "") : [];
  const command: readonly (readonly [string, string])[] =
    version >= 13 ? [["COMMAND", `'${program.command}'`]] : [];
  return fields([["AGENT", program.name], ...given, ...command]);
}

export function formatUserEnvironment(
  environment: readonly (readonly [name: string, value: string])[],
): string {
  return lines(environment.map(([name, value]) => `${name}=${value}`));
}

export function formatEventKey(key: string | undefined): string {
  return key === undefined ? "" : lines([`EVENTKEY KEY='${key}'`]);
}

export function formatKeyHash(hash: string | undefined): string {
  return hash === undefined ? "" : lines([`KEYHASH HASH='${hash}'`]);
}

/** An end without an address goes by the name of the node's first interface. */
export function formatTraffic(rows: readonly TrafficRow[]): string {
  return lines(
    rows.map((row) =>
      fields([
        ["TRAFGEN", row.name],
        ["MYNAME", row.address === "" ? `${row.node}-0` : row.address],
        ["MYPORT", row.port],
        ["PEERNAME", row.peerAddress === "" ? `${row.peerNode}-0` : row.peerAddress],
        ["PEERPORT", row.peerPort],
        ["PROTO", row.protocol],
        ["ROLE", row.role],
        ["GENERATOR", row.generator],
      ]),
    ),
  );
}

export function formatPort(port: number, nodeName: string): string {
  return lines([`PORT=${port} NODEID=${nodeName}`]);
}

export function formatMounts(mounts: Mounts | undefined, version: number): string {
  if (mounts === undefined) return "";
  const prefix = mounts.fileSystem === "SFS" ? "SFS " : "";
  const one = ({ remote, local }: MountRow): string =>
    `${prefix}${remote === undefined ? "" : `REMOTE=${remote} `}LOCAL=${local}`;
  const head = version >= 32 ? [`FSTYPE=${mounts.fileSystem}`] : [];
  return lines([...head, ...mounts.rows.map(one)]);
}

/** @param update 1 when the node's accounts are out of date. */
export function formatUpdate(update: 0 | 1): string {
  return lines([`UPDATE=${update}`]);
}

export function formatWatchIntervals(given: WatchIntervals, version: number): string {
  return lines([
    fields([
      ["INTERVAL", given.interval],
      ["ISALIVE", given.isAlive],
      ["NTPDRIFT", given.ntpDrift],
      ["CVSUP", given.cvsup],
      ["RUSAGE", given.rusage],
      ["HOSTKEYS", given.hostKeys],
      ["DHCPDCONF", given.dhcpdConf],
      ...(version >= 29 ? [["SETROOTPSWD", given.rootPassword] as const] : []),
    ]),
  ]);
}

export function formatNtp(servers: readonly string[], drift: string | undefined): string {
  return lines([
    ...servers.map((server) => `SERVER=${server}`),
    ...(drift === undefined ? [] : [`DRIFT=${drift}`]),
  ]);
}

export function formatVirtualNodes(
  nodes: readonly { readonly id: string; readonly isJailed: boolean }[],
): string {
  return lines(nodes.map(({ id, isJailed }) => `VNODEID=${id} JAILED=${isJailed ? 1 : 0}`));
}

export function formatPingOfDeath(host: string, hash: string): string {
  return lines([`HOST=${host} MASK=255.255.255.255 HASH=${hash}`]);
}

/** Constants of the idle watch. */
export function formatIdleWatch(): string {
  return lines(["reg=300 agg=5 load=1 expt=5 ctl=1000"]);
}

export function formatRpms(rpms: readonly string[]): string {
  return lines(rpms.map((rpm) => `RPM=${rpm}`));
}

export function formatTarballs(
  tarballs: readonly { readonly directory: string; readonly file: string }[],
): string {
  return lines(tarballs.map(({ directory, file }) => `DIR=${directory} TARBALL=${file}`));
}

/** Files that every node unpacks; not before version 33. */
export function formatBlobs(
  blobs: readonly { readonly path: string; readonly action: string }[],
  version: number,
): string {
  if (version < 33) return "";
  return lines(blobs.map(({ path, action }) => `URL=frisbee://${path} ACTION=${action}`));
}

/** One value alone: the id, the role. */
export function formatWord(word: string): string {
  return lines([word]);
}
