// SPDX-License-Identifier: MIT
// Machines that have joined `muster serve`, as an experiment is told of them that is brought up
// there: `muster up FILE --on NAME,...`.
import { BossError, type FindMachines } from "../../boss/index.ts";
import { isHostName, type JoinedHosts } from "../../edges/hosts/index.ts";
import { connectStream, type HostWish, type MachinesWish } from "../../testbed/machines/index.ts";
import { musterVersion } from "../version.ts";

/** @throws BossError for machines that have not joined */
export function joinedMachines(
  hosts: JoinedHosts,
  ...[names, addresses]: Parameters<FindMachines>
): MachinesWish {
  const wishes = names.map((name): HostWish => {
    const host = hosts.find(name);
    if (host === undefined) throw new BossError("BAD_REQUEST", notJoined(name, hosts.names()));
    const { capacity, types } = host;
    return {
      ...{ name, capacity, types, address: addresses.get(name) },
      connect: async (how) => await connectStream(await hosts.open(name, how.interrupt), how),
    };
  });
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new BossError("BAD_REQUEST", `--on names ${twice} twice`);
  return { hosts: wishes, version: musterVersion() };
}

function notJoined(name: string, there: readonly string[]): string {
  if (!isHostName(name)) {
    // As `muster run` takes them: [USER@]HOST[:N][=TYPE].
    const advice = "room and types are told by muster node join (--capacity, --types)";
    return `--on ${name}: give names of machines that have joined, with commas between; ${advice}`;
  }
  const who = there.length === 0 ? "no machine has" : `these have: ${there.join(", ")}`;
  return `no machine has joined as ${name}; ${who}; on it: muster node join ${name} --server URL`;
}
