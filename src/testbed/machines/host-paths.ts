// SPDX-License-Identifier: MIT
// What lies between hosts that links join: what it takes away from what links ask for, and which
// links it cannot be. Pure.
//
//   P1. A link is never longer than asked: what the path takes is taken off its delay; so is a LAN
//       (crossing-lan.ts).
import type { DirectionPlace, DirectionUpdate } from "../../network/link-table.ts";
import { type DirectionShape, describeBps } from "../../network/model.ts";
import type { LanHolds } from "../../network/shaper/segment.ts";
import { holdsOn, type LanEnd, type LanShares, shareLan, spareUs } from "./crossing-lan.ts";

/** One way between two hosts. */
export interface HostPath {
  readonly from: string;
  readonly to: string;
  readonly delayUs: number;
  readonly bandwidthBps: number;
}

/** A link whose nodes are on several hosts, member by member. */
export interface CrossingLink {
  readonly name: string;
  readonly kind: "link" | "lan";
  readonly ends: readonly { readonly node: string; readonly host: string }[];
}

export class HostPaths {
  readonly #links: ReadonlyMap<string, CrossingLink>;
  readonly #paths = new Map<string, HostPath>();
  /** What paths take of LANs, once it is decided; later changes must leave it. */
  readonly #shares = new Map<string, LanShares>();

  constructor(links: readonly CrossingLink[]) {
    this.#links = new Map(links.map((link) => [link.name, link]));
  }

  add(path: HostPath): void {
    this.#paths.set(`${path.from} ${path.to}`, path);
  }

  /**
   * All paths are known: decides what they take of a LAN.
   * @returns why it cannot be; undefined: it can, and for a link that is none
   */
  share(name: string, stateOf: StateOf): string | undefined {
    const { kind, ends } = this.#links.get(name) ?? { kind: "link" };
    if (kind === "link" || ends === undefined) return undefined;
    const shaped = ends.flatMap((end, member): readonly LanEnd[] => {
      const [up, down] = [
        stateOf({ link: name, member, way: "up" }),
        stateOf({ link: name, member, way: "down" }),
      ];
      return up === undefined || down === undefined ? [] : [{ ...end, up, down }];
    });
    const shares = shareLan(shaped, this.#pathUs);
    if ("upUs" in shares) {
      this.#shares.set(name, shares);
      return undefined;
    }
    const [from, to] = [shaped[shares.from], shaped[shares.to]];
    if (from === undefined || to === undefined) return undefined;
    const askedUs = from.up.delayUs + to.down.delayUs;
    const asked = describeDelay(askedUs, from.up.jitterUs + to.down.jitterUs);
    return (
      `LAN ${name} is to take ${asked} from ${from.node} to ${to.node}, and the path from ` +
      `${from.host} to ${to.host} takes ${this.#pathUs(from.host, to.host) / 1_000} ms by itself; ` +
      adviceOf("lan")
    );
  }

  /** What frames of a LAN wait on a host; undefined for a link. */
  holdsOn(host: string, name: string): LanHolds | undefined {
    const [link, shares] = [this.#links.get(name), this.#shares.get(name)];
    if (link === undefined || shares === undefined) return undefined;
    return holdsOn(host, { ends: link.ends, shares }, this.#pathUs);
  }

  /** P1. */
  onHost(update: DirectionUpdate): DirectionUpdate {
    const takenUs = this.#shareUs(update) ?? this.#pathOf(update)?.delayUs;
    if (takenUs === undefined) return update;
    const { shape } = update.state;
    const delayUs = Math.max(0, shape.delayUs - takenUs);
    return { ...update, state: { ...update.state, shape: { ...shape, delayUs } } };
  }

  /**
   * @param stateOf what is asked of a direction besides what is about to be
   * @returns why these cannot be, with what is asked and what the path does; undefined: they can
   */
  problem(updates: readonly DirectionUpdate[], stateOf: StateOf): string | undefined {
    for (const update of updates) {
      const problem = this.#lanProblem(update) ?? this.#delayProblem(update);
      if (problem !== undefined) return problem;
    }
    const isNew = (place: DirectionPlace): DirectionShape | undefined =>
      updates.find(
        ({ link, member, way }) =>
          link === place.link && member === place.member && way === place.way,
      )?.state.shape;
    for (const path of this.#paths.values()) {
      const asked = this.#placesOn(path).flatMap((place) => {
        const { bandwidthBps = 0 } = isNew(place) ?? stateOf(place) ?? {};
        return bandwidthBps === 0 ? [] : [{ link: place.link, bandwidthBps }];
      });
      const sumBps = asked.reduce((sum, { bandwidthBps }) => sum + bandwidthBps, 0);
      if (sumBps <= path.bandwidthBps) continue;
      const names = [...new Set(asked.map(({ link }) => link))];
      const which = this.#describeLoad(names, sumBps);
      const carries = describeBps(Math.trunc(path.bandwidthBps / 1_000) * 1_000);
      const kinds = names.map((name) => this.#links.get(name)?.kind ?? "link");
      const advice = adviceOf(kinds.includes("lan") ? "lan" : "link");
      return `${which}, and the path from ${path.from} to ${path.to} carries ${carries}; ${advice}`;
    }
    return undefined;
  }

  #describeLoad(names: readonly string[], sumBps: number): string {
    const [first = "", ...others] = names;
    const asked = describeBps(sumBps);
    if (others.length > 0) return `links ${names.join(", ")} are to carry ${asked} together`;
    if (this.#links.get(first)?.kind !== "lan") return `link ${first} is to carry ${asked}`;
    return `LAN ${first} is to carry ${asked} of all who send there`;
  }

  #lanProblem(update: DirectionUpdate): string | undefined {
    const shareUs = this.#shareUs(update);
    const { shape } = update.state;
    if (shareUs === undefined || spareUs(shape) >= shareUs) return undefined;
    const { node } = this.#links.get(update.link)?.ends[update.member] ?? {};
    const asked = describeDelay(shape.delayUs, shape.jitterUs);
    const way = update.way === "up" ? `from ${node} to it` : `from it to ${node}`;
    return (
      `LAN ${update.link} is to take ${asked} ${way}, of which the paths between its hosts take ` +
      `${shareUs / 1_000} ms by themselves; ${adviceOf("lan")}`
    );
  }

  #delayProblem(update: DirectionUpdate): string | undefined {
    const path = this.#pathOf(update);
    const ends = this.#links.get(update.link)?.ends ?? [];
    if (path === undefined) return undefined;
    const { delayUs, jitterUs } = update.state.shape;
    if (delayUs - jitterUs >= path.delayUs) return undefined;
    const [from, to] = [ends[update.member]?.node, ends[1 - update.member]?.node];
    const asked = describeDelay(delayUs, jitterUs);
    return (
      `link ${update.link} is to take ${asked} from ${from} to ${to}, and the path from ` +
      `${path.from} to ${path.to} takes ${path.delayUs / 1_000} ms by itself; ${adviceOf("link")}`
    );
  }

