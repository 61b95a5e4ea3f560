// SPDX-License-Identifier: MIT
// The TCP door of the sync server: one request a connection, then an answer and the end.
// [EMULAB-SYNC 2] Owns the connections and their times; does not own listening (listen.ts) or
// barriers (the core).
//
//   T1. A connection is in one of the states below and only moves down the list.
//   T2. What a client sends after its request is read and dropped, never kept.
//   T3. No connection has a timer of its own, except the 50 ms of one that sent exactly 72 bytes.
//   T4. Neither ends a connection when it comes late by more than its interval, but only the next
//       time: the process was stopped (SIGSTOP, a suspended machine), and the rest of a request may
//       lie in the socket, which is read after the timers.
import type { Duplex } from "node:stream";
import type { ConnectionId, Participant } from "../../core/command.ts";
import type { Cancel, Clock } from "../../host/clock.ts";
import {
  type ByteOrder,
  encodeDescribeReply,
  type FrameResult,
  type RequestFrame,
  RequestFramer,
  type Version,
} from "../../wire/emulab-sync/index.ts";
import type { EdgeTime } from "../edge-time.ts";
import type { Asker, Counter } from "./asker.ts";
import type { TallyRow } from "./tally.ts";

/**
 * `reading`: the request is not whole. `asked`: it is the core's turn. `parted`: the peer closed
 * its side while it waited; an answer already on its way may still go out. `ended`: answered or
 * dropped.
 */
type State = "reading" | "asked" | "parted" | "ended";

export interface TcpDoorOptions {
  readonly counter: Counter;
  readonly clock: Clock;
  readonly time: EdgeTime;
}

/** Who is at the other end of a connection. */
export interface Peer {
  /** For people, e.g. `127.0.0.1:4711`. */
  readonly address: string;
  readonly node?: string | undefined;
}

export class TcpDoor {
  readonly counter: Counter;
  readonly clock: Clock;
  readonly time: EdgeTime;
  readonly #open = new Set<TcpAsker>();
  #sweep: Cancel | undefined;
  /** When the next sweep is due: the one reading of the clock for all that happens before it. */
  #nextSweepUs = 0;

  constructor(options: TcpDoorOptions) {
    this.counter = options.counter;
    this.clock = options.clock;
    this.time = options.time;
  }

  /** Connections open now. */
  get openCount(): number {
    return this.#open.size;
  }

