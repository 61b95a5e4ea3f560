// SPDX-License-Identifier: MIT
// The network of nodes on several hosts: who shapes its links, decided with what works on every
// host; what each of them makes; and what lies between those that links join.
import { errorText } from "../../core/text.ts";
import type { Clock } from "../../host/clock.ts";
import type { ShapedLink } from "../../network/model.ts";
import type { PlannedInterface } from "../../network/topology.ts";
import { type BackendOptions, type NodeLinks, NodesError } from "../nodes/index.ts";
import { type PathOpened, readMeasure, readOpened } from "./agent-network.ts";
import type { HostLink } from "./host-link.ts";
import { type CrossingLink, describePath, type HostPath, HostPaths } from "./host-paths.ts";
import { HostsLinks } from "./hosts-links.ts";
import {
  chooseForHosts,
  type HostsNetwork,
  type NetworkShare,
  readProbes,
  type SharedPaths,
  shareOf,
} from "./network-share.ts";
import type { Placement } from "./placement.ts";

export interface RemoteNetwork {
  readonly links: NodeLinks;
  /** What a host makes that these nodes are on. */
  shareOf(own: readonly string[], host: string): NetworkShare;
  /**
   * Once all nodes are up: what lies between hosts, and links as they are to be. @throws NodesError
   */
  measure(): Promise<void>;
  /** The links of a host are no more what they should be. */
  fail(host: string, why: string): void;
  stop(): Promise<void>;
}

interface AskedNetwork {
  readonly network?: HostsNetwork | undefined;
  readonly options: Pick<BackendOptions, "clock" | "onMessage">;
  readonly wish: {
    readonly hosts: readonly { readonly name: string; readonly address?: string | undefined }[];
  };
}

export interface RemoteNetworkWish {
  readonly start: AskedNetwork;
  readonly placement: Placement;
  readonly hosts: readonly HostLink[];
}

/** @returns undefined where none is asked for. @throws NodesError when it cannot be */
export async function planRemoteNetwork(
  wish: RemoteNetworkWish,
): Promise<RemoteNetwork | undefined> {
  const { start, placement } = wish;
  const { network, options } = start;
  if (network === undefined) return undefined;
  const hosts = wish.hosts.filter(({ name }) => [...placement.values()].includes(name));
  const crossing = network.shapes.flatMap((shape) => crossingOf(shape, placement) ?? []);
  const kind = await chooseKind(network, { start, hosts, crossing });
  const opened = await openPaths(start, hosts, crossing);
  const share: RemoteNetwork["shareOf"] = (own, host) => {
    const paths = pathsOf(host, { network, crossing, opened });
    return shareOf(network, own, { kind, paths });
  };
  if (kind === "none") return unshapedOn(share);
  const paths = new HostPaths(crossing);
  const { clock } = options;
  const shaped = linksOf(network.shapes, { kind, placement, hosts, clock, paths });
  return {
    links: { links: kind, shaped, failed: shaped.failed },
    shareOf: share,
    fail: (host, why) => shaped.fail(host, why),
    stop: () => shaped.stop(),
    async measure() {
      if (crossing.length === 0) return;
      const measured = await measureAll(hosts, crossing);
      for (const path of measured) paths.add(path);
      const text = measured.map(describePath).join("; ");
      start.options.onMessage("info", null, `paths between hosts: ${text}`);
      await asNodesError(shaped.measured(crossing.map(({ name }) => name)));
    },
  };
}

function unshapedOn(share: RemoteNetwork["shareOf"]): RemoteNetwork {
  const failed = Promise.withResolvers<string>();
  return {
    links: { links: "none", failed: failed.promise },
    shareOf: share,
    measure: () => Promise.resolve(),
    fail: (host, why) => failed.resolve(`on ${host}: ${why}`),
    stop: () => Promise.resolve(),
  };
}

/** @returns undefined for one whose nodes are on one host */
function crossingOf(
  { name, kind, members }: ShapedLink,
  placement: Placement,
): CrossingLink | undefined {
  const ends = members.map(({ node }) => ({ node, host: placement.get(node) ?? "" }));
  return new Set(ends.map(({ host }) => host)).size > 1 ? { name, kind, ends } : undefined;
}

async function asNodesError<Value>(value: Promise<Value>): Promise<Value> {
  try {
    return await value;
  } catch (error) {
    throw new NodesError(errorText(error), { cause: error });
  }
}

/** @throws NodesError when a link is asked for what nothing does */
function linksOf(
  shapes: readonly ShapedLink[],
  how: {
    readonly kind: HostsLinks["kind"];
    readonly hosts: readonly HostLink[];
    readonly clock: Clock;
    readonly paths: HostPaths;
    readonly placement: Placement;
  },
): HostsLinks {
  const { placement, hosts, ...rest } = how;
  const hostsOf = new Map(
    shapes.map(({ name, members }) => {
      const at = new Set(members.map(({ node }) => placement.get(node)));
      return [name, hosts.filter((host) => at.has(host.name))];
    }),
  );
  try {
    return new HostsLinks({ ...rest, hosts, shapes, hostsOf: (link) => hostsOf.get(link) ?? [] });
  } catch (error) {
    throw new NodesError(errorText(error), { cause: error });
  }
}