  readonly #pathUs = (from: string, to: string): number =>
    this.#paths.get(`${from} ${to}`)?.delayUs ?? 0;

  #shareUs({ link, member, way }: DirectionPlace): number | undefined {
    const shares = this.#shares.get(link);
    return (way === "up" ? shares?.upUs : shares?.downUs)?.[member];
  }

  /** Of a link: by which one way of it goes. */
  #pathOf({ link, member }: DirectionPlace): HostPath | undefined {
    const { kind, ends } = this.#links.get(link) ?? {};
    if (kind === "lan") return undefined;
    const [from, to] = [ends?.[member]?.host, ends?.[1 - member]?.host];
    return this.#paths.get(`${from} ${to}`);
  }

  /** What comes from these goes by that path; of a LAN, what anybody there sends may. */
  #placesOn({ from, to }: HostPath): readonly DirectionPlace[] {
    return [...this.#links.values()].flatMap(({ name, ends }) => {
      if (!ends.some(({ host }) => host === to)) return [];
      return ends.flatMap(({ host }, member) =>
        host === from ? [{ link: name, member, way: "up" as const }] : [],
      );
    });
  }
}

/** What is asked of a direction. */
export type StateOf = (place: DirectionPlace) => DirectionShape | undefined;

const adviceOf = (kind: "link" | "lan"): string =>
  `ask for what the path leaves, or put ${kind === "link" ? "both" : "its"} nodes on one host`;

function describeDelay(delayUs: number, jitterUs: number): string {
  return `${delayUs / 1_000} ms${jitterUs === 0 ? "" : ` less ${jitterUs / 1_000} ms of jitter`}`;
}

/** For people. */
export function describePath({ from, to, delayUs, bandwidthBps }: HostPath): string {
  const mbps = Math.trunc(bandwidthBps / 100_000) / 10;
  return `${from} to ${to} ${delayUs / 1_000} ms, ${mbps} Mb/s`;
}
