// SPDX-License-Identifier: MIT
// The back end for kernels that cannot shape: each end of a link is a VXLAN device whose outer
// packets go to a process of ours, which delays and drops them and sends them on to the other end.
//
//   hub [u0 169.254.77.1] ==veth== [u1 169.254.77.2] delay node, in a namespace of its own
//
//   K3. Devices of nodes are made from the hub, so that their outer packets go there.
//   K4. Without the process nothing goes over a link: it is the only way from end to end.
//   K5. Changes are in force in the order in which they were told: each names all that a direction
//       does, with what those before it have made of it.
import type { ChildProcess } from "node:child_process";
import { availableParallelism } from "node:os";
import { Random } from "../../core/random.ts";
import type { Clock } from "../../host/clock.ts";
import { readDeviceDrops } from "../../host/kernel-drops.ts";
import {
  type GrownLink,
  type LinkEnd,
  type LinkEnds,
  type NamespaceCommands,
  NetworkError,
  removeInterfaces,
} from "../link-backend.ts";
import type { ShaperHealth } from "../link-report.ts";
import { type DirectionPlace, type DirectionUpdate, LinkTable } from "../link-table.ts";
import { macNumber } from "../mac.ts";
import type { Capacity, LinkChange, ShapedLink } from "../model.ts";
import { networkLimits } from "../network-limits.ts";
import { type Carried, describeOverload } from "../overload.ts";
import { addToTable, type ShapedLinks } from "../shaped-links.ts";
import type { LanHolds } from "../shaper/segment.ts";
import { DelayNodeTracer } from "./delay-node-tracer.ts";
import type {
  DirectionCounts,
  MemberOrder,
  Pace,
  PathMeasure,
  PathPeer,
  SegmentOrder,
  ShaperReport,
} from "./shaper-messages.ts";
import { ShaperProcess } from "./shaper-process.ts";
import { ThreadLoads, threadsFor } from "./thread-loads.ts";
import { vxlanOverheadBytes } from "./vxlan.ts";

export const delayNodeCapacity: Capacity = {
  backend: "the delay node",
  bandwidthBpsMax: networkLimits.delayNodeBandwidthBpsMax,
  inFlightBytesMax: networkLimits.inFlightBytesMax,
};

const hubAddress = "169.254.77.1";
const shaperAddress = "169.254.77.2";
const underlayMtu = 9_000;
/** The first thread's port, IANA's for VXLAN; the others' follow. */
const firstPort = 4_789;
/** The thread that has the links with an end elsewhere, and its socket in the process. */
const pathThread = 0;
const givenDescriptor = 3;
/** For all threads to have heard of a change before its instant. */
const togetherUs = 1_000;

export interface DelayNodeOptions {
  readonly commands: NamespaceCommands;
  readonly clock: Clock;
  /** Of all that is random on its links. */
  readonly seed: number;
  /** Left out: `nap`. */
  readonly pace?: Pace;
  /** Left out: as many as the links need, up to one less than there are processors. */
  readonly threads?: number | undefined;
  readonly onReport?: (report: ShaperReport) => void;
  /** Left out, all ends of links are on this machine. */
  readonly paths?: DelayNodePaths;
}

/** The ways to the delay nodes of other machines, which have the other ends of some links. */
export interface DelayNodePaths {
  /** Of a UDP socket of this machine's network, bound; of this process, and not read by it. */
  readonly descriptor: number;
  readonly peers: readonly PathPeer[];
  /** Links and LANs with an end on another machine -> all ends, in the order of members. */
  readonly crossing: ReadonlyMap<string, readonly CrossingEnd[]>;
}

export interface CrossingEnd {
  /** Unique in the whole run. */
  readonly slot: number;
  readonly mac: string;
  /** Its place among `peers`; -1: it is here. */
  readonly peer: number;
}

