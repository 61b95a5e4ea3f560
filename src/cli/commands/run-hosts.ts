// SPDX-License-Identifier: MIT
// `muster run --on HOST,...`: which machines the nodes of a run are on, how they are reached and
// what runs there; and what a file may have that is not built for nodes of other machines.
import { createHash } from "node:crypto";
import { createReadStream, statSync } from "node:fs";
import { isIPv4 } from "node:net";
import { machine, userInfo } from "node:os";
import { resolve } from "node:path";
import { isSea } from "node:sea";
import { pipeline } from "node:stream/promises";
import { LaunchError, type RemotePlace, RemoteShell } from "../../events/launch/index.ts";
import type { Experiment } from "../../experiment/model.ts";
import {
  type AgentSource,
  type HostWish,
  type MachinesWish,
  overShell,
  refusalForHosts,
} from "../../testbed/machines/index.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError } from "../io.ts";
import { musterVersion } from "../version.ts";
import type { RunArguments } from "./run-arguments.ts";

/** Asks for nothing: nobody is there who could answer. */
const usualShell = "ssh -o BatchMode=yes %h";
const usualShellOfUser = "ssh -o BatchMode=yes %u@%h";
/** Hosts of one run. */
const hostsMax = 200;
/** Nodes that a host may be said to have room for. */
const capacityMax = 10_000;

/** @returns undefined when nodes are on this machine. @throws CommandError */
export async function planMachines(argv: RunArguments): Promise<MachinesWish | undefined> {
  const { on, remoteShell, remoteMuster, hostAddress = [] } = argv;
  if (on === undefined) {
    const reaching = [remoteShell, remoteMuster, ...hostAddress];
    if (reaching.every((one) => one === undefined)) return undefined;
    throw wrong(
      "--remote-shell, --remote-muster and --host-address say how to reach the hosts of --on; give it",
    );
  }
  refuseWithoutNetwork(argv);
  const asked = parseHosts(on);
  const names = asked.map(({ place }) => place.host);
  const addresses = parseAddresses(hostAddress, names);
  const hasUser = on.some((text) => text.includes("@"));
  try {
    const shell = new RemoteShell(remoteShell ?? (hasUser ? usualShellOfUser : usualShell));
    for (const { place } of asked) shell.argvFor(place, ["true"]);
    const agent = await planAgent(remoteMuster);
    const hosts = asked.map(({ place, ...rest }): HostWish => {
      const name = place.host;
      const address = addresses.get(name);
      return { ...rest, name, address, connect: overShell({ name, place, shell, agent }) };
    });
    return { hosts, version: musterVersion() };
  } catch (error) {
    if (error instanceof LaunchError) throw wrong(`--on: ${error.message}`);
    throw error;
  }
}

/** A host as `--on` names it. */
export interface NamedHost extends Pick<HostWish, "capacity" | "types"> {
  readonly place: RemotePlace;
}

/** @throws CommandError */
export function parseHosts(on: readonly string[]): readonly NamedHost[] {
  const hosts = on.flatMap((text) => text.split(",")).map(parseHost);
  const names = hosts.map(({ place }) => place.host);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw wrong(`--on names ${twice} twice; say its room once, ${twice}:N`);
  if (hosts.length > hostsMax) throw wrong(`--on: ${hosts.length} hosts; at most ${hostsMax}`);
  return hosts;
}

function parseHost(text: string): NamedHost {
  const [, user, host = "", room, types] =
    /^(?:([^@:=]+)@)?([^@:=]+)(?::(\d+))?(?:=([\w.-]+(?:\+[\w.-]+)*))?$/.exec(text) ?? [];
  const capacity = room === undefined ? undefined : Number(room);
  if (host === "" || capacity === 0 || (capacity ?? 1) > capacityMax) {
    throw wrong(
      `--on ${text}: give [USER@]HOST[:N][=TYPE+TYPE], N the number of nodes, 1 to ${capacityMax}`,
    );
  }
  const place = { host, user: user ?? userInfo().username };
  return { place, capacity, types: types?.split("+") ?? [] };
}

/** Host -> where others reach it. @throws CommandError */
export function parseAddresses(
  texts: readonly string[],
  hosts: readonly string[],
): ReadonlyMap<string, string> {
  return new Map(
    texts.map((text) => {
      const [host = "", address = "", ...more] = text.split("=");
      const isNamed = hosts.includes(host);
      if (isNamed && isIPv4(address) && more.length === 0) return [host, address];
      const why = isNamed ? "ADDRESS is an IPv4 address" : `--on names no ${host}`;
      throw wrong(`--host-address ${text}: give HOST=ADDRESS; ${why}`);
    }),
  );
}

function refuseWithoutNetwork({ nodes, links, linktest }: RunArguments): void {
  const asked =
    (links !== undefined && `--links ${links}`) || (linktest && `--linktest ${linktest}`);
  if (!asked || nodes === "netns") return;
  throw wrong(
    `${asked}: nodes of other machines have no network of their own unless --nodes netns is said; ` +
      "say it, or leave that out",
  );
}

/** Before anything is started. @throws CommandError */
export function checkForHosts(experiment: Experiment, nodes: RunArguments["nodes"]): void {
  const network = nodes === "netns" ? "own" : "shared";
  const refusal = refusalForHosts({ experiment, network });
  if (refusal !== undefined) throw new CommandError(exitCodes.refused, refusal);
}

/** @throws CommandError */
async function planAgent(remoteMuster: string | undefined): Promise<AgentSource> {
  if (remoteMuster !== undefined) {
    const argv = remoteMuster.split(/\s+/).filter((word) => word !== "");
    if (argv.length === 0) throw wrong("--remote-muster: name a command of the hosts");
    return { kind: "command", argv };
  }
  const path = isSea() ? process.execPath : resolve(import.meta.dirname, "../single/muster");
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  if (size === undefined) {
    throw new CommandError(
      exitCodes.unavailable,
      `--on copies ${path} to the hosts, which is not there; make it by npm run build:single, ` +
        "or name a muster of theirs by --remote-muster COMMAND",
    );
  }
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return {
    kind: "executable",
    path,
    bytes: size,
    checksum: hash.digest("hex"),
    machine: machine(),
  };
}

function wrong(message: string): CommandError {
  return new CommandError(exitCodes.usage, message);
}
