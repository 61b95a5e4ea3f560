// SPDX-License-Identifier: MIT
// The experiment's network as its nodes are told of it: interfaces, what each shapes, maps. Plain
// computation from the experiment as read; addresses stand in for those of the file where the nodes
// run, and nothing here applies anything.
//
// A run on one machine has no delay nodes: what a link asks for is told to the nodes at its ends,
// as with end-node shaping on the testbed. Only a bridge of the file, which is a node of its own,
// is told what it does between its two sides. [EMULAB-TMCD 9 delay, linkdelay]
import { routerType, type Tables } from "../experiment/index.ts";
import { joinShapes, presetQueue } from "../experiment/link-shape.ts";
import type { Experiment, Link, LinkMember, LinkShape } from "../experiment/model.ts";
import type {
  DelayEnd,
  DelayRow,
  Interfaces,
  LinkDelayRow,
  LinktestEdge,
  LinktestMap,
  PhysicalInterface,
  Pipe,
  Queue,
  TopologyMap,
} from "../wire/tmcd/index.ts";

export interface NetworkInput {
  readonly experiment: Experiment;
  /** Table rows of the file: what the model does not hold. */
  readonly tables: Tables;
  /** An address of the file as it is where the nodes run. */
  readonly standIn: (address: string) => string;
}

type Row = Tables[string][number];

export class NodeNetwork {
  readonly #experiment: Experiment;
  readonly #tables: Tables;
  readonly #standIn: (address: string) => string;
  /** Node name -> its number in the file. */
  readonly #indexes = new Map<string, number>();
  readonly #ends = new Map<string, End[]>();
  readonly #bridges: ReadonlySet<string>;

  constructor({ experiment, tables, standIn }: NetworkInput) {
    this.#experiment = experiment;
    this.#tables = tables;
    this.#standIn = standIn;
    for (const { name } of experiment.nodes) {
      this.#indexes.set(name, this.#indexes.size);
      this.#ends.set(name, []);
    }
    for (const link of experiment.links) {
      for (const member of link.members) this.#ends.get(member.node)?.push({ link, member });
    }
    for (const ends of this.#ends.values()) ends.sort((a, b) => a.member.port - b.member.port);
    const nodes = tables["virt_nodes"] ?? [];
    this.#bridges = new Set(
      nodes.filter((row) => row["role"] === "bridge").map((row) => row["vname"] ?? ""),
    );
  }