interface Joined {
  readonly start: AskedNetwork;
  readonly hosts: readonly HostLink[];
  readonly crossing: readonly CrossingLink[];
}

/** Says which, and why. @throws NodesError */
async function chooseKind(
  { asked, shapes }: HostsNetwork,
  { start, hosts, crossing }: Joined,
): Promise<NetworkShare["kind"]> {
  if (crossing.length > 0 && asked !== undefined && asked !== "delay-node") {
    const [{ name = "" } = {}] = crossing;
    throw new NodesError(
      `${name} joins nodes of several hosts, which only the delay node does; leave --links ${asked} out`,
    );
  }
  const tried = await Promise.all(
    hosts.map(async ({ name: host, link }) => {
      if (asked === "none") return { host, probes: [] };
      const answer = await link.ask({ kind: "network", ask: { kind: "probe" } });
      const probes = readProbes(answer);
      if (probes === undefined)
        throw new NodesError(`${host} does not say what shapes links there`);
      if (crossing.length === 0) return { host, probes };
      const others = probes.filter(({ kind }) => kind !== "netem");
      return { host, probes: [...others, { kind: "netem" as const, problem: betweenHosts }] };
    }),
  );
  const choice = chooseForHosts(tried, asked);
  if ("problem" in choice) throw new NodesError(choice.problem);
  const { kind, why } = choice;
  const text = kind === "none" ? why : `links are shaped by ${kind} (${why})`;
  if (shapes.length > 0) start.options.onMessage("info", null, text);
  return kind;
}

const betweenHosts = "links go to other hosts";

/** Where hosts that links join are reached by each other. @throws NodesError */
async function openPaths(
  { wish }: AskedNetwork,
  hosts: readonly HostLink[],
  crossing: readonly CrossingLink[],
): Promise<ReadonlyMap<string, PathOpened>> {
  const joined = new Set(crossing.flatMap(({ ends }) => ends.map(({ host }) => host)));
  const opened = new Map<string, PathOpened>();
  await Promise.all(
    hosts.map(async ({ name, link }) => {
      if (!joined.has(name)) return;
      const { address = "" } = wish.hosts.find((host) => host.name === name) ?? {};
      const asking = link.ask({ kind: "network", ask: { kind: "open-path", address } });
      const answer = await asking.catch((error: unknown) => {
        const why = errorText(error);
        throw new NodesError(`${name}: ${why}; say --host-address ${name}=ADDRESS`);
      });
      const at = readOpened(answer);
      if (at === undefined) throw new NodesError(`${name} does not say where links reach it`);
      opened.set(name, at);
    }),
  );
  return opened;
}

interface PathsWish {
  readonly network: HostsNetwork;
  readonly crossing: readonly CrossingLink[];
  readonly opened: ReadonlyMap<string, PathOpened>;
}

/** As a host is told of them. */
function pathsOf(host: string, { network, crossing, opened }: PathsWish): SharedPaths | null {
  const own = crossing.filter(({ ends }) => ends.some((end) => end.host === host));
  if (own.length === 0) return null;
  const others = peersOf(host, crossing);
  return {
    peers: others.flatMap((name) => opened.get(name) ?? []),
    crossing: own.map(({ name, ends }) => {
      const interfaces = interfacesOf(network, name);
      return {
        link: name,
        ends: interfaces.map(({ slot, mac }, member) => {
          return { slot, mac, peer: others.indexOf(ends[member]?.host ?? "") };
        }),
      };
    }),
  };
}

/** Hosts that links join with this one, in the order in which it numbers them. */
function peersOf(host: string, crossing: readonly CrossingLink[]): readonly string[] {
  const joined = crossing.filter(({ ends }) => ends.some((end) => end.host === host));
  const names = joined.flatMap(({ ends }) => ends.map((end) => end.host));
  return [...new Set(names)].filter((name) => name !== host);
}

/** In the order of members, by which slots are given. */
function interfacesOf({ plan }: HostsNetwork, link: string): readonly PlannedInterface[] {
  const all = [...plan.topology.nodes.values()].flatMap(({ interfaces }) => interfaces);
  return all.filter((one) => one.link === link).sort((a, b) => a.slot - b.slot);
}

/** One after the other: they must not be in each other's way. @throws NodesError */
async function measureAll(
  hosts: readonly HostLink[],
  crossing: readonly CrossingLink[],
): Promise<readonly HostPath[]> {
  const paths: HostPath[] = [];
  for (const { name: from, link } of hosts) {
    for (const [peer, to] of peersOf(from, crossing).entries()) {
      const asking = link.ask({ kind: "network", ask: { kind: "measure", peer } });
      const answer = await asking.catch((error: unknown) => {
        const why = errorText(error);
        throw new NodesError(`links from ${from} to ${to} cannot be: ${why}`);
      });
      const measured = readMeasure(answer);
      if (measured === undefined) throw new NodesError(`${from} does not say how far ${to} is`);
      paths.push({ from, to, ...measured });
    }
  }
  // Half a round trip is the same from both ends: the better one counts.
  const backOf = (path: HostPath): HostPath | undefined =>
    paths.find(({ from, to }) => from === path.to && to === path.from);
  return paths.map((path) => ({
    ...path,
    delayUs: Math.min(path.delayUs, backOf(path)?.delayUs ?? path.delayUs),
  }));
}
