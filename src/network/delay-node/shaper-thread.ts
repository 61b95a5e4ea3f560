// SPDX-License-Identifier: MIT
// A thread of the delay node: takes packets of its links from a socket, and sends each when it has
// come out of its link. Sleeps in `Atomics.wait` to the next one, in naps short enough that what
// arrives meanwhile is stamped nearly when it came.
//
//   D1. A change is in force for every packet that arrives from its instant on, and for none
//       before: changes are applied before a packet that was stamped later, in their order.
//   D2. What piled up while the thread did not run is stamped as it came, before anything of a
//       later instant is done (shaper/backlog.ts).
import { createSocket, type Socket } from "node:dgram";
import { parentPort, workerData } from "node:worker_threads";
import { errorText } from "../../core/text.ts";
import { systemClock } from "../../host/clock.ts";
import { readSocketDrops } from "../../host/kernel-drops.ts";
import type { TraceOrder, TraceWay } from "../link-tracer.ts";
import { unshaped } from "../model.ts";
import { networkTimes } from "../network-limits.ts";
import { PacketTrace } from "../packet-trace.ts";
import { Backlog } from "../shaper/backlog.ts";
import { Segment } from "../shaper/segment.ts";
import { type HeapItem, SegmentHeap } from "../shaper/segment-heap.ts";
import { PathPort } from "./path-port.ts";
import type {
  DirectionCounts,
  MemberOrder,
  Pace,
  PathMeasure,
  SegmentOrder,
  ShaperAnswer,
  ShaperOrder,
  ShaperReport,
  ShaperRequest,
  ShaperThreadData,
  ThreadSays,
  UpdateOrder,
} from "./shaper-messages.ts";
import { readVni, vxlanHeaderBytes, writeVni } from "./vxlan.ts";

/** What arrives during a nap is stamped when it ends. */
const napUsMax = 150;
/** What sleeping takes at the least; nearer than that it is waited for awake. */
const napUsMin = 60;
/** A packet is sent when it is due so soon: the mean of what sending later would cost. */
const earlyUs = 20;
/** Farther away than this a timer of the platform is exact enough to wait with. */
const timerUsMin = 3_000;
/**
 * Who sleeps until a packet comes does not know how long it was kept from running after that. So
 * for a while after the last one the thread wakes as often as that, and knows by when it should
 * have.
 */
const dozeUs = 2_000;
const restlessUs = 1_000_000;
const warmUpPackets = 20_000;
const receiveBufferBytes = 4 * 1024 * 1024;
/** As many as the platform reads from a socket in one turn: with fewer, it has read all. */
const turnPackets = 32;
/** Ten times what a turn takes with its nap. */
const backlogBounds = { behindUs: 2_000, packetsMax: 16_384 };

interface Link extends HeapItem {
  readonly segment: Segment;
  /** With the members that have joined. */
  order: SegmentOrder;
  /** Of a link: the machine that one of its ends is on; most have both here. */
  readonly peer: number | undefined;
  /** Most links have none. */
  readonly traces: PacketTrace[];
}

interface End {
  readonly link: Link;
  readonly member: number;
  /** The machine that it is on; undefined: this one. */
  readonly peer: number | undefined;
}

type TraceChange = Extract<ShaperOrder, { kind: "trace-pause" | "trace-roll" | "trace-end" }>;

interface Arrival {
  readonly link: Link;
  readonly member: number;
  readonly packet: Uint8Array;
}

interface Change {
  readonly id: number;
  readonly atUs: number;
  readonly updates: readonly UpdateOrder[];
}

class ShaperThread {
  readonly #thread: number;
  readonly #pace: Pace;
  readonly #wallOffsetUs: number;
  readonly #say: (what: ThreadSays, owned?: readonly ArrayBuffer[]) => void;
  readonly #links = new Map<string, Link>();
  /** By the number that packets of an end carry: its link, and which member of it. */
  readonly #ends: (End | undefined)[] = [];
  readonly #heap = new SegmentHeap<Link>();
  readonly #traces = new Map<number, { readonly link: Link; readonly trace: PacketTrace }>();
  readonly #word = new Int32Array(new SharedArrayBuffer(4));
  /** In the order of their instants. */
  readonly #changes: Change[] = [];
  readonly #backlog = new Backlog<Arrival>(backlogBounds);
  #out: Socket | undefined;
  /** To other machines. */
  #path: PathPort | undefined;
  #socket: Socket | undefined;
  #lastUs = 0;
  /** Packets that were read since the last turn, and when the last one was. */
  #arrived = 0;
  #arrivedUs = -Infinity;
  /** Before the platform last looked for packets. */
  #lookUs = -Infinity;
  #isTurning = false;
  /** When it was to wake by itself, while it sleeps. */
  #wakeUs = Infinity;
  /** When it is to report next, also while it sleeps. */
  #reportUs = Infinity;
  #cancelTimer: () => void = () => undefined;
  #packets = 0;
  #lagSumUs = 0;
  #lagMaxUs = 0;
  #lagMaxAtUs = 0;
  #unseenMaxUs = 0;
  #late = 0;
  #strange = 0;
  #unsent = 0;
  #unsentAll = 0;

