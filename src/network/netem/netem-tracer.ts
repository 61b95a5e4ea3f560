// SPDX-License-Identifier: MIT
// Traces of links that the kernel shapes. What a node gets is taken at its interface. What it sends
// the kernel shows there only behind the shaping, without what was lost and as late as it was made:
// so each packet is copied before that, as long as somebody traces, to a device beside it that
// leads nowhere, and is taken there.
//
//   N1. Such a device is there as long as a trace needs it, and one of an interface does for all.
//   N2. A file ends with everything that was taken before its end, or its roll, was asked for.
import type { Clock } from "../../host/clock.ts";
import {
  type LinkEnd,
  type NamespaceCommands,
  NetworkError,
  removeInterfaces,
} from "../link-backend.ts";
import {
  type LinkTrace,
  type LinkTracer,
  problemOf,
  type TraceCounts,
  type TraceOrder,
  tooManyTraces,
} from "../link-tracer.ts";
import { networkLimits, networkTimes } from "../network-limits.ts";
import { PacketTrace } from "../packet-trace.ts";
import { TraceFile } from "../trace-files.ts";
import { PacketTap, type TapSource } from "./packet-tap.ts";

export interface NetemTracerOptions {
  readonly commands: NamespaceCommands;
  readonly clock: Clock;
  /** @throws NetworkError when there is none */
  readonly endOf: (link: string, member: number) => LinkEnd;
  readonly tracesMax?: number;
}

interface Copies {
  readonly end: LinkEnd;
  users: number;
  /** What was last done to the device, or what is under way. */
  work: Promise<void>;
}

export class NetemTracer implements LinkTracer {
  readonly #options: NetemTracerOptions;
  readonly #open = new Set<NetemTrace>();
  /** Those that are to be open soon. */
  #beginning = 0;
  /** N1. By the number of the end. */
  readonly #copies = new Map<number, Copies>();

  constructor(options: NetemTracerOptions) {
    this.#options = options;
  }

  async begin(order: TraceOrder): Promise<LinkTrace> {
    const { endOf, tracesMax = networkLimits.tracesMax } = this.#options;
    if (this.#open.size + this.#beginning >= tracesMax) throw tooManyTraces(tracesMax);
    const end = endOf(order.link, order.member);
    this.#beginning += 1;
    try {
      const trace = await this.#begin(order, end);
      this.#open.add(trace);
      return trace;
    } finally {
      this.#beginning -= 1;
    }
  }

  /** Ends the traces of links that are to go. Never rejects. */
  async endTraces(links: readonly string[]): Promise<void> {
    const gone = [...this.#open].filter(({ link }) => links.includes(link));
    await Promise.all(gone.map((trace) => trace.end()));
  }

  /** Never rejects. */
  async stop(): Promise<void> {
    await Promise.all([...this.#open].map((trace) => trace.end()));
  }

  async #begin(order: TraceOrder, end: LinkEnd): Promise<NetemTrace> {
    const { commands, clock } = this.#options;
    const file = await createFile(order);
    const isSent = order.ways.includes("sent");
    const release = async (): Promise<void> => {
      if (isSent) await this.#release(end);
    };
    try {
      if (isSent) await this.#copy(end);
      const sources = order.ways.map(
        (way): TapSource =>
          way === "sent"
            ? { way, device: copyName(end), side: "leaving" }
            : { way, device: end.interfaceName, side: "coming" },
      );
      const onEnded = async (): Promise<void> => {
        this.#open.delete(trace);
        await release();
      };
      const trace: NetemTrace = new NetemTrace({ order, file, clock, onEnded });
      await trace.open({ commands, namespace: end.namespace, sources });
      return trace;
    } catch (error) {
      await release();
      await file.end();
      throw error;
    }
  }

  /** N1. @throws NetworkError */
  #copy(end: LinkEnd): Promise<void> {
    const copies = this.#copies.get(end.slot) ?? { end, users: 0, work: Promise.resolve() };
    this.#copies.set(end.slot, copies);
    copies.users += 1;
    if (copies.users > 1) return copies.work;
    const { commands } = this.#options;
    copies.work = copies.work.then(async () => {
      await commands.ip(end.namespace, copyLines(end));
      await commands.run(end.namespace, ["tc", "-batch", "-"], mirrorLines(end));
    });
    return copies.work;
  }

  /** Never rejects: the node may be gone, and its devices with it. */
  async #release(end: LinkEnd): Promise<void> {
    const copies = this.#copies.get(end.slot);
    if (copies === undefined) return;
    copies.users -= 1;
    if (copies.users > 0) return;
    const { commands } = this.#options;
    const { namespace, interfaceName } = end;
    copies.work = copies.work
      .catch(() => undefined)
      .then(async () => {
        const stop = `qdisc del dev ${interfaceName} clsact\n`;
        await commands.run(namespace, ["tc", "-batch", "-"], stop).catch(() => undefined);
        const device = { ...end, interfaceName: copyName(end) };
        await removeInterfaces(commands, [device]).catch(() => undefined);
      });
    await copies.work;
  }
}

interface NetemTraceOptions {
  readonly order: TraceOrder;
  readonly file: TraceFile;
  readonly clock: Clock;
  /** Called once. Never rejects. */
  readonly onEnded: () => Promise<void>;
}

class NetemTrace implements LinkTrace {
  readonly ended: Promise<TraceCounts>;
  readonly #options: NetemTraceOptions;
  readonly #packets: PacketTrace;
  readonly #ended = Promise.withResolvers<TraceCounts>();
  #tap: PacketTap | undefined;
  #hasEnded = false;
  #dropped = 0;
  /** What is stamped earlier came while it was paused. */
  #fromUs = 0;
  #cancelFlush: (() => void) | undefined;

