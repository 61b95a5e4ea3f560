// SPDX-License-Identifier: MIT
// `muster doctor [--clean]`: what nodes and links can be on this machine, tried by doing it, and
// what it lacks for more, with the command that brings it.
import { errorText } from "../../core/text.ts";
import { systemClock } from "../../host/clock.ts";
import { type BackendProbe, probeBackends } from "../../network/choose-backend.ts";
import { networkLimits } from "../../network/network-limits.ts";
import { carries, fullPacketsBps } from "../../network/overload.ts";
import { createUnshapedLinks } from "../../network/unshaped-links.ts";
import {
  findLeftovers,
  type KernelPart,
  type NetworkProbe,
  NodesError,
  probeNetwork,
  refuseRunDirectory,
  removeLeftovers,
} from "../../testbed/nodes/index.ts";
import { findProgram } from "../../testbed/nodes/system-programs.ts";
import { planNetwork } from "../../testbed/plan-network.ts";
import { exitCodes } from "../exit-codes.ts";
import { CommandError, type CommandIo } from "../io.ts";
import { plural } from "../output.ts";

export interface DoctorArguments {
  readonly clean: boolean;
  readonly json: boolean;
}

/** Programs of the system, the Debian package of each, and what is not there without it. */
const programs: readonly (readonly [name: string, debian: string, what: string])[] = [
  ["unshare", "util-linux", "nodes with namespaces"],
  ["nsenter", "util-linux", "nodes with namespaces"],
  ["ip", "iproute2", "nodes with a network of their own"],
  ["tc", "iproute2", "links shaped by the kernel (netem)"],
  ["ethtool", "ethtool", "links shaped by the delay node"],
  ["ping", "iputils-ping", "ping in your programs"],
  ["iperf3", "iperf3", "iperf3 in your programs"],
  ["tcpdump", "tcpdump", "tcpdump in your programs"],
  ["csh", "csh", "commands of NS files as the testbed ran them"],
];

/** @returns the exit status. @throws CommandError */
export async function doctorCommand(argv: DoctorArguments, io: CommandIo): Promise<number> {
  const nowhere = refuseRunDirectory();
  if (nowhere !== undefined) {
    throw new CommandError(exitCodes.failed, `no run is possible here: ${nowhere}`);
  }
  const found = findLeftovers();
  const probe = await probeMachine();
  const backends = probe.hasNetwork ? await shapers() : [];
  // What is tried is a run, which removes some of what others have left.
  const left = findLeftovers().filter(({ runId }) => found.some((one) => one.runId === runId));
  const kept = argv.clean ? await removeLeftovers(left, systemClock) : left;
  const missing = programs.filter(([name]) => findProgram(name) === undefined);
  const isRoot = process.geteuid?.() === 0;
  const leftovers = { found: found.length, removed: found.length - kept.length };
  if (argv.json) {
    const lacks = missing.map(([name, debian, without]) => ({ name, package: debian, without }));
    const nodes = probe.hasNetwork ? "netns" : "process";
    io.stdout(
      `${JSON.stringify({ ...probe, nodes, isRoot, missing: lacks, leftovers }, null, 2)}\n`,
    );
  } else {
    const lines = [
      ...describeNodes(probe, isRoot),
      ...describeLinks(probe, backends),
      ...missing.map(([name, debian, what]) => {
        return `lacks     ${name}: no ${what}; apt-get install ${debian}`;
      }),
      describeLeftovers(leftovers, argv.clean),
    ];
    io.stdout(`${lines.join("\n")}\n`);
  }
  return argv.clean && kept.length > 0 ? exitCodes.failed : exitCodes.ok;
}