  constructor(
    { thread, pace, wallOffsetUs }: ShaperThreadData,
    say: (what: ThreadSays, owned?: readonly ArrayBuffer[]) => void,
  ) {
    this.#thread = thread;
    this.#pace = pace;
    this.#wallOffsetUs = wallOffsetUs;
    this.#say = say;
  }

  /** Never rejects; answers by itself. */
  async obey(id: number, order: ShaperOrder): Promise<void> {
    try {
      switch (order.kind) {
        case "open":
          await this.#open(order);
          break;
        case "open-path":
          this.#path = new PathPort(order.peers, (peer, packet) => this.#arriveBy(peer, packet));
          await this.#path.open(order.descriptor);
          break;
        case "measure":
          this.#answer({ kind: "answer", id, path: await this.#measure(order.peer) });
          return;
        case "hold":
          this.#links.get(order.link)?.segment.hold(order.holds);
          break;
        case "add":
          for (const segment of order.segments) this.#add(segment);
          break;
        case "grow":
          this.#grow(order.link, order.members);
          break;
        case "remove":
          for (const link of order.links) this.#remove(link);
          break;
        case "change":
          this.#plan({ id, atUs: order.atUs, updates: order.updates });
          return;
        case "count":
          this.#answer({ kind: "answer", id, counts: this.#count(order.link) });
          return;
        case "lost":
          // Who asks what was lost looks at how it was, too.
          this.#say(this.report());
          this.#answer({ kind: "answer", id, lost: this.#lost() });
          return;
        case "trace":
          this.#trace(order.trace, order.order);
          break;
        default:
          this.#changeTrace(order);
      }
      this.#answer({ kind: "answer", id });
    } catch (error) {
      const text = errorText(error);
      this.#answer({ kind: "answer", id, error: text });
    }
  }