  constructor(options: NetemTraceOptions) {
    const { order, file } = options;
    this.#options = options;
    this.ended = this.#ended.promise;
    const { filter: _ofKernel, ...unfiltered } = order;
    this.#packets = new PacketTrace({
      ...{ id: 0, order: unfiltered, frameAt: 0, wallOffsetUs: 0 },
      send: ({ bytes, packets }) => {
        if (!file.append(bytes, packets)) void this.end();
      },
      onCounted: () => void this.end(),
    });
  }

  get link(): string {
    return this.#options.order.link;
  }

  /** @throws NetworkError */
  async open(
    how: Pick<Parameters<typeof PacketTap.open>[0], "commands" | "namespace" | "sources">,
  ): Promise<void> {
    const { kind, snapBytes, filter = [] } = this.#options.order;
    const tap = await PacketTap.open({
      ...{ ...how, filter, snapBytes: kind === "counts" ? 0 : snapBytes },
      onPacket: ({ way, wallUs, packet, bytes }) => {
        if (this.#hasEnded || wallUs < this.#fromUs) return;
        this.#packets.take(way, wallUs, packet, bytes);
        this.#flushSoon();
      },
    });
    this.#tap = tap;
    void tap.failed.then((why) => this.#finish(why));
  }

  async pause(isPaused: boolean): Promise<void> {
    if (isPaused) {
      await this.#mark();
      this.#packets.isPaused = true;
      return;
    }
    if (!this.#packets.isPaused) return;
    const droppedBefore = this.#tap?.mark();
    // What is on its way from the kernel may be of before.
    this.#fromUs = this.#options.clock.wallMs() * 1_000;
    this.#packets.isPaused = false;
    await droppedBefore;
  }

  async roll(to: string): Promise<void> {
    await this.#mark();
    if (this.#hasEnded) return;
    this.#packets.finish();
    await this.#options.file.roll(to);
  }

  /** Never rejects. */
  async end(): Promise<TraceCounts> {
    await this.#mark();
    await this.#finish(undefined);
    return await this.ended;
  }

  /** N2. Nobody misses what was dropped while nothing was to be written. */
  async #mark(): Promise<void> {
    const drops = (await this.#tap?.mark()) ?? 0;
    if (!this.#packets.isPaused) this.#dropped += drops;
  }

  /** @param problem why it ends before anybody asked for that */
  async #finish(problem: string | undefined): Promise<void> {
    if (this.#hasEnded) return;
    this.#packets.finish();
    this.#hasEnded = true;
    this.#cancelFlush?.();
    this.#tap?.end();
    const { file, onEnded } = this.#options;
    const counts = await file.end();
    await onEnded();
    const dropped = counts.dropped + this.#dropped;
    const why = problem === undefined ? {} : { problem };
    this.#ended.resolve({ ...why, ...counts, dropped });
  }

  #flushSoon(): void {
    this.#cancelFlush ??= this.#options.clock.after(networkTimes.traceMs, () => {
      this.#cancelFlush = undefined;
      this.#packets.flush();
    });
  }
}

async function createFile(order: TraceOrder): Promise<TraceFile> {
  try {
    return await TraceFile.create(order);
  } catch (error) {
    throw new NetworkError(problemOf(error));
  }
}

const copyName = ({ slot }: LinkEnd): string => `trace${slot}`;

/** With so small an MTU it has no IPv6 and sends nothing itself; copies may be larger. */
const copyLines = (end: LinkEnd): readonly string[] => [
  `link add name ${copyName(end)} mtu 1000 type dummy`,
  `link set ${copyName(end)} up`,
];

const mirrorLines = (end: LinkEnd): string =>
  `qdisc add dev ${end.interfaceName} clsact
filter add dev ${end.interfaceName} egress matchall action mirred egress mirror dev ${copyName(end)}
`;
