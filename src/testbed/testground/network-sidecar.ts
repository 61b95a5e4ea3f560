// SPDX-License-Identifier: MIT
// What obeys an instance that asks for another network: what is on a topic `network:HOST` becomes
// a change of a link of the run, by the same model as events of links. [TESTGROUND 10]
//
//   S1. What is asked for is done as a whole or refused as a whole, with the reason.
//   S2. A link of two carries something as long as no end has left it.
import { errorText } from "../../core/text.ts";
import type { ClientPeer, ConfigureNetwork, NetworkRequest } from "../../edges/testground/index.ts";
import type { Experiment, Link } from "../../experiment/model.ts";
import { formatSubnet, subnetOf } from "../../network/ipv4.ts";
import { describeBps, type LinkChange } from "../../network/model.ts";
import type { ShapedLinks } from "../../network/shaped-links.ts";
import {
  type ConfigRefused,
  decodeNetworkConfig,
  type EgressShape,
  type NetworkConfig,
} from "../../wire/testground/index.ts";

export interface NetworkSidecarOptions {
  readonly experiment: Pick<Experiment, "nodes" | "links">;
  readonly shaped: ShapedLinks;
  readonly onDone: (node: string, text: string) => void;
  readonly onRefused: (node: string | null, text: string) => void;
}

/** The link that a node means by `default`: the one of that name, else its only one. */
export function defaultLink(links: readonly Link[], node: string): Link | undefined {
  const own = linksOf(links, node);
  const named = own.find(({ name }) => name === "default");
  return named ?? (own.length === 1 ? own[0] : undefined);
}

export function isOnLink(links: readonly Link[], node: string): boolean {
  return linksOf(links, node).length > 0;
}

/** @returns `10.1.1.0/24`; undefined when the link has no addresses */
export function dataSubnet({ members, netmask }: Link): string | undefined {
  const address = members.find((one) => one.address !== "")?.address;
  const subnet = address === undefined ? undefined : subnetOf(address, netmask);
  return subnet && formatSubnet(subnet);
}

export class NetworkSidecar {
  readonly #options: NetworkSidecarOptions;
  /** `link node` of those who have left it. */
  readonly #left = new Set<string>();

  constructor(options: NetworkSidecarOptions) {
    this.#options = options;
  }

  readonly configure: ConfigureNetwork = async (request) => {
    const config = decodeNetworkConfig(request.payload);
    const done = "refusal" in config ? config : await this.#apply(request, config);
    if ("refusal" in done) {
      const { node, name } = request.peer;
      const text = `${name ?? "somebody"} asked for a network in vain: ${done.refusal}`;
      this.#options.onRefused(node ?? null, text);
    }
    return done;
  };

  async #apply(
    { host, peer }: NetworkRequest,
    config: NetworkConfig,
  ): Promise<{ readonly callbackState: string } | ConfigRefused> {
    const node = this.#nodeOf(host);
    if (node === undefined) return { refusal: `no node of this run is called ${host}` };
    const link = this.#linkOf(node, config.network);
    if ("refusal" in link) return link;
    const wrong = addressRefusal(link, node, config.address);
    if (wrong !== undefined) return { refusal: wrong };
    const { callbackState, isEnabled, shape } = config;
    const key = `${link.name} ${node}`;
    const hadLeft = this.#left.has(key);
    if (isEnabled) this.#left.delete(key);
    else this.#left.add(key);
    try {
      await this.#options.shaped.setAt(this.#changes(link, node, config), 0);
    } catch (error) {
      if (hadLeft) this.#left.add(key);
      else this.#left.delete(key);
      return { refusal: errorText(error) };
    }
    const what = isEnabled ? describeShape(shape) : "off";
    this.#options.onDone(node, `${whoIs(peer)} has set ${link.name}: ${what}`);
    return { callbackState };
  }

  #changes({ name: link, kind }: Link, node: string, config: NetworkConfig): LinkChange[] {
    const { latencyUs: delayUs, ...rest } = config.shape;
    const isLan = kind === "lan";
    const isUp = isLan ? config.isEnabled : !this.#isLeftByAny(link);
    return [
      { link, node, way: "up", what: { kind: "modify", shape: { delayUs, ...rest } } },
      { link, ...(isLan ? { node } : {}), what: { kind: isUp ? "up" : "down" } },
    ];
  }

  /** S2. */
  #isLeftByAny(link: string): boolean {
    return [...this.#left].some((one) => one.startsWith(`${link} `));
  }

  #nodeOf(host: string): string | undefined {
    const [label = ""] = host.split(".");
    const names = this.#options.experiment.nodes.map(({ name }) => name);
    return names.find((name) => name === host) ?? names.find((name) => name === label);
  }

  #linkOf(node: string, network: string): Link | ConfigRefused {
    const { links } = this.#options.experiment;
    const own = linksOf(links, node);
    const names = own.map(({ name }) => name).join(", ");
    if (own.length === 0) return { refusal: `${node} is on no link of its file` };
    if (network === "default") {
      const refusal = `${node} is on ${names}: say which in place of network default`;
      return defaultLink(links, node) ?? { refusal };
    }
    const refusal = `${node} is not on a network ${network}; it is on ${names}`;
    return own.find(({ name }) => name === network) ?? { refusal };
  }
}

function linksOf(links: readonly Link[], node: string): readonly Link[] {
  return links.filter(({ members }) => members.some((one) => one.node === node));
}

function addressRefusal(link: Link, node: string, asked: string | undefined): string | undefined {
  if (asked === undefined) return undefined;
  const own = link.members.find((member) => member.node === node)?.address ?? "";
  if (asked.split("/")[0] === own) return undefined;
  return `addresses are those of the file: IPv4 of ${node} is ${own || "none"}; leave it out`;
}

function describeShape(shape: EgressShape): string {
  const { latencyUs, jitterUs, bandwidthBps } = shape;
  const shares = (["loss", "reorder", "duplicate"] as const).flatMap((name) =>
    shape[name] > 0 ? [`${name} ${shape[name] * 100}%`] : [],
  );
  const parts = [
    ...(latencyUs > 0 ? [`delay ${latencyUs / 1_000} ms`] : []),
    ...(jitterUs > 0 ? [`jitter ${jitterUs / 1_000} ms`] : []),
    ...(bandwidthBps > 0 ? [describeBps(bandwidthBps)] : []),
    ...shares,
  ];
  return parts.length === 0 ? "not shaped" : parts.join(", ");
}

const whoIs = ({ name, address }: ClientPeer): string => name ?? address;