  #answer(answer: ShaperAnswer): void {
    this.#say(answer);
  }

  #trace(id: number, order: TraceOrder): void {
    const link = this.#links.get(order.link);
    if (link === undefined) throw new Error(`there is no link ${order.link}`);
    const trace = new PacketTrace({
      ...{ id, order, frameAt: vxlanHeaderBytes },
      wallOffsetUs: this.#wallOffsetUs,
      send: (chunk) => this.#say({ kind: "traced", ...chunk }, [chunk.bytes.buffer]),
      onCounted: () => {
        this.#changeTrace({ kind: "trace-end", trace: id });
        this.#say({ kind: "trace-ended", trace: id });
      },
    });
    if (this.#traces.size === 0) systemClock.after(networkTimes.traceMs, () => this.#flushTraces());
    this.#traces.set(id, { link, trace });
    link.traces.push(trace);
  }

  /** What is there goes out first (T1). Of a trace that has ended by itself there is nothing. */
  #changeTrace(order: TraceChange): void {
    const known = this.#traces.get(order.trace);
    if (known === undefined) return;
    const { link, trace } = known;
    if (order.kind === "trace-pause") trace.isPaused = order.isPaused;
    else trace.finish();
    if (order.kind !== "trace-end") return;
    this.#traces.delete(order.trace);
    link.traces.splice(link.traces.indexOf(trace), 1);
  }

  #flushTraces(): void {
    if (this.#traces.size === 0) return;
    for (const { trace } of this.#traces.values()) trace.flush();
    systemClock.after(networkTimes.traceMs, () => this.#flushTraces());
  }

  /** It runs at that instant at the latest, unless somebody keeps it from running. */
  reportsAt(atUs: number): void {
    const nowUs = systemClock.nowUs();
    // So it was: what has come meanwhile is read in a turn, which knows that it is not new.
    if (nowUs - this.#reportUs > backlogBounds.behindUs) {
      this.#awake(nowUs);
      this.#turnSoon();
    }
    this.#reportUs = atUs;
  }

  report(): ShaperReport {
    const packets = this.#packets;
    const report: ShaperReport = {
      kind: "report",
      thread: this.#thread,
      atUs: systemClock.nowUs(),
      packets,
      lagMaxUs: Math.round(this.#lagMaxUs),
      lagMeanUs: packets === 0 ? 0 : Math.round(this.#lagSumUs / packets),
      lagMaxAtUs: Math.round(this.#lagMaxAtUs),
      unseenMaxUs: Math.ceil(this.#unseenMaxUs),
      late: this.#late,
      strange: this.#strange,
      unsent: this.#unsent,
    };
    this.#packets = this.#lagSumUs = this.#lagMaxUs = this.#lagMaxAtUs = this.#late = 0;
    this.#strange = this.#unsent = this.#unseenMaxUs = 0;
    return report;
  }

  async #open({ address, peerAddress, port }: ShaperOrder & { kind: "open" }): Promise<void> {
    warmUp();
    const out = createSocket({ type: "udp4", sendBufferSize: receiveBufferBytes });
    await bound(out, address, 0);
    await new Promise<void>((resolve) => out.connect(port, peerAddress, resolve));
    // What the kernel refuses is counted where it is sent.
    out.on("error", () => {
      this.#unsent += 1;
      this.#unsentAll += 1;
    });
    this.#out = out;
    const socket = createSocket({ type: "udp4", recvBufferSize: receiveBufferBytes });
    socket.on("message", (packet) => this.#arrive(packet));
    await bound(socket, address, port);
    this.#socket = socket;
  }

  /** Packets since the start that the kernel had no room for, at the socket and when sending. */
  #lost(): number {
    const at = this.#socket?.address();
    return this.#unsentAll + this.#lostOnPath() + (at === undefined ? 0 : readSocketDrops(at));
  }

  #lostOnPath(): number {
    return this.#path?.unsent ?? 0;
  }

  async #measure(peer: number): Promise<PathMeasure> {
    if (this.#path === undefined) throw new Error("there is no way to other machines");
    return await this.#path.measure(peer);
  }

  #add(order: SegmentOrder): void {
    if (this.#links.has(order.link)) throw new Error(`${order.link} is there already`);
    const { kind, members, seed } = order;
    const segment = new Segment({ kind, members, seed, frameAt: vxlanHeaderBytes });
    // A LAN is shaped here and there, each member where it is.
    const peer = kind === "lan" ? undefined : members.find((one) => one.peer !== undefined)?.peer;
    const link: Link = { segment, order, peer, traces: [], nextUs: Infinity, place: 0 };
    this.#links.set(order.link, link);
    this.#heap.add(link);
    for (const [member, { vni, peer: at }] of members.entries()) {
      this.#ends[vni] = { link, member, peer: at };
    }
  }

  #grow(name: string, more: readonly MemberOrder[]): void {
    const link = this.#links.get(name);
    if (link === undefined) throw new Error(`there is no link ${name}`);
    const { members } = link.order;
    link.segment.grow(more);
    link.order = { ...link.order, members: [...members, ...more] };
    for (const [index, { vni, peer }] of more.entries()) {
      this.#ends[vni] = { link, member: members.length + index, peer };
    }
  }

  /** With what is on its way in it; a change that is told for later finds it gone. */
  #remove(name: string): void {
    const link = this.#links.get(name);
    if (link === undefined) return;
    for (const [id, known] of [...this.#traces]) {
      if (known.link !== link) continue;
      this.#changeTrace({ kind: "trace-end", trace: id });
      this.#say({ kind: "trace-ended", trace: id });
    }
    this.#heap.remove(link);
    this.#links.delete(name);
    for (const { vni } of link.order.members) this.#ends[vni] = undefined;
  }

  #plan(change: Change): void {
    const index = this.#changes.findIndex(({ atUs }) => atUs > change.atUs);
    this.#changes.splice(index === -1 ? this.#changes.length : index, 0, change);
    this.#awake(systemClock.nowUs());
    this.#turnSoon();
  }

  /** D1. */
  #applyChanges(nowUs: number): void {
    for (let next = this.#changes[0]; next !== undefined; next = this.#changes[0]) {
      if (next.atUs > nowUs) return;
      this.#changes.shift();
      const atUs = Math.max(next.atUs, this.#lastUs);
      this.#lastUs = atUs;
      for (const { link: name, member, way, state } of next.updates) {
        const link = this.#links.get(name);
        if (link === undefined) continue;
        link.segment.change(atUs, member, way, state);
        this.#moved(link);
      }
      this.#answer({ kind: "answer", id: next.id, atUs });
    }
  }

  #arrive(packet: Uint8Array): void {
    const end = this.#ends[readVni(packet)];
    if (end === undefined) {
      this.#strange += 1;
      return;
    }
    // Its link is shaped where its other end is.
    if (end.link.peer !== undefined) {
      if (end.peer === undefined) this.#path?.send(end.link.peer, packet);
      return;
    }
    if (end.peer === undefined) this.#arriveAt(end, packet);
    else this.#strange += 1;
  }

  /** Of a link whose other end is on that machine, or of a LAN with members there. */
  #arriveBy(peer: number, packet: Uint8Array): void {
    const end = this.#ends[readVni(packet)];
    if (end === undefined || end.peer !== peer) this.#strange += 1;
    else this.#arriveAt(end, packet);
  }

  #arriveAt({ link, member }: End, packet: Uint8Array): void {
    const nowUs = systemClock.nowUs();
    this.#awake(nowUs);
    this.#arrived += 1;
    this.#arrivedUs = nowUs;
    const arrival = { link, member, packet };
    if (!this.#backlog.hold(nowUs, arrival)) this.#pass(nowUs, arrival, nowUs);
    if (!this.#isTurning) this.#turnSoon();
  }

  /**
   * Who slept was woken by the first packet: so far, or until it was to wake or to report, there
   * was none. One that was stopped, or whose machine was, has not heard of any.
   */
  #awake(nowUs: number): void {
    if (!this.#isTurning) this.#backlog.empty(Math.min(nowUs, this.#wakeUs, this.#reportUs));
  }

  /** @param cameUs when the packet came, not after now */
  #pass(cameUs: number, { link, member, packet }: Arrival, nowUs: number): void {
    // It came before its link was taken away.
    if (link.place < 0) return;
    if (this.#changes.length > 0) this.#applyChanges(cameUs);
    const atUs = Math.max(cameUs, this.#lastUs);
    this.#lastUs = atUs;
    if (link.traces.length > 0) this.#note(link, member, "sent", { atUs: cameUs, packet });
    const slackUs = Math.max(0, atUs - this.#backlog.emptyUs);
    link.segment.arrive(atUs, member, packet, { atUs: nowUs, slackUs });
    // What nothing holds back goes at once.
    if (link.segment.nextUs <= atUs) this.#release(link, atUs, nowUs);
    this.#moved(link);
  }

  /** D2. @returns false while there may be more. */
  #catchUp(): boolean {
    const isRead = this.#arrived < turnPackets;
    this.#arrived = 0;
    if (!isRead && !this.#backlog.isFull) return !this.#backlog.isHolding;
    if (this.#backlog.isHolding) {
      const nowUs = systemClock.nowUs();
      const unseenUs = this.#backlog.release(this.#arrivedUs, (cameUs, arrival) => {
        this.#pass(cameUs, arrival, nowUs);
      });
      this.#unseenMaxUs = Math.max(this.#unseenMaxUs, unseenUs);
    }
    this.#backlog.empty(this.#lookUs);
    return true;
  }

  #release(link: Link, untilUs: number, nowUs: number): void {
    const { members } = link.order;
    link.segment.release(
      untilUs,
      (member, packet, { sinceUs }) => {
        const vni = members[member]?.vni;
        if (vni === undefined) return;
        writeVni(packet, vni);
        this.#out?.send(packet);
        if (link.traces.length > 0) this.#note(link, member, "received", { atUs: nowUs, packet });
        this.#sent(sinceUs, nowUs);
      },
      // It carries the number of who sent it, as that machine hears it.
      (peer, from, packet, { sinceUs }) => {
        writeVni(packet, members[from]?.vni ?? 0);
        this.#path?.send(peer, packet);
        this.#sent(sinceUs, nowUs);
      },
    );
  }

  /** @param sinceUs when it may have been due at the soonest: also how long it lay unread counts */
  #sent(sinceUs: number, nowUs: number): void {
    const lagUs = Math.max(0, nowUs - sinceUs);
    this.#packets += 1;
    this.#lagSumUs += lagUs;
    if (lagUs > networkTimes.lagWarnUs) this.#late += 1;
    if (lagUs <= this.#lagMaxUs) return;
    this.#lagMaxUs = lagUs;
    this.#lagMaxAtUs = sinceUs;
  }

  #note(
    { traces }: Link,
    member: number,
    way: TraceWay,
    { atUs, packet }: { readonly atUs: number; readonly packet: Uint8Array },
  ): void {
    // One that has had its last packet goes from the list meanwhile.
    for (const trace of [...traces]) if (trace.member === member) trace.take(way, atUs, packet);
  }

  #moved(link: Link): void {
    link.nextUs = link.segment.nextUs;
    this.#heap.moved(link);
  }

  #turnSoon(): void {
    this.#cancelTimer();
    if (this.#isTurning) return;
    this.#isTurning = true;
    this.#turnAgain();
  }

  #turn(): void {
    if (!this.#catchUp()) {
      this.#turnAgain();
      return;
    }
    // What came since it looked is not read yet, and had come before a change of now (D1). A turn
    // may be held up anywhere: were what follows taken to come after it, that would be a burst
    // (D2).
    this.#applyChanges(this.#lookUs);
    this.#lastUs = Math.max(this.#lastUs, this.#lookUs);
    let nowUs = systemClock.nowUs();
    for (let next = this.#heap.first; next !== undefined; next = this.#heap.first) {
      if (next.nextUs > nowUs + earlyUs) break;
      this.#release(next, Math.max(nowUs, next.nextUs), nowUs);
      this.#moved(next);
      nowUs = systemClock.nowUs();
    }
    const dueUs = Math.min(
      this.#heap.first?.nextUs ?? Infinity,
      this.#changes[0]?.atUs ?? Infinity,
    );
    const waitUs = dueUs - nowUs;
    // Who sleeps in the kernel does not know how long it slept, and how long it was kept from
    // running: while packets come, the thread looks for them by itself (D2).
    if (waitUs > timerUsMin && this.#silentUs > timerUsMin) {
      this.#sleep(nowUs, waitUs);
      return;
    }
    if (this.#pace === "nap" && waitUs > napUsMin) {
      Atomics.wait(this.#word, 0, 0, (Math.min(waitUs, napUsMax) - napUsMin) / 1_000);
    }
    this.#turnAgain();
  }

  get #silentUs(): number {
    return this.#lookUs - this.#arrivedUs;
  }

  /** Until a packet comes, or a little before there is something to do. */
  #sleep(nowUs: number, waitUs: number): void {
    this.#isTurning = false;
    const mostUs = this.#silentUs < restlessUs ? dozeUs : Infinity;
    const sleepUs = Math.min(waitUs - timerUsMin / 2, mostUs);
    this.#wakeUs = Infinity;
    if (sleepUs === Infinity) return;
    const sleepMs = Math.min(Math.floor(sleepUs / 1_000), 2 ** 31 - 1);
    this.#wakeUs = nowUs + sleepMs * 1_000;
    this.#cancelTimer = systemClock.after(sleepMs, () => {
      this.#awake(systemClock.nowUs());
      this.#turnSoon();
    });
  }

  /** Before the next turn the platform reads the socket. */
  #turnAgain(): void {
    this.#lookUs = systemClock.nowUs();
    systemClock.endOfTurn(() => this.#turn());
  }

  #count(name: string): readonly DirectionCounts[] {
    const link = this.#links.get(name);
    if (link === undefined) throw new Error(`there is no link ${name}`);
    return link.order.members.flatMap((_, member) =>
      (["up", "down"] as const).flatMap((way) => {
        const pipe = link.segment.pipe(member, way);
        return pipe === undefined
          ? []
          : [{ member, way, counts: { ...pipe.counts }, size: pipe.size }];
      }),
    );
  }
}