export class DelayNodeBackend implements ShapedLinks {
  readonly kind = "delay-node";
  readonly table: LinkTable = new LinkTable(delayNodeCapacity);
  readonly tracer: DelayNodeTracer = new DelayNodeTracer({
    threadOf: (link) => this.#threadOf(link),
    ask: (thread, order) => this.#running().ask(thread, order),
  });
  readonly #options: DelayNodeOptions;
  readonly #random: Random;
  readonly #failed = Promise.withResolvers<string>();
  #threads = new ThreadLoads(1);
  /** When the last change is in force. */
  #changeUs = 0;
  #process: ShaperProcess | undefined;

  constructor(options: DelayNodeOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
  }

  get failed(): Promise<string> {
    return this.#failed.promise;
  }

  get health(): ShaperHealth | undefined {
    return this.#process?.health;
  }

  /** Of the process; to be looked at. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  async attach(links: readonly LinkEnds[], plans: ReadonlyMap<string, ShapedLink>): Promise<void> {
    try {
      await this.#attach(links, plans);
    } catch (error) {
      throw this.#process?.gone ?? error;
    }
  }

  async #attach(links: readonly LinkEnds[], plans: ReadonlyMap<string, ShapedLink>): Promise<void> {
    const asked = addToTable(this.table, links, plans);
    const shaper = this.#process ?? (await this.#start(asked));
    const segments = new Map<number, SegmentOrder[]>();
    const lines: string[] = [];
    const crosses = (name: string) => this.#options.paths?.crossing.has(name) === true;
    this.#threads.add(
      asked.map((link) => {
        const only = crosses(link.name) ? pathThread : undefined;
        return { name: link.name, link, only };
      }),
    );
    for (const link of links) {
      const thread = this.#threadOf(link.name);
      const orders = segments.get(thread) ?? [];
      segments.set(thread, orders);
      orders.push(this.#segment(link));
      lines.push(...link.ends.map((end) => deviceLine(end, thread)));
    }
    for (const [thread, orders] of segments) {
      await shaper.ask(thread, { kind: "add", segments: orders });
    }
    await this.#options.commands.ip(this.#options.commands.hub, lines);
  }

  async grow(links: readonly GrownLink[], plans: ReadonlyMap<string, ShapedLink>): Promise<void> {
    const asked = links.map(({ name }) => plans.get(name) ?? noLink(name));
    const changed = this.table.grow(asked);
    if ("problem" in changed) throw new NetworkError(changed.problem);
    const lines: string[] = [];
    for (const link of links) {
      const { name, kept } = link;
      const thread = this.#threadOf(name);
      const members = this.#segment(link).members.slice(kept);
      await this.#running().ask(thread, { kind: "grow", link: name, members });
      this.#threads.grow(name, this.table.link(name) ?? noLink(name));
      lines.push(...link.ends.slice(kept).map((end) => deviceLine(end, thread)));
    }
    const keptOf = new Map(links.map(({ name, kept }) => [name, kept]));
    const others = changed.filter(({ link, member }) => member < (keptOf.get(link) ?? 0));
    if (others.length > 0) await this.#tell(others, 0);
    await this.#options.commands.ip(this.#options.commands.hub, lines);
  }

  /** What lies between this machine and another one. @throws NetworkError */
  async measure(peer: number): Promise<PathMeasure> {
    const { path } = await this.#running().ask(pathThread, { kind: "measure", peer });
    if (path === undefined) throw new NetworkError("the delay node does not say what it measured");
    return path;
  }

