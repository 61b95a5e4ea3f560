// SPDX-License-Identifier: MIT
// A GNUnet controller as an edge: what its two doors ask for becomes commands, effects become what
// drivers and waiters hear. Does not own barriers: what is crossed, and when, the effects say.
//
//   D1. Nobody is told anything before an effect says so.
//   D2. A ticket hears its end at most once; effects for tickets that are gone do nothing.
//   D3. Commands of one connection are submitted in order; nothing read is lost for want of room.
import type { Duplex } from "node:stream";
import type { ConnectionId, Participant } from "../../core/command.ts";
import type { EdgeEffect, QuorumStatus, Refused, Released } from "../../core/effect.ts";
import type { Limits } from "../../core/limits.ts";
import type { Clock } from "../../host/clock.ts";
import type { ConnectEdge } from "../../host/core-link.ts";
import type { Logger } from "../../host/logger.ts";
import { CoreMembership } from "../core-membership.ts";
import { type GnunetTime, gnunetTime } from "../gnunet-time.ts";
import { Outbox } from "../outbox.ts";
import { type GnunetBounds, resolveGnunetBounds } from "./bounds.ts";
import { GnunetDoors, type GnunetListening, type GnunetService } from "./doors.ts";
import type { GnunetAddress } from "./listen.ts";
import type { BarrierTicket, PeersTicket, QuorumDesk, WaitEnd, WaitTicket } from "./quorum-desk.ts";
import { encodeCrossed, encodeError, quoteName } from "./status.ts";

export interface GnunetControllerOptions {
  /** Scope of every barrier asked for here. */
  readonly scope: string;
  /** Name of this edge, unique in the core, e.g. `gnunet/default`. */
  readonly edge: string;
  readonly connect: ConnectEdge;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: Limits;
  readonly bounds?: Partial<GnunetBounds>;
  /** Peers that are there besides those that drivers register. */
  readonly peers: number;
  /** The node that calls, from the address it called at. */
  readonly nodeOf?: (localAddress: string) => string | undefined;
  /** Something was refused by the limit of this name, by this door and not by the core. */
  readonly onLimit?: (limit: string) => void;
  /** The core refuses this edge for good: nothing will ever be answered again. */
  readonly onClosed?: (reason: string) => void;
  /** Edge-local times; tests shorten them. */
  readonly time?: GnunetTime;
}

/** What a controller holds, for tests, benchmarks and metrics. */
export interface GnunetCounters {
  readonly connections: number;
  readonly waiting: number;
  readonly barriers: number;
  readonly hasDriver: boolean;
}

interface OpenWait {
  readonly kind: "wait";
  readonly name: string;
  readonly ticket: WaitTicket;
}

interface OpenBarrier {
  readonly kind: "barrier";
  readonly name: string;
  readonly ticket: BarrierTicket;
}

interface OpenChange {
  readonly kind: "peers";
  readonly ticket: PeersTicket | undefined;
}

type Open = OpenWait | OpenBarrier | OpenChange;

export class GnunetController {
  readonly #options: GnunetControllerOptions;
  readonly #time: GnunetTime;
  readonly #doors: GnunetDoors;
  readonly #core: CoreMembership;
  readonly #outbox: Outbox;
  readonly #open = new Map<ConnectionId, Open>();
  #lastConnection = 0;
  #peers: number;
  #registered = 0;

