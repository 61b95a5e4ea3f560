// SPDX-License-Identifier: MIT
// A connection to the door of drivers. [GNUNET-BARRIERS 3.1] The first that introduces itself is
// the driver of the controller until it is gone; another is let in and may do nothing.
//
//   R1. Nothing but a TESTBED_INIT comes first, and it comes once.
//   R2. With the driver go its barriers and the peers it has registered.
//   R3. A STATUS to it always carries a text when it says ERROR: the library ends its process
//       otherwise. [GNUNET-BARRIERS 8.2]
import type { ConnectionId } from "../../core/command.ts";
import {
  type BarrierStatus,
  type CreatePeer,
  encodeMessage,
  type GnunetMessage,
  type PeerRequest,
  quorumMax,
} from "../../wire/gnunet/index.ts";
import type { GnunetBounds } from "./bounds.ts";
import type { Connection, Party } from "./connection.ts";
import type { BarrierNews, QuorumDesk } from "./quorum-desk.ts";
import { asBuffer, encodeError, quoteName } from "./status.ts";

/** To requests that are about processes of peers. */
const startsNone =
  "Muster registers peers and starts none; start the program yourself, with GNUNET_TESTBED_CONTROLLER_CONFIG set";
/** To requests that are about other hosts. */
const startsNoController =
  "this controller keeps one host; those of others join it by themselves: muster serve --parent NAME@ADDRESS";

/** Which connection is the driver; one place for a controller. */
export interface DriverSeat {
  taken: Driver | undefined;
}

interface OpenBarrier {
  readonly id: ConnectionId;
  isCrossed: boolean;
}

export class Driver implements Party {
  readonly #desk: QuorumDesk;
  readonly #seat: DriverSeat;
  readonly #bounds: GnunetBounds;
  readonly #connection: Connection;
  /** How it calls this host; undefined before its first message. */
  #hostId: number | undefined;
  readonly #barriers = new Map<string, OpenBarrier>();
  readonly #peers = new Set<number>();

  constructor(desk: QuorumDesk, seat: DriverSeat, bounds: GnunetBounds, connection: Connection) {
    this.#desk = desk;
    this.#seat = seat;
    this.#bounds = bounds;
    this.#connection = connection;
  }

  take(message: GnunetMessage): void {
    if (message.kind === "testbed-init") {
      this.#introduce(message.hostId);
    } else if (this.#hostId === undefined) {
      this.#connection.drop(`a ${message.kind} came before the TESTBED_INIT`);
    } else if (this.#seat.taken !== this) {
      this.#connection.drop(`a ${message.kind} of somebody who is not the driver`);
    } else {
      this.#obey(message);
    }
  }

  over(): void {
    if (this.#seat.taken !== this) return;
    this.#seat.taken = undefined;
    for (const { id } of this.#barriers.values()) this.#desk.abandon(id);
    this.#barriers.clear();
    if (this.#peers.size > 0) this.#desk.setRegistered(0);
    this.#peers.clear();
    this.#desk.note(`the driver ${this.#connection.address} is gone`);
  }

  #introduce(hostId: number): void {
    if (this.#hostId !== undefined) {
      this.#connection.drop("a second TESTBED_INIT");
      return;
    }
    this.#hostId = hostId;
    const { address } = this.#connection;
    if (this.#seat.taken === undefined) {
      this.#seat.taken = this;
      this.#desk.note(`${address} is the driver`);
    } else {
      this.#desk.note(`there is a driver; ${address} is not and may do nothing`);
    }
  }

  #obey(message: Exclude<GnunetMessage, { kind: "testbed-init" }>): void {
    switch (message.kind) {
      case "create-peer":
        this.#createPeer(message);
        return;
      case "destroy-peer":
        this.#destroyPeer(message);
        return;
      case "start-peer":
      case "stop-peer":
      case "reconfigure-peer":
      case "get-peer-information":
        this.#failOperation(message.operationId, startsNone);
        return;
      case "get-slave-configuration":
        this.#failOperation(message.operationId, startsNoController);
        return;
      case "add-host":
        // Nothing is kept of it. The library ends its process when it is to link a host that is not
        // known, so the answer with a reason comes to the link.
        this.#send({ kind: "host-added", hostId: message.hostId });
        return;
      case "link-controllers": {
        const { operationId } = message;
        this.#send({ kind: "link-failed", operationId, text: startsNoController });
        return;
      }
      case "shutdown-peers":
        this.#destroyAll(message.operationId);
        return;
      case "barrier-init":
        this.#init(message.name, message.quorum);
        return;
      case "barrier-cancel":
        this.#cancel(message.name);
        return;
      case "barrier-status":
        this.#echo(message);
        return;
      default:
        this.#connection.drop(`a ${message.kind} is what a controller says`);
        return;
    }
  }

  #init(name: string, quorum: number): void {
    const max = this.#bounds.gnunetBarriersMax;
    if (this.#barriers.has(name)) {
      this.#fail(name, `barrier ${quoteName(name)} is open already; wait for it, or cancel it`);
    } else if (quorum > quorumMax) {
      this.#fail(name, `a quorum is a percentage from 0 to ${quorumMax}, not ${quorum}`);
    } else if (this.#barriers.size >= max) {
      this.#desk.limited("gnunetBarriersMax");
      this.#fail(name, `limit gnunetBarriersMax (${max}) reached; cancel a barrier first`);
    } else {
      const told = (news: BarrierNews): void => this.#told(name, news);
      const id = this.#desk.init(name, quorum, this.#connection.who, { told });
      this.#barriers.set(name, { id, isCrossed: false });
    }
  }

