// SPDX-License-Identifier: MIT
// The sync server as an edge: requests of both doors become commands, effects become answers.
// [EMULAB-SYNC 1] [EMULAB-SYNC 3] Owns connection ids and who is answered at them. Does not own
// barriers: who is released, and with which error, is what the effects say.
//
//   D1. Nobody is answered before an effect says so.
//   D2. An asker is answered at most once; effects for askers that are gone do nothing.
//   D3. Commands of one asker are submitted in order; nothing read is lost for want of room.
import type { RemoteInfo, Socket as UdpSocket } from "node:dgram";
import type { Duplex } from "node:stream";
import type { ConnectionId, Participant } from "../../core/command.ts";
import type { EdgeEffect, Released } from "../../core/effect.ts";
import type { Limits } from "../../core/limits.ts";
import type { Clock } from "../../host/clock.ts";
import type { ConnectEdge } from "../../host/core-link.ts";
import type { Logger } from "../../host/logger.ts";
import { errorCleared, type RequestFrame } from "../../wire/emulab-sync/index.ts";
import { DescribedPages } from "../../wire/link/describe-pages.ts";
import { CoreMembership } from "../core-membership.ts";
import { Doorway } from "../doorway.ts";
import { type EdgeTime, edgeTime } from "../edge-time.ts";
import { Outbox } from "../outbox.ts";
import type { TlsFiles } from "../tls.ts";
import type { Asker, Counter } from "./asker.ts";
import { resolveBounds, type SyncdBounds } from "./bounds.ts";
import { type Bound, listen } from "./listen.ts";
import { type MemberBarriers, Members } from "./members.ts";
import { createReplies, replyError } from "./replies.ts";
import { formatReport, quoteBarrier } from "./report.ts";
import { Tally } from "./tally.ts";
import { type Peer, TcpDoor } from "./tcp.ts";
import { type DatagramSource, type UdpCounters, UdpDoor } from "./udp.ts";

export interface SyncdOptions {
  /** Scope of every barrier asked for here. */
  readonly scope: string;
  /** Name of this edge, unique in the core, e.g. `node0/syncd`. */
  readonly edge: string;
  readonly connect: ConnectEdge;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: Limits;
  /** Bounds of the server's own tables and sockets; the defaults where absent. */
  readonly bounds?: Partial<SyncdBounds>;
  /** Addresses to listen at; loopback only unless somebody chose otherwise. */
  readonly addresses: readonly string[];
  readonly port: number;
  /** Take any free port when `port` is in use. */
  readonly fallback?: boolean;
  /** Option by which a person chooses another port; default `-p`. */
  readonly portOption?: string;
  readonly verbose?: boolean;
  /** The node that calls, from the address it called at and its own. */
  readonly nodeOf?: (localAddress: string, peerAddress: string) => string | undefined;
  /** Barriers that are for members; all others are counts. */
  readonly memberBarriers?: MemberBarriers;
  /** Whether a host may use this server at all; all may when absent. */
  readonly allows?: (peerAddress: string) => boolean;
  /** Something was refused by the limit of this name, by this door and not by the core. */
  readonly onLimit?: (limit: string) => void;
  /** TCP clients speak TLS from the first byte, and UDP, which has none, is not served. */
  readonly tls?: TlsFiles;
  /** The core refuses this edge for good: nothing will ever be answered again. */
  readonly onClosed?: (reason: string) => void;
  /** Edge-local times; tests shorten them. */
  readonly time?: EdgeTime;
}

/** What a server holds and has done, for tests, benchmarks and metrics. */
export interface SyncdCounters {
  readonly tcpOpen: number;
  readonly udpWaiting: number;
  readonly udpAnswersKept: number;
  readonly udp: UdpCounters;
}

export class Syncd {
  readonly #options: SyncdOptions;
  readonly #time: EdgeTime;
  readonly #bounds: SyncdBounds;
  readonly #core: CoreMembership;
  readonly #outbox: Outbox;
  readonly #tcp: TcpDoor;
  readonly #doorway: Doorway;
  readonly #udp: UdpDoor;
  readonly #askers = new Map<ConnectionId, Asker>();
  readonly #tally = new Tally();
  readonly #members: Members;
  #lastConnection = 0;
  #verbose: boolean;
  #bound: Bound | undefined;