  interfaces(node: string): Interfaces {
    const physical = this.#addressed(node).map(({ link, member }): PhysicalInterface => {
      const speedMbps = speedFor(member);
      return {
        type: "eth",
        address: this.#standIn(member.address),
        mask: link.netmask,
        mac: this.#mac(member),
        ...(speedMbps === undefined ? {} : { speedMbps }),
        routingTable: 0,
        lan: link.name,
        port: member.port,
      };
    });
    return { physical, settings: [], carriers: [], virtual: [] };
  }

  /** What a node shapes at its own interfaces. */
  linkDelays(node: string): readonly LinkDelayRow[] {
    if (this.#bridges.has(node)) return [];
    return this.#addressed(node).flatMap(({ link, member }) => {
      const row = this.#shapedEnd(link, member);
      return row === undefined ? [] : [row];
    });
  }

  #shapedEnd(link: Link, member: LinkMember): LinkDelayRow | undefined {
    const peer = peerOf(link, member);
    // On a link of two each node shapes what it sends, all the way; on a LAN both its directions.
    // What a bridge does at its sides it is told itself.
    const isAll = peer !== undefined && !this.#bridges.has(peer.node);
    const forth = isAll ? alongPath(member.toLink, peer.fromLink) : member.toLink;
    const back = peer === undefined ? member.fromLink : unshaped;
    if (!isShaped(forth) && !isShaped(back) && member.queue === undefined) return undefined;
    const number = 2 * member.port + 1;
    return {
      mac: this.#mac(member),
      kind: peer === undefined ? "duplex" : "simplex",
      link: link.name,
      vnode: member.node,
      address: this.#standIn(member.address),
      mask: link.netmask,
      pipe: this.#pipe(link, member, number, forth),
      reverse: this.#pipe(link, member, peer === undefined ? number + 1 : 0, back),
      queue: this.#queue(link, member),
    };
  }

  /** What a bridge does between its two sides; of any other node nothing. */
  delays(node: string): readonly DelayRow[] {
    const [first, second, ...more] = this.#ends.get(node) ?? [];
    if (!this.#bridges.has(node) || first === undefined || second === undefined) return [];
    if (more.length > 0) return [];
    const end = ({ link, member }: End, number: number): DelayEnd => ({
      mac: this.#mac(member),
      // What comes in at a side meets what the file asks of that side.
      pipe: this.#pipe(link, member, number, member.toLink),
      queue: this.#queue(link, member),
      vnode: link.name,
      backfillKbps: Number(this.#column(link, member, "backfill") ?? 0),
    });
    const ends = [end(first, 1), end(second, 2)] as const;
    const isUnshaped = [first, second].every((one) => this.#isBandwidthFree(one.link, one.member));
    return [{ link: node, ends, isUnshaped }];
  }

  topology(): TopologyMap {
    return {
      nodes: this.#experiment.nodes.map(({ name }) => ({
        name,
        links: this.#addressed(name).map(({ link, member }) => {
          return { lan: link.name, address: this.#standIn(member.address) };
        }),
      })),
      lans: this.#experiment.links.map(({ name, netmask: mask, cost = 1 }) => {
        return { name, mask, cost };
      }),
    };
  }

  /** [LINKTEST 3.1] Bridges, and what goes through them, are left out. */
  linktest(): LinktestMap {
    const isEnd = ({ node }: { node: string }): boolean => !this.#bridges.has(node);
    const { nodes, links, simulator } = this.#experiment;
    return {
      nodes: nodes.map(({ name }) => name).filter((node) => isEnd({ node })),
      edges: links
        .filter(({ members }) => members.every(isEnd))
        .flatMap((link) => this.#edges(link)),
      routing: this.routerType(),
      simulator,
    };
  }

  routerType(): string {
    return routerType(this.#experiment.routing);
  }

  /** All ordered pairs. */
  #edges(link: Link): LinktestEdge[] {
    const { members } = link;
    return members.flatMap((from) =>
      members
        .filter((to) => to !== from)
        .map((to): LinktestEdge => {
          const shape = alongPath(from.toLink, to.fromLink);
          const column = (member: LinkMember, name: string): number =>
            Number(this.#column(link, member, name) ?? 0) * 1000;
          const backfillBps = Math.max(column(from, "backfill"), column(to, "rbackfill"));
          return {
            from: from.node,
            to: to.node,
            bandwidthBps: (shape.bandwidthBps || mediumBps) - backfillBps,
            delayMs: shape.delayUs / 1000,
            loss: shape.loss,
            ...extrasOf(shape),
            link: link.name,
            queue: queueWords[(members.length === 2 ? from : to).queue?.kind ?? "drop-tail"],
            ...(from.queue === undefined
              ? {}
              : { queueLimit: { limit: from.queue.limit, unit: from.queue.limitUnit } }),
            ...redMinimum(members.length === 2 ? [from] : [from, to]),
          };
        }),
    );
  }

  /** The ends of a node that have an address, by port. */
  #addressed(node: string): readonly End[] {
    return (this.#ends.get(node) ?? []).filter(({ member }) => member.address !== "");
  }

  #pipe(link: Link, member: LinkMember, number: number, shape: LinkShape): Pipe {
    const isFree = this.#isBandwidthFree(link, member);
    return {
      number,
      delayMs: shape.delayUs / 1000,
      bandwidthKbps: isFree ? 0 : Math.round(shape.bandwidthBps / 1000),
      loss: shape.loss,
    };
  }

  #queue(link: Link, member: LinkMember): Queue {
    const queue = member.queue ?? presetQueue;
    const column = (name: string, preset: number): number => {
      return Number(this.#column(link, member, name) ?? preset);
    };
    return {
      isRed: queue.kind !== "drop-tail",
      limit: queue.limit,
      maxThreshold: queue.maxThreshold,
      minThreshold: queue.minThreshold,
      weight: queue.averageWeight,
      linearTerm: queue.dropOneIn,
      isLimitInBytes: queue.limitUnit === "bytes",
      bytes: column("q_bytes", 0),
      meanPacketBytes: queue.meanPacketBytes,
      wait: column("q_wait", 1),
      setBit: column("q_setbit", 0),
      dropTail: column("q_droptail", 1),
      gentle: queue.kind === "gentle-red" ? 1 : 0,
    };
  }

  /** `tb-set-noshaping`. */
  #isBandwidthFree(link: Link, member: LinkMember): boolean {
    return this.#column(link, member, "nobwshaping") === "1";
  }

  #column(link: Link, { node, port }: LinkMember, name: string): string | undefined {
    return this.#rowsByMember().get(`${link.name} ${node}:${port}`)?.[name];
  }

  #rows: ReadonlyMap<string, Row> | undefined;

  #rowsByMember(): ReadonlyMap<string, Row> {
    const rows = this.#tables["virt_lans"] ?? [];
    this.#rows ??= new Map(rows.map((row) => [`${row["vname"]} ${row["member"]}`, row]));
    return this.#rows;
  }

  /** A locally administered address that is the same in every run of the same file. */
  #mac({ node, port }: LinkMember): string {
    const hex = (value: number, digits: number): string => {
      return value.toString(16).padStart(digits, "0");
    };
    return `024d${hex(this.#indexes.get(node) ?? 0, 6)}${hex(port, 2)}`;
  }
}