  /** The library cancels only what it believes open; it may have ended meanwhile. */
  #cancel(name: string): void {
    const barrier = this.#barriers.get(name);
    this.#barriers.delete(name);
    if (barrier !== undefined) this.#desk.cancel(barrier.id);
    else this.#fail(name, `there is no barrier ${quoteName(name)} to cancel`);
  }

  /**
   * The second phase. [GNUNET-BARRIERS 3.1] What the old server took for a forced release is
   * refused (D9).
   */
  #echo(message: BarrierStatus): void {
    const { name } = message;
    const barrier = this.#barriers.get(name);
    if (message.status !== "crossed") {
      this.#connection.drop(`a driver tells of crossed barriers only, not ${message.status}`);
    } else if (barrier === undefined) {
      // It may have ended while the echo was on its way.
      this.#desk.note(`an echo for ${quoteName(name)}, which is not open`);
    } else if (barrier.isCrossed) {
      this.#barriers.delete(name);
      this.#desk.release(barrier.id);
    } else {
      this.#connection.drop(`an echo for ${quoteName(name)}, which is not crossed`);
    }
  }

  #told(name: string, news: BarrierNews): void {
    const barrier = this.#barriers.get(name);
    switch (news.kind) {
      case "initialised":
      case "crossed":
        if (barrier !== undefined) barrier.isCrossed = news.kind === "crossed";
        this.#send({ kind: "barrier-status", status: news.kind, name });
        return;
      case "failed":
        this.#barriers.delete(name);
        this.#fail(name, news.text);
        return;
    }
  }

  #createPeer({ hostId, operationId, peerId }: CreatePeer): void {
    if (hostId !== this.#hostId) {
      const text = `this controller keeps peers of host ${this.#hostId} only, not of ${hostId}`;
      this.#failOperation(operationId, text);
    } else if (this.#peers.has(peerId)) {
      this.#failOperation(operationId, `peer ${peerId} is registered already`);
    } else {
      this.#peers.add(peerId);
      this.#desk.setRegistered(this.#peers.size, {
        counted: () => this.#send({ kind: "peer-created", peerId, operationId }),
        refused: (text) => {
          this.#peers.delete(peerId);
          // What was asked for meanwhile has counted it.
          this.#desk.setRegistered(this.#peers.size);
          this.#failOperation(operationId, text);
        },
      });
    }
  }

  #destroyPeer({ peerId, operationId }: PeerRequest): void {
    if (!this.#peers.delete(peerId)) {
      this.#failOperation(operationId, `there is no peer ${peerId}`);
      return;
    }
    this.#desk.setRegistered(this.#peers.size, {
      counted: () => this.#send({ kind: "operation-succeeded", operationId }),
      refused: (text) => this.#failOperation(operationId, text),
    });
  }

  #destroyAll(operationId: bigint): void {
    this.#peers.clear();
    this.#desk.setRegistered(0, {
      counted: () => this.#send({ kind: "operation-succeeded", operationId }),
      refused: (text) => this.#failOperation(operationId, text),
    });
  }

  #failOperation(operationId: bigint, text: string): void {
    this.#send({ kind: "operation-failed", operationId, text });
  }

  /** R3. */
  #fail(name: string, text: string): void {
    this.#connection.send(encodeError(name, text));
  }

  #send(message: GnunetMessage): void {
    this.#connection.send(asBuffer(encodeMessage(message)));
  }
}