  constructor(options: SyncdOptions) {
    this.#options = options;
    this.#time = options.time ?? edgeTime;
    this.#bounds = resolveBounds(options.bounds);
    this.#verbose = options.verbose ?? false;
    this.#members = new Members(options.memberBarriers ?? new Map());
    const { clock } = options;
    const counter: Counter = this.#counter();
    this.#tcp = new TcpDoor({ counter, clock, time: this.#time });
    this.#doorway = this.#createDoorway();
    const keptCount = () => this.#outbox.keptCount;
    this.#udp = new UdpDoor({
      counter,
      clock,
      time: this.#time,
      bounds: this.#bounds,
      keptCount,
    });
    this.#core = this.#createMembership();
    this.#outbox = new Outbox({
      submit: (command) => this.#core.link.submit(command),
      onRoomChange: (hasRoom) => this.#tcp.setReading(hasRoom),
    });
  }

  /** The port that is listened at; 0 before `listen`. */
  get port(): number {
    return this.#bound?.port ?? 0;
  }

  get counters(): SyncdCounters {
    return {
      tcpOpen: this.#tcp.openCount,
      udpWaiting: this.#udp.waitingCount,
      udpAnswersKept: this.#udp.answeredCount,
      udp: this.#udp.counters,
    };
  }

  /** Takes the port. @returns the port. @throws ListenError */
  async listen(): Promise<number> {
    const { addresses, port, fallback = false, portOption } = this.#options;
    this.#bound = await listen({
      addresses,
      port,
      fallback,
      portOption,
      time: this.#time,
      bounds: this.#bounds,
      onConnection: (socket) => this.#doorway.accept(socket),
      onDatagram: (bytes, from, at, address) => this.#onDatagram(bytes, from, at, address),
      onSocketError: (error) => this.#log("error", `socket error: ${error.message}`),
    });
    this.#core.join();
    return this.#bound.port;
  }

  /** Serves one connection that did not come through `listen`. */
  accept(stream: Duplex, peer: Peer): void {
    this.#tcp.accept(stream, peer);
  }

  /** Takes one datagram that did not come through `listen`. */
  receive(bytes: Buffer, source: DatagramSource): void {
    this.#udp.receive(bytes, source);
  }

  /** Turns the verbose lines on or off (USR1, USR2). */
  setVerbose(on: boolean): void {
    this.#verbose = on;
    this.#log("info", `verbose logging ${on ? "on" : "off"}`);
  }

  /** Clears all barriers; every waiter is answered 240 (HUP). */
  clear(): void {
    const { scope } = this.#options;
    this.#log("info", "clearing all barriers");
    this.#outbox.send({ kind: "cancel-all", scope, barrierKind: "count", error: errorCleared });
  }

  /** Logs every barrier with its waiters (INFO). */
  async report(): Promise<void> {
    try {
      const { scope } = this.#options;
      const pages = new DescribedPages();
      do {
        const { next: after } = pages;
        pages.add(await this.#core.link.describe(scope, undefined, after && { after }));
      } while (pages.next !== undefined);
      for (const line of formatReport(pages.whole)) this.#log("info", line);
    } catch (error) {
      this.#log("warn", `cannot list the barriers: ${String(error)}`);
    }
  }

  /** Takes nobody new; who is here is served on. `close` follows. */
  stopListening(): void {
    this.#bound?.close();
    this.#bound = undefined;
  }

  /** Gives the port back, closes every connection and ends the edge. */
  async close(): Promise<void> {
    this.stopListening();
    this.#dismissAll();
    this.#doorway.close();
    this.#tcp.close();
    this.#udp.close();
    await this.#core.close();
  }

  #createDoorway(): Doorway {
    const { tls, nodeOf, onLimit: onRefused } = this.#options;
    const { tcpConnectionsMax, tcpConnectionsPerClientMax } = this.#bounds;
    return new Doorway({
      ...{ tls, handshakeMs: this.#time.tcpRequestMs, onRefused },
      admits: (peer = "") => this.#isAllowed(peer, "tcp"),
      limits: {
        all: { name: "tcpConnectionsMax", max: tcpConnectionsMax },
        client: { name: "tcpConnectionsPerClientMax", max: tcpConnectionsPerClientMax },
      },
      log: (level, line) => this.#log(level, line),
      onCaller: (stream, { remote: address, localAddress, remoteAddress }) => {
        this.#tcp.accept(stream, { address, node: nodeOf?.(localAddress, remoteAddress) });
      },
    });
  }

  #onDatagram(bytes: Buffer, from: RemoteInfo, at: UdpSocket, localAddress: string): void {
    if (!this.#isAllowed(from.address, "udp")) return;
    if (this.#options.tls !== undefined) {
      this.#log("info", `refused ${from.address}/udp: this server speaks TLS, and UDP has none`);
      return;
    }
    const node = this.#options.nodeOf?.(localAddress, from.address);
    const send = (reply: Buffer, port: number, address: string) => at.send(reply, port, address);
    this.#udp.receive(bytes, { address: from.address, port: from.port, node, send });
  }

  /** Fault 7: who may use the barriers is decided, not left open. [EMULAB-SYNC 3] */
  #isAllowed(peerAddress: string, transport: string): boolean {
    if (this.#options.allows === undefined || this.#options.allows(peerAddress)) return true;
    this.#log("info", `refused ${peerAddress}/${transport}: not allowed here (see --allow)`);
    return false;
  }

  #counter(): Counter {
    const hasRoom = () => this.#outbox.hasRoom;
    return {
      get hasRoom() {
        return hasRoom();
      },
      arrive: (asker, frame, who) => this.#arrive(asker, frame, who),
      leave: (asker) => this.#leave(asker),
      forget: (asker) => {
        this.#leave(asker);
        this.#askers.delete(asker.id);
      },
      describe: async (name) => {
        const { barriers } = await this.#core.link.describe(this.#options.scope, name);
        return JSON.stringify({ version: 1, barrier: barriers[0] ?? null });
      },
      limited: (name) => this.#options.onLimit?.(name),
      note: (line) => this.#log("info", line),
      detail: (line) => this.#detail(line),
    };
  }

  #arrive(asker: Asker, frame: RequestFrame, who: Participant): void {
    const { request } = frame;
    if (request.kind === "describe") return;
    const { name, error } = request;
    const { scope } = this.#options;
    this.#lastConnection += 1;
    const connection = this.#lastConnection;
    asker.id = connection;
    asker.waits = request.kind === "wait" || request.waits;
    asker.delta = request.kind === "wait" ? -1 : request.count;
    const arrival = { scope, barrier: name, connection, who, error };
    const command = this.#members.translate(
      request.kind === "wait"
        ? { kind: "count-wait", ...arrival }
        : { kind: "count-init", ...arrival, count: request.count, waits: request.waits },
    );
    if ("refused" in command) {
      this.#log("info", `bad request from ${asker.address}: ${command.refused}; closing`);
      asker.waits = false;
      asker.dismiss();
      return;
    }
    this.#askers.set(connection, asker);
    const { row, created } = this.#tally.obtain(name);
    asker.row = row;
    row.count += asker.delta;
    if (asker.waits) row.waiting += 1;
    this.#logArrival(asker, request.kind, created);
    this.#outbox.send(command);
  }

  #logArrival(asker: Asker, kind: "init" | "wait", created: boolean): void {
    const { row, address, delta } = asker;
    if (row === undefined) return;
    const barrier = quoteBarrier(row.name);
    if (this.#verbose) {
      if (created) this.#detail(`${barrier}: created`);
      if (kind === "init") {
        this.#detail(`${barrier}: initialised by ${address} with ${delta}, count ${row.count}`);
      } else {
        this.#detail(`${barrier}: waiter ${address}, count ${row.count}`);
      }
    }
    if (kind === "init" && !asker.waits) {
      this.#log("info", `${barrier}: master ${address} is not waiting`);
    }
  }

  #leave(asker: Asker): void {
    if (!asker.waits) return;
    const name = asker.row?.name ?? "";
    this.#uncount(asker);
    this.#members.forget(asker.id);
    this.#log("info", `${quoteBarrier(name)}: removing ${asker.address}`);
    this.#outbox.send({ kind: "leave", connection: asker.id });
  }

  /** The request has no effect on the tally any more. */
  #uncount(asker: Asker): void {
    const { row } = asker;
    if (row !== undefined) {
      row.count -= asker.delta;
      if (asker.waits) row.waiting -= 1;
      this.#tally.settle(row);
    }
    asker.waits = false;
    asker.row = undefined;
  }

  #onEffects(effects: readonly EdgeEffect[]): void {
    for (const effect of effects) this.#onEffect(effect);
  }

  #onEffect(effect: EdgeEffect): void {
    switch (effect.kind) {
      case "released":
        this.#release(effect);
        return;
      case "acknowledged": {
        const asker = this.#take(effect.connection);
        asker?.answer(createReplies(0).of(asker.version, asker.byteOrder));
        return;
      }
      case "refused": {
        const other = this.#members.another(effect.connection);
        if (other !== undefined) {
          this.#outbox.send(other);
          return;
        }
        const asker = this.#take(effect.connection);
        if (asker === undefined) return;
        this.#log("info", `bad request from ${asker.address}: ${effect.message}; closing`);
        this.#uncount(asker);
        asker.dismiss();
        return;
      }
      case "revoked":
        this.#log("warn", "the core has given this server up; closing every connection");
        this.#dismissAll();
        return;
      default:
        return; // What the agenda says goes to those who load one or ask it.
    }
  }

  #release(effect: Released): void {
    const replies = createReplies(replyError(effect));
    let answered = 0;
    for (const connection of effect.connections) {
      const asker = this.#askers.get(connection);
      if (asker === undefined) continue; // D2
      this.#askers.delete(connection);
      this.#members.forget(connection);
      if (asker.waits) answered += 1;
      asker.waits = false;
      asker.row = undefined;
      if (this.#verbose)
        this.#detail(`${quoteBarrier(effect.barrier)}: releasing ${asker.address}`);
      asker.answer(replies.of(asker.version, asker.byteOrder));
    }
    this.#tally.end(effect.barrier, answered, effect.outcome === "crossed");
  }

  #take(connection: ConnectionId): Asker | undefined {
    const asker = this.#askers.get(connection);
    this.#askers.delete(connection);
    this.#members.forget(connection);
    return asker;
  }

  /** Nobody who waits now will be answered: the core has forgotten them, or this server ends. */
  #dismissAll(): void {
    for (const asker of this.#askers.values()) {
      asker.waits = false;
      asker.row = undefined;
    }
    this.#askers.clear();
    this.#outbox.clear();
    this.#tally.clear();
    this.#members.clear();
    this.#tcp.dismissAll();
    this.#udp.dismissAll();
    this.#tcp.setReading(true);
  }

  #createMembership(): CoreMembership {
    const { edge, scope, connect, clock, limits, onClosed } = this.#options;
    return new CoreMembership({
      ...{ edge, scope, connect, clock, edgeLeaseUs: limits.edgeLeaseUs, onClosed, what: "server" },
      rejoinMs: this.#time.rejoinMs,
      log: (level, line) => this.#log(level, line),
      onEffects: (effects) => this.#onEffects(effects),
      onRoom: () => this.#outbox.drain(),
      logAwayMs: this.#time.logAwayMs,
      sendAway: () => {
        this.#tcp.dismissAll();
        this.#udp.dismissAll();
      },
      dismissAll: () => this.#dismissAll(),
    });
  }

  #detail(line: string): void {
    if (this.#verbose) this.#log("debug", line);
  }

  #log(level: "debug" | "info" | "warn" | "error", line: string): void {
    this.#options.logger.log(level, line);
  }
}