  /** What frames of a LAN wait that has members on other machines. @throws NetworkError */
  async hold(link: string, holds: LanHolds): Promise<void> {
    await this.#running().ask(this.#threadOf(link), {
      ...{ kind: "hold", link, holds },
    });
  }

  async detach(links: readonly LinkEnds[]): Promise<void> {
    const { commands } = this.#options;
    await removeInterfaces(
      commands,
      links.flatMap(({ ends }) => ends),
    );
    const byThread = Map.groupBy(links, ({ name }) => this.#threads.threadOf(name) ?? 0);
    for (const [thread, own] of byThread) {
      const names = own.map(({ name }) => name);
      await this.#running().ask(thread, { kind: "remove", links: names });
      for (const name of names) this.#threads.remove(name);
      this.table.remove(names);
    }
  }

  async set(changes: readonly LinkChange[]): Promise<void> {
    await this.setAt(changes, 0);
  }

  async setAt(changes: readonly LinkChange[], atUs: number): Promise<number> {
    const planned = this.table.plan(changes);
    if ("problem" in planned) throw new NetworkError(planned.problem);
    // Committed first: what is asked next builds on it, whenever this one is done.
    this.table.commit(planned);
    return await this.#tell(planned, atUs);
  }

  refusal(changes: readonly LinkChange[], on: LinkTable = this.table): string | undefined {
    const planned = on.plan(changes);
    return "problem" in planned ? planned.problem : undefined;
  }

  /** What the threads that there are carry. */
  get carried(): Carried {
    const { delayNodePacketsPerSecond: packetsPerSecond } = networkLimits;
    const threadOf = (link: string): number | undefined => this.#threads.threadOf(link);
    return { packetsPerSecond, threads: this.#threads.threads, threadOf };
  }

  overload(on: LinkTable = this.table): readonly string[] {
    return describeOverload(on, this.carried);
  }

  refusalToMake(links: readonly ShapedLink[], gone: readonly string[]): string | undefined {
    return this.table.check(links, gone)[0];
  }

  async lostByMachine(): Promise<number> {
    return ((await this.#process?.lost()) ?? 0) + readDeviceDrops();
  }

  trouble(): readonly string[] {
    const { packets = 0, late = 0, lagMaxUs = 0, dropped = 0 } = this.health ?? {};
    const silent = this.#process?.silentSeconds ?? 0;
    return [
      ...(silent === 0
        ? []
        : [`the delay node has said nothing for ${silent} s: its links may carry nothing`]),
      ...(late === 0 ? [] : [describeLate({ packets, late, lagMaxUs })]),
      ...(dropped === 0
        ? []
        : [
            `${dropped} packets were lost on the way to the delay node, and by no link of the file`,
          ]),
    ];
  }

  /** What became of the packets of a link. */
  async counts(link: string): Promise<readonly DirectionCounts[]> {
    const answer = await this.#running().ask(this.#threads.threadOf(link) ?? 0, {
      kind: "count",
      link,
    });
    return answer.counts ?? [];
  }

  async stop(): Promise<void> {
    this.tracer.close();
    await this.#process?.stop();
  }

  async #start(links: readonly ShapedLink[]): Promise<ShaperProcess> {
    const { commands, clock, pace = "nap", onReport, paths } = this.#options;
    const { hub } = commands;
    const threads = this.#options.threads ?? threadsFor(links, availableParallelism());
    this.#threads = new ThreadLoads(threads);
    const shaper = new ShaperProcess({
      clock,
      threads,
      pace,
      spawn: (argv): ChildProcess =>
        commands.spawn(hub, ["unshare", "--net", "--", ...argv], paths?.descriptor),
      ...(onReport === undefined ? {} : { onReport }),
      onTraceEnded: (report) => this.tracer.ended(report),
    });
    this.#process = shaper;
    void shaper.failed.then((why) => {
      this.tracer.close();
      this.#failed.resolve(why);
    });
    await shaper.started();
    const own = { pid: shaper.pid };
    await commands.ip(hub, [
      `link add name u0 mtu ${underlayMtu} type veth peer name u1 mtu ${underlayMtu} netns ${own.pid}`,
      `addr add ${hubAddress}/30 dev u0`,
      "link set u0 up",
    ]);
    await commands.ip(own, [
      "link set lo up",
      `addr add ${shaperAddress}/30 dev u1`,
      "link set u1 up",
    ]);
    // Else what nodes send has no check sums yet when it leaves the kernel, and TCP dies.
    await commands.run(hub, ["ethtool", "-K", "u0", ..."tx off tso off gso off".split(" ")]);
    for (let thread = 0; thread < threads; thread++) {
      await shaper.ask(thread, {
        kind: "open",
        address: shaperAddress,
        peerAddress: hubAddress,
        port: firstPort + thread,
      });
    }
    if (paths !== undefined) {
      const { peers } = paths;
      await shaper.ask(pathThread, { kind: "open-path", descriptor: givenDescriptor, peers });
    }
    return shaper;
  }

  #running(): ShaperProcess {
    if (this.#process === undefined) throw new NetworkError("there are no links yet");
    return this.#process;
  }

  async #tell(updates: readonly DirectionUpdate[], askedUs: number): Promise<number> {
    const shaper = this.#running();
    const byThread = new Map<number, DirectionUpdate[]>();
    for (const update of updates) {
      const thread = this.#threads.threadOf(update.link) ?? 0;
      const group = byThread.get(thread) ?? [];
      byThread.set(thread, group);
      group.push(update);
    }
    // Not before now: a thread that has nothing to do takes the time when it had last.
    const soonestUs = this.#options.clock.nowUs() + (byThread.size > 1 ? togetherUs : 0);
    // K5: one that is told a little ahead of its instant may not have come to it yet.
    const atUs = Math.max(askedUs, soonestUs, this.#changeUs);
    this.#changeUs = atUs;
    const answers = await Promise.all(
      [...byThread].map(([thread, group]) =>
        shaper.ask(thread, { kind: "change", updates: group, atUs }),
      ),
    );
    return Math.max(...answers.map((answer) => answer.atUs ?? atUs), atUs);
  }

  /** Of a link that is there. */
  #threadOf(link: string): number {
    return this.#threads.threadOf(link) ?? noLink(link);
  }

  #segment({ name, ends }: LinkEnds): SegmentOrder {
    const stateOf = (place: DirectionPlace): MemberOrder["up"] => {
      const state = this.table.state(place);
      if (state === undefined) throw new NetworkError(`link ${name} has no shape for all its ends`);
      return state;
    };
    const kind = this.table.link(name)?.kind ?? "lan";
    const crossing = this.#options.paths?.crossing.get(name);
    if (crossing !== undefined) {
      const members = crossing.map(({ slot, peer, mac }, member) => ({
        ...{ vni: vniOf({ slot }), address: macNumber(mac) },
        ...{ up: stateOf({ link: name, member, way: "up" }) },
        ...(kind === "lan" ? { down: stateOf({ link: name, member, way: "down" }) } : {}),
        ...(peer < 0 ? {} : { peer }),
      }));
      return { link: name, kind, seed: this.#random.next(), members };
    }
    return {
      link: name,
      kind,
      seed: this.#random.next(),
      members: ends.map((end, member) => ({
        ...{ vni: vniOf(end), address: macNumber(end.mac) },
        up: stateOf({ link: name, member, way: "up" }),
        ...(kind === "lan" ? { down: stateOf({ link: name, member, way: "down" }) } : {}),
      })),
    };
  }
}