  constructor(options: GnunetControllerOptions) {
    this.#options = options;
    this.#peers = options.peers;
    this.#time = options.time ?? gnunetTime;
    const { clock, nodeOf } = options;
    const bounds = resolveGnunetBounds(options.bounds);
    this.#core = this.#createMembership();
    this.#outbox = new Outbox({
      submit: (command) => this.#core.link.submit(command),
      onRoomChange: (hasRoom) => this.#doors.setReading(hasRoom),
    });
    const hasRoom = (): boolean => this.#outbox.hasRoom;
    this.#doors = new GnunetDoors({
      ...{ desk: this.#desk(), clock, time: this.#time, bounds, hasRoom, nodeOf },
    });
  }

  get counters(): GnunetCounters {
    const open = [...this.#open.values()];
    const count = (what: Open["kind"]) => open.filter(({ kind }) => kind === what).length;
    return {
      connections: this.#doors.connectionCount,
      waiting: count("wait"),
      barriers: count("barrier"),
      hasDriver: this.#doors.hasDriver,
    };
  }

  /** Opens one more address. @returns it, with its port. @throws GnunetListenError */
  async listen(
    service: GnunetService,
    address: GnunetAddress,
    more: GnunetListening = {},
  ): Promise<GnunetAddress> {
    const bound = await this.#doors.listen(service, address, more);
    // Whoever sees it join may call at once, so it joins when it can be called.
    if (!this.#core.hasJoined) this.#tellPeers();
    return bound;
  }

  /** Serves a connection that did not come through `listen`. */
  accept(service: GnunetService, stream: Duplex, who: Participant): void {
    this.#doors.accept(service, stream, who);
  }

  /** Takes nobody new; who is connected stays. */
  stopListening(): void {
    this.#doors.stopListening();
  }

  /** Peers that are there besides those that drivers register. */
  setPeers(peers: number): void {
    this.#peers = peers;
    this.#tellPeers();
  }

  /** Gives the addresses back, closes every connection and ends the edge. */
  async close(): Promise<void> {
    this.#core.ignoreCuts();
    this.#dropAll();
    this.#doors.close();
    await this.#core.close();
  }

  #desk(): QuorumDesk {
    return {
      wait: (name, who, ticket) => this.#wait(name, who, ticket),
      giveUp: (id) => this.#leave(id),
      init: (name, quorum, who, ticket) => this.#init(name, quorum, who, ticket),
      cancel: (id) => this.#cancel(id, "cancelled by its driver"),
      release: (id) => this.#release(id),
      abandon: (id) => this.#leave(id),
      setRegistered: (peers, ticket) => {
        this.#registered = peers;
        this.#tellPeers(ticket);
      },
      limited: (name) => this.#options.onLimit?.(name),
      note: (line) => this.#log("info", line),
    };
  }

  #wait(barrier: string, who: Participant, ticket: WaitTicket): ConnectionId {
    const connection = this.#take({ kind: "wait", name: barrier, ticket });
    const { scope } = this.#options;
    this.#outbox.send({ kind: "quorum-wait", scope, barrier, connection, who, error: 0 });
    return connection;
  }

  #init(barrier: string, percent: number, who: Participant, ticket: BarrierTicket): ConnectionId {
    const connection = this.#take({ kind: "barrier", name: barrier, ticket });
    const { scope } = this.#options;
    const quorum = { kind: "percent", percent } as const;
    if (this.#peers + this.#registered === 0) {
      this.#log("warn", `no peers are registered: ${quoteName(barrier)} waits for nobody here`);
    }
    this.#outbox.send({
      ...{ kind: "quorum-init", scope, barrier, connection, who, quorum, echo: "explicit" },
    });
    return connection;
  }

  #take(open: Open): ConnectionId {
    this.#lastConnection += 1;
    this.#open.set(this.#lastConnection, open);
    return this.#lastConnection;
  }

  #leave(id: ConnectionId): void {
    if (!this.#open.delete(id)) return;
    this.#outbox.send({ kind: "leave", connection: id });
  }

  #cancel(id: ConnectionId, reason: string): void {
    const open = this.#open.get(id);
    this.#open.delete(id);
    if (open?.kind !== "barrier") return;
    const { scope } = this.#options;
    const about = { scope, barrier: open.name, barrierKind: "quorum" } as const;
    this.#outbox.send({ kind: "cancel", ...about, error: 0, reason });
  }

  #release(id: ConnectionId): void {
    const open = this.#open.get(id);
    this.#open.delete(id);
    if (open?.kind !== "barrier") return;
    const { scope } = this.#options;
    this.#outbox.send({ kind: "quorum-echo", scope, barrier: open.name, connection: id });
  }

  #tellPeers(ticket?: PeersTicket): void {
    const connection = this.#take({ kind: "peers", ticket });
    const { scope } = this.#options;
    const count = this.#peers + this.#registered;
    this.#outbox.send({ kind: "peers-set", scope, connection, count });
  }

  #onEffects(effects: readonly EdgeEffect[]): void {
    for (const effect of effects) this.#onEffect(effect);
  }

  #onEffect(effect: EdgeEffect): void {
    switch (effect.kind) {
      case "released":
        this.#onReleased(effect);
        return;
      case "quorum-status":
        this.#onStatus(effect);
        return;
      case "acknowledged": {
        const open = this.#open.get(effect.connection);
        if (open?.kind !== "peers") return;
        this.#open.delete(effect.connection);
        open.ticket?.counted();
        return;
      }
      case "refused":
        this.#onRefused(effect);
        return;
      case "revoked":
        this.#log("warn", "the core has given this controller up; closing every connection");
        this.#dropAll();
        return;
      default:
        return; // What other edges ask for.
    }
  }

  #onReleased({ barrier, outcome, reason, connections }: Released): void {
    const end: WaitEnd =
      outcome === "crossed"
        ? { kind: "crossed", status: encodeCrossed(barrier) }
        : { kind: "failed", status: encodeError(barrier, reason ?? describeEnd(outcome)) };
    for (const connection of connections) {
      const open = this.#open.get(connection);
      if (open?.kind !== "wait") continue; // D2
      this.#open.delete(connection);
      open.ticket.ended(end);
    }
  }

  #onStatus({ connection, status, reason, controller }: QuorumStatus): void {
    const open = this.#open.get(connection);
    if (open?.kind !== "barrier") return; // D2
    if (status === "initialised" || status === "crossed") {
      open.ticket.told({ kind: status });
      return;
    }
    this.#open.delete(connection);
    // Who is released has been told by the driver itself.
    if (status === "released") return;
    const where = controller === undefined ? "" : `controller ${controller}: `;
    open.ticket.told({ kind: "failed", text: `${where}${reason ?? describeEnd(status)}` });
  }

  #onRefused({ connection, message }: Refused): void {
    const open = this.#open.get(connection);
    this.#open.delete(connection);
    if (open === undefined) return; // D2
    if (open.kind === "peers") {
      if (open.ticket === undefined) this.#log("error", `peers are not counted: ${message}`);
      else open.ticket.refused(message);
      return;
    }
    this.#log("info", `${quoteName(open.name)}: ${message}`);
    if (open.kind === "barrier") open.ticket.told({ kind: "failed", text: message });
    else open.ticket.ended({ kind: "failed", status: encodeError(open.name, message) });
  }

  /** Nobody will be answered: the core has forgotten them, or this controller ends. */
  #dropAll(): void {
    this.#open.clear();
    this.#doors.dropAll();
    // What the doors took back meanwhile is gone as well.
    this.#outbox.clear();
    this.#registered = 0;
    this.#doors.setReading(true);
  }

  #createMembership(): CoreMembership {
    const { edge, scope, connect, clock, limits, onClosed } = this.#options;
    return new CoreMembership({
      ...{
        edge,
        scope,
        connect,
        clock,
        edgeLeaseUs: limits.edgeLeaseUs,
        onClosed,
        what: "controller",
      },
      rejoinMs: this.#time.rejoinMs,
      log: (level, line) => this.#log(level, line),
      onEffects: (effects) => this.#onEffects(effects),
      onRoom: () => this.#outbox.drain(),
      logAwayMs: this.#time.logAwayMs,
      // The end of a connection takes back what was asked for over it.
      sendAway: () => this.#doors.dropAll(),
      dismissAll: () => this.#dropAll(),
      onRejoined: () => this.#tellPeers(),
    });
  }

  #log(level: "info" | "warn" | "error", line: string): void {
    this.#options.logger.log(level, `gnunet: ${line}`);
  }
}

function describeEnd(outcome: "cancelled" | "failed" | "timeout" | "crossed"): string {
  return outcome === "timeout" ? "it was not reached in time" : `the barrier has ${outcome}`;
}