/** Has the code compiled that packets run through: the first ones of a run must not pay for it. */
function warmUp(): void {
  const shape = { ...unshaped, bandwidthBps: 100_000_000, delayUs: 1_000, loss: 0.01 };
  const members = [0, 1].map(() => ({ up: { shape, isUp: true } }));
  const segment = new Segment({ kind: "link", members, seed: 1, frameAt: vxlanHeaderBytes });
  const packet = new Uint8Array(1_000);
  for (let atUs = 0; atUs < warmUpPackets * 100; atUs += 100) {
    segment.arrive(atUs, (atUs / 100) & 1, packet);
    segment.release(atUs, (member, out) => writeVni(out, member + readVni(out)));
  }
}

function bound(socket: Socket, address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.bind({ address, port, exclusive: true }, () => {
      socket.off("error", reject);
      resolve();
    });
  });
}

const port = parentPort;
if (port !== null) {
  const data = workerData as ShaperThreadData;
  const thread = new ShaperThread(data, (what, owned = []) => port.postMessage(what, [...owned]));
  port.on("message", ({ id, order }: ShaperRequest) => void thread.obey(id, order));
  const reportLater = (): void => {
    thread.reportsAt(systemClock.nowUs() + networkTimes.reportMs * 1_000);
    systemClock.after(networkTimes.reportMs, report);
  };
  const report = (): void => {
    port.postMessage(thread.report());
    reportLater();
  };
  reportLater();
}