/** Share of packets up to which being late was a matter of moments. */
const momentShareMax = 0.01;

/** Pure. */
export function describeLate(health: Pick<ShaperHealth, "packets" | "late" | "lagMaxUs">): string {
  const { packets, late, lagMaxUs } = health;
  const isMoment = late <= packets * momentShareMax;
  const why = isMoment ? "was busy for a moment" : "was too busy for its links";
  const what = `the delay node sent ${late} of ${packets} packets more than 1 ms late`;
  return `${what}, up to ${lagMaxUs / 1_000} ms; the machine ${why}`;
}

function noLink(link: string): never {
  throw new NetworkError(`there is no link ${link}`);
}

/** 0 is a number like any other, but some tools take it for none. */
const vniOf = ({ slot }: Pick<LinkEnd, "slot">): number => slot + 1;

function deviceLine(end: LinkEnd, thread: number): string {
  if (end.mtu + vxlanOverheadBytes > underlayMtu) {
    throw new NetworkError(
      `${end.link} at ${end.node}: an MTU of ${end.mtu} does not fit the way to the delay node`,
    );
  }
  return [
    `link add name ${end.interfaceName} netns ${end.namespace.pid} address ${end.mac}`,
    `mtu ${end.mtu} type vxlan id ${vniOf(end)} local ${hubAddress} remote ${shaperAddress}`,
    `dstport ${firstPort + thread} nolearning noudpcsum`,
  ].join(" ");
}