  /** Serves one connection; any duplex stream does, it need not be a socket. */
  accept(stream: Duplex, peer: Peer): void {
    if (this.#sweep === undefined) this.#armSweep(this.clock.nowUs());
    this.#open.add(new TcpAsker(this, stream, peer));
  }

  /** Ages are counted from the next sweep on, so that none is ended early. */
  get nextSweepUs(): number {
    return this.#nextSweepUs;
  }

  /** Stops or starts reading the connections whose request is not whole. */
  setReading(on: boolean): void {
    for (const asker of this.#open) asker.setReading(on);
  }

  /** Closes every connection without an answer. */
  dismissAll(): void {
    for (const asker of this.#open) asker.dismiss();
  }

  /** Closes every connection and stops the sweep. */
  close(): void {
    this.dismissAll();
    this.#sweep?.();
    this.#sweep = undefined;
  }

  forget(asker: TcpAsker): void {
    this.#open.delete(asker);
  }

  #onSweep(isSecond: boolean): void {
    const nowUs = this.clock.nowUs();
    if (!isSecond && nowUs - this.#nextSweepUs > this.time.tcpSweepMs * 1000) {
      this.#armSweep(nowUs, true); // T4
      return;
    }
    for (const asker of this.#open) asker.onSweep(nowUs);
    this.#sweep = undefined;
    if (this.#open.size > 0) this.#armSweep(nowUs);
  }

  #armSweep(nowUs: number, isSecond = false): void {
    this.#nextSweepUs = nowUs + this.time.tcpSweepMs * 1000;
    this.#sweep = this.clock.after(this.time.tcpSweepMs, () => this.#onSweep(isSecond));
  }
}

class TcpAsker implements Asker {
  version: Version = 2;
  byteOrder: ByteOrder = "little";
  readonly address: string;
  id: ConnectionId = 0;
  delta = 0;
  row: TallyRow | undefined;
  waits = false;
  readonly #door: TcpDoor;
  readonly #stream: Duplex;
  readonly #node: string | undefined;
  #state: State = "reading";
  #sinceUs: number;
  /** Dropped with the request: a waiting connection keeps no buffer. */
  #framer: RequestFramer | undefined = new RequestFramer();
  #cancelHold: Cancel | undefined;

  constructor(door: TcpDoor, stream: Duplex, peer: Peer) {
    this.#door = door;
    this.#stream = stream;
    this.#node = peer.node;
    this.address = `${peer.address}/tcp`;
    this.#sinceUs = door.nextSweepUs;
    stream.on("data", (chunk: Uint8Array) => this.#onData(chunk));
    stream.on("end", () => this.#onEnd());
    stream.on("close", () => this.#onClose());
    // A reset is told by `close`, too; without a listener it would end the process.
    stream.on("error", ignore);
    if (!door.counter.hasRoom) stream.pause();
  }

  answer(reply: Buffer): void {
    if (this.#state === "ended") return;
    this.#move("ended");
    this.#stream.end(reply);
  }

  dismiss(): void {
    this.#move("ended");
    this.#stream.destroy();
  }

  setReading(on: boolean): void {
    if (this.#state !== "reading") return;
    if (on) this.#stream.resume();
    else this.#stream.pause();
  }

  onSweep(nowUs: number): void {
    const { time, counter } = this.#door;
    const ageMs = (nowUs - this.#sinceUs) / 1000;
    if (this.#state === "reading" && ageMs >= time.tcpRequestMs && counter.hasRoom) {
      const got = this.#framer?.receivedBytes ?? 0;
      counter.note(
        `aborted request from ${this.address}: ${got} bytes after ${time.tcpRequestMs / 1000} s, a request has 72 or 76; closing`,
      );
      this.dismiss();
    } else if (this.#state === "parted" && ageMs >= time.tcpFarewellMs) {
      this.dismiss();
    } else if (this.#state === "ended" && ageMs >= time.tcpLingerMs) {
      this.#stream.destroy();
    }
  }

  #move(state: State): void {
    this.#state = state;
    this.#sinceUs = this.#door.nextSweepUs;
    this.#framer = undefined;
    this.#stopHold();
  }

  #onData(chunk: Uint8Array): void {
    if (this.#framer === undefined) return; // T2
    this.#stopHold();
    this.#take(this.#framer.push(chunk));
  }

  #take(result: FrameResult): void {
    switch (result.kind) {
      case "more":
        return;
      case "hold":
        this.#hold();
        return;
      case "refused":
        this.#door.counter.note(`bad request from ${this.address}: ${result.message}; closing`);
        this.dismiss();
        return;
      case "request":
        this.#ask(result);
        return;
    }
  }

  /** Waits for the last four bytes of a request of version 2. */
  #hold(isSecond = false): void {
    const { clock, time } = this.#door;
    const dueUs = clock.nowUs() + time.tcpHoldMs * 1000;
    this.#cancelHold = clock.after(time.tcpHoldMs, () => {
      const isLate = clock.nowUs() - dueUs > time.tcpHoldMs * 1000;
      if (isLate && !isSecond)
        this.#hold(true); // T4
      else if (this.#framer !== undefined) this.#take(this.#framer.finish());
    });
  }

  #ask(frame: RequestFrame): void {
    this.#move("asked");
    this.version = frame.version;
    this.byteOrder = frame.byteOrder;
    if (frame.request.kind === "describe") {
      void this.#tell(frame.request.name);
      return;
    }
    const who: Participant =
      this.#node === undefined
        ? { address: this.address }
        : { address: this.address, node: this.#node };
    this.#door.counter.arrive(this, frame, who);
  }

  async #tell(name: string): Promise<void> {
    try {
      const json = await this.#door.counter.describe(name);
      this.answer(Buffer.from(encodeDescribeReply(json, this.byteOrder)));
    } catch {
      // The core is away. The asker hears what it would hear from a server that cannot tell.
      this.dismiss();
    }
  }

  /** The peer sends nothing more: a waiter is gone by that. [EMULAB-SYNC 3] */
  #onEnd(): void {
    if (this.#framer !== undefined) this.#take(this.#framer.finish());
    if (this.#state === "reading") {
      this.#noteAborted();
      this.dismiss();
    } else if (this.#state === "asked" && this.waits) {
      this.#door.counter.leave(this);
      this.#move("parted");
    }
  }

  #onClose(): void {
    this.#door.forget(this);
    if (this.#state === "reading") this.#noteAborted();
    this.#door.counter.forget(this);
    this.#move("ended");
  }

  #noteAborted(): void {
    const got = this.#framer?.receivedBytes ?? 0;
    const line = `aborted request from ${this.address}: closed after ${got} bytes, a request has 72 or 76`;
    if (got > 0) this.#door.counter.note(line);
    else this.#door.counter.detail(line);
  }

  #stopHold(): void {
    this.#cancelHold?.();
    this.#cancelHold = undefined;
  }
}

function ignore(): void {}
