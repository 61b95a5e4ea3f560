// SPDX-License-Identifier: MIT
// The network of a run whose nodes are on several hosts: what all of it is, and each host's share
// of it as JSON, which is what its agent makes. Pure.
import type { Clock } from "../../host/clock.ts";
import { createShapedLinks } from "../../network/backends.ts";
import {
  type BackendChoice,
  type BackendKind,
  type BackendProbe,
  chooseBackend,
} from "../../network/choose-backend.ts";
import type { ControlNetwork } from "../../network/control-network.ts";
import type { CrossingEnd, DelayNodePaths } from "../../network/delay-node/delay-node-backend.ts";
import type { PathPeer } from "../../network/delay-node/shaper-messages.ts";
import type { ShapedLink } from "../../network/model.ts";
import type { PlannedNode } from "../../network/topology.ts";
import { createUnshapedLinks } from "../../network/unshaped-links.ts";
import { fieldsOf } from "../../wire/json-fields.ts";
import type { NetworkPlan } from "../nodes/index.ts";

/** Of all hosts together. */
export interface HostsNetwork {
  readonly plan: Pick<NetworkPlan, "topology" | "control" | "links">;
  /** In the order of the file. */
  readonly shapes: readonly ShapedLink[];
  /** Left out: what works best on all hosts. */
  readonly asked: BackendKind | undefined;
  /** Of the delay node of each host; null: as many as its links need. */
  readonly threads: number | null;
}

/** What the agent of one host makes. */
export interface NetworkShare {
  readonly kind: BackendKind;
  readonly threads: HostsNetwork["threads"];
  readonly control: ControlNetwork;
  /** Those of this host. */
  readonly nodes: readonly PlannedNode[];
  /** Those that have an end here. */
  readonly links: NetworkPlan["links"];
  readonly shapes: readonly ShapedLink[];
  /** To other hosts that some of them have an end on; null: none has. */
  readonly paths: SharedPaths | null;
}

export interface SharedPaths {
  readonly peers: readonly PathPeer[];
  /** Both ends of each such link, in the order of its members. */
  readonly crossing: readonly {
    readonly link: string;
    readonly ends: readonly CrossingEnd[];
  }[];
}

export function shareOf(
  { plan, shapes, threads }: HostsNetwork,
  own: readonly string[],
  { kind, paths }: Pick<NetworkShare, "kind" | "paths">,
): NetworkShare {
  const { topology, control, links } = plan;
  const nodes = own.flatMap((name) => topology.nodes.get(name) ?? []);
  const here = new Set(nodes.flatMap(({ interfaces }) => interfaces.map(({ link }) => link)));
  return {
    ...{ kind, threads, control, nodes, paths },
    links: links.filter(({ name }) => here.has(name)),
    shapes: shapes.filter(({ name }) => here.has(name)),
  };
}

const shareFields = ["kind", "threads", "control", "nodes", "links", "shapes", "paths"];

/** @returns undefined for what no run of this version says. */
export function readShare(json: unknown): NetworkShare | undefined {
  const fields = fieldsOf(json, shareFields);
  const areLists = ["nodes", "links", "shapes"].every((name) => Array.isArray(fields?.get(name)));
  const isKnown = ["netem", "delay-node", "none"].includes(String(fields?.get("kind")));
  return areLists && isKnown ? (json as NetworkShare) : undefined;
}

/** As the back end of one machine takes it. @param own what only the host knows */
export function planShare(
  share: NetworkShare,
  own: {
    readonly clock: Clock;
    readonly seed: number;
    /** Of the socket to other hosts. */
    readonly descriptor: number | undefined;
  },
): NetworkPlan {
  const { kind, control, nodes, links, shapes } = share;
  const threads = share.threads ?? undefined;
  const { clock, seed, descriptor } = own;
  const paths = pathsOf(share, descriptor);
  return {
    topology: { nodes: new Map(nodes.map((node) => [node.name, node])), subnets: [] },
    ...{ control, links, isRequired: true },
    shapeLinks(commands) {
      if (kind === "none") return { backend: createUnshapedLinks(commands), plans: new Map() };
      const shaped = createShapedLinks(kind, { commands, clock, seed, threads, ...paths });
      return { backend: shaped, plans: new Map(shapes.map((one) => [one.name, one])), shaped };
    },
  };
}

function pathsOf(
  { paths }: NetworkShare,
  descriptor: number | undefined,
): { readonly paths?: DelayNodePaths } {
  if (paths === null || descriptor === undefined) return {};
  const crossing = new Map(paths.crossing.map(({ link, ends }) => [link, ends]));
  return { paths: { descriptor, peers: paths.peers, crossing } };
}

/** One for all hosts: what does not work on one of them is not taken. */
export function chooseForHosts(
  tried: readonly { readonly host: string; readonly probes: readonly BackendProbe[] }[],
  asked: BackendKind | undefined,
): BackendChoice | { readonly problem: string } {
  const kinds = ["netem", "delay-node"] as const;
  const all = kinds.map((kind): BackendProbe => {
    const failed = tried.flatMap(({ host, probes }) => {
      const problem = probes.find((one) => one.kind === kind)?.problem;
      return problem === undefined ? [] : [`on ${host}: ${problem}`];
    });
    return { kind, problem: failed.length === 0 ? undefined : failed.join("; ") };
  });
  return chooseBackend(all, asked);
}

/** @returns undefined for anything else than what an agent says of its back ends. */
export function readProbes(json: unknown): readonly BackendProbe[] | undefined {
  if (!Array.isArray(json)) return undefined;
  const areProper = json.every((one: unknown) => {
    const fields = fieldsOf(one, ["kind"], ["problem"]);
    return typeof fields?.get("kind") === "string";
  });
  return areProper ? (json as readonly BackendProbe[]) : undefined;
}