/** @throws CommandError when no run is possible at all */
async function probeMachine(): Promise<NetworkProbe> {
  const at = { file: "", line: 1, column: 1 };
  const shape = { bandwidthBps: 0, delayUs: 0, loss: 0 };
  const names = ["a", "b"];
  const members = names.map((node, index) => {
    return { node, port: 0, address: `10.1.1.${index + 2}`, toLink: shape, fromLink: shape };
  });
  const link = { name: "link", kind: "link", netmask: "255.255.255.0", members, at } as const;
  const network = planNetwork({
    experiment: {
      nodes: names.map((name) => {
        return { name, osName: "", hardwareType: "", failureAction: "fatal" as const, at };
      }),
      links: [link],
    },
    wanted: undefined,
    shapeLinks: (commands) => ({ backend: createUnshapedLinks(commands), plans: new Map() }),
  });
  if (network === undefined) throw new Error("a link is a network");
  const nodes = members.map(({ node, address }) => {
    return { name: node, links: [{ link: link.name, experiment: address }] };
  });
  try {
    return await probeNetwork({ clock: systemClock, nodes, network });
  } catch (error) {
    if (!(error instanceof NodesError)) throw error;
    throw new CommandError(exitCodes.failed, `no run is possible here: ${error.message}`);
  }
}

/** As a run finds out. @throws CommandError */
async function shapers(): Promise<readonly BackendProbe[]> {
  try {
    return await probeBackends();
  } catch (error) {
    throw new CommandError(exitCodes.failed, errorText(error));
  }
}

function describeNodes(probe: NetworkProbe, isRoot: boolean): readonly string[] {
  const kind = probe.hasNetwork
    ? "netns: name spaces with a network of their own"
    : probe.mode === "namespace"
      ? "process: name spaces, with the network of this machine"
      : "process: told apart by their environment alone";
  const root = isRoot
    ? "root      you are: programs are root of this machine, with limits of memory and processes"
    : "root      would add (sudo muster run FILE): limits of memory and processes for each node, " +
      "other users on nodes, a delay node that goes before other programs";
  return [`nodes     ${kind}`, ...probe.lost.map((one) => `          ${one}`), root];
}

/** What a run would choose, and what it would choose from. Pure. */
export function describeLinks(
  { hasNetwork, parts }: Pick<NetworkProbe, "hasNetwork" | "parts">,
  backends: readonly BackendProbe[],
): readonly string[] {
  if (!hasNetwork) return ["links     none: nodes share the network of this machine"];
  const fault = (name: KernelPart["name"]): string =>
    parts.find((part) => part.name === name)?.fault ?? "";
  const rows = parts.map(({ name, fault: why }) => {
    return `          ${name.padEnd(7)} ${why === "" ? "works" : `no: ${why}`}`;
  });
  const can = backends.find(({ problem }) => problem === undefined)?.kind ?? "none";
  const why = backends.map(({ kind, problem }) => `${kind}: ${problem}`).join("; ");
  const words = {
    netem: "netem: the kernel shapes them, which is the best there is",
    "delay-node": "delay-node: a process of Muster shapes them, because netem does not work here",
    none: `none: nodes are connected, and nothing works that shapes their links (${why})`,
  };
  const { delayNodePacketsPerSecond } = networkLimits;
  const most = carries(fullPacketsBps(delayNodePacketsPerSecond), delayNodePacketsPerSecond);
  const carried = `          one link carries ${most}; a run warns of those that ask for more`;
  // Not every kernel has modules; then the command says so.
  const modules =
    can === "none" && fault("vxlan") !== "" ? "vxlan" : fault("netem") !== "" ? "sch_netem" : "";
  const help = `          ${modules} may be a module that is not loaded; as root: modprobe ${modules}`;
  const more = can === "delay-node" ? [carried] : [];
  return [`links     ${words[can]}`, ...more, ...rows, ...(modules === "" ? [] : [help])];
}

/** Pure. */
export function describeLeftovers(
  { found, removed }: { readonly found: number; readonly removed: number },
  isCleaned: boolean,
): string {
  if (found === 0) return "leftovers none";
  const [gone, left] = [removed, found - removed].map((count) => plural(count, "run"));
  const rest = isCleaned
    ? `${found - removed} would not go, try again as root`
    : `of ${left} whose Muster was killed; muster doctor --clean removes them`;
  const parts = [
    ...(removed > 0 ? [`of ${gone} removed`] : []),
    ...(removed < found ? [rest] : []),
  ];
  return `leftovers ${parts.join("; ")}`;
}