interface End {
  readonly link: Link;
  readonly member: LinkMember;
}

const unshaped: LinkShape = { bandwidthBps: 0, delayUs: 0, loss: 0 };
/** What a medium carries where a file does not say. [LINKTEST 3.1] */
const mediumBps = 100_000_000;

function peerOf({ members }: Link, member: LinkMember): LinkMember | undefined {
  return members.length === 2 ? members.find((one) => one !== member) : undefined;
}

function isShaped({ bandwidthBps, delayUs, loss }: LinkShape): boolean {
  return bandwidthBps > 0 || delayUs > 0 || loss > 0;
}

/** What both do one after the other, without the noise of fractions: tables have six digits. */
function alongPath(first: LinkShape, second: LinkShape): LinkShape {
  const path = joinShapes(first, second);
  return { ...path, loss: Math.round(path.loss * 1e6) / 1e6 };
}

/** What the text of the map has no place for, where there is any. */
function extrasOf({ jitterUs = 0, reorder = 0, duplicate = 0 }: LinkShape): Partial<LinktestEdge> {
  return {
    ...(jitterUs === 0 ? {} : { jitterMs: jitterUs / 1000 }),
    ...(reorder === 0 ? {} : { reorder }),
    ...(duplicate === 0 ? {} : { duplicate }),
  };
}

/** The slowest kind of interface that carries what the link may; 100 is not said. */
function speedFor({ toLink, fromLink }: LinkMember): number | undefined {
  const mbps = Math.max(toLink.bandwidthBps, fromLink.bandwidthBps) / 1_000_000;
  return mbps <= 100 ? undefined : mbps <= 1_000 ? 1_000 : 10_000;
}

/** The least of those that drop early. */
function redMinimum(members: readonly LinkMember[]): Pick<LinktestEdge, "queueMinimum"> {
  const minima = members.flatMap(({ queue }) =>
    queue === undefined || queue.kind === "drop-tail" ? [] : [queue.minThreshold],
  );
  return minima.length === 0 ? {} : { queueMinimum: Math.min(...minima) };
}

const queueWords = { "drop-tail": "droptail", red: "red", "gentle-red": "gred" } as const;
