// SPDX-License-Identifier: MIT
// The UDP door of the sync server: one datagram each way, and losses expected. [EMULAB-SYNC 2]
// What the old daemons lacked: answers go to the sender's own port, repeats are known and answered.
//
//   U1. A datagram with the same source address, port and bytes is a repeat and counts once.
//   U2. A repeat within `udpAnswerKeptMs` of the answer gets the same answer again.
//   U3. Only a waiter that has repeated once is dead when silent for `udpLivenessMs`: the old
//       client sends once and then listens, however long (fault 6).
//   U4. A sweep that comes late by more than its interval removes nobody; the next one does. The
//       process was stopped, and what the silent have sent meanwhile is not read yet.
import type { ConnectionId, Participant } from "../../core/command.ts";
import type { Cancel, Clock } from "../../host/clock.ts";
import {
  type ByteOrder,
  decodeLeave,
  decodeRequest,
  type RequestFrame,
  type Version,
} from "../../wire/emulab-sync/index.ts";
import type { EdgeTime } from "../edge-time.ts";
import type { Asker, Counter } from "./asker.ts";
import type { SyncdBounds } from "./bounds.ts";
import type { TallyRow } from "./tally.ts";

/** Where a datagram came from and how to answer it. */
export interface DatagramSource {
  readonly address: string;
  readonly port: number;
  readonly node?: string | undefined;
  readonly send: (reply: Buffer, port: number, address: string) => void;
}

export interface UdpDoorOptions {
  readonly counter: Counter;
  /** Commands kept because the core has no room; datagrams cannot be left unread. */
  readonly keptCount: () => number;
  readonly clock: Clock;
  readonly time: EdgeTime;
  readonly bounds: SyncdBounds;
}

/** What became of the datagrams so far; every one is in exactly one of the first five numbers. */
export interface UdpCounters {
  readonly requests: number;
  readonly repeats: number;
  readonly refused: number;
  /** Not taken because a bound was reached; the sender repeats. */
  readonly dropped: number;
  /** Datagrams that took a request back. */
  readonly leaves: number;
  /** Answers sent, those to repeats included. */
  readonly answers: number;
  /** Waiters given up as dead. */
  readonly dead: number;
}

export class UdpDoor {
  readonly counter: Counter;
  readonly clock: Clock;
  readonly time: EdgeTime;
  readonly #bounds: SyncdBounds;
  readonly #keptCount: () => number;
  readonly #waiting = new Map<string, UdpAsker>();
  /** In the order of their answers, which is the order in which they expire. */
  readonly #answered = new Map<string, UdpAsker>();
  readonly #counts = {
    requests: 0,
    repeats: 0,
    refused: 0,
    dropped: 0,
    leaves: 0,
    answers: 0,
    dead: 0,
  };
  #sweep: Cancel | undefined;

  constructor(options: UdpDoorOptions) {
    this.counter = options.counter;
    this.clock = options.clock;
    this.time = options.time;
    this.#bounds = options.bounds;
    this.#keptCount = options.keptCount;
  }

  get waitingCount(): number {
    return this.#waiting.size;
  }

  get answeredCount(): number {
    return this.#answered.size;
  }

  get counters(): UdpCounters {
    return { ...this.#counts };
  }

  /** Takes one datagram. */
  receive(bytes: Buffer, source: DatagramSource): void {
    const key = keyOf(source, bytes);
    const known = this.#waiting.get(key) ?? this.#answered.get(key);
    if (known !== undefined) {
      this.#counts.repeats += 1;
      known.onRepeat(this.clock.nowUs());
      return;
    }
    const taken = decodeLeave(bytes);
    if (taken !== undefined) {
      this.#takeBack(taken.map((request) => keyOf(source, Buffer.from(request))));
      return;
    }
    const frame = decodeRequest(bytes);
    if (frame.kind === "refused") {
      this.#refuse(source, frame.message);
    } else if (frame.request.kind === "describe") {
      this.#refuse(source, "a describe request needs TCP");
    } else if (source.port === 0) {
      this.#refuse(source, "nobody can be answered at port 0");
    } else if (this.#waiting.size >= this.#bounds.udpWaitersMax) {
      this.#drop(source, "udpWaitersMax");
    } else if (!this.counter.hasRoom && this.#keptCount() >= this.#bounds.outboxDatagramsMax) {
      this.#drop(source, "outboxDatagramsMax");
    } else {
      this.#open(key, frame, source);
    }
  }

  /** The answer is out: it is kept for repeats. */
  keep(asker: UdpAsker): void {
    this.#waiting.delete(asker.key);
    this.#answered.set(asker.key, asker);
    this.#counts.answers += 1;
    if (this.#answered.size <= this.#bounds.udpAnswersMax) return;
    for (const oldest of this.#answered.keys()) {
      this.#answered.delete(oldest);
      return;
    }
  }

  countAnswer(): void {
    this.#counts.answers += 1;
  }

  /** Without an answer: the next datagram with these bytes is a new request. */
  drop(asker: UdpAsker): void {
    this.#waiting.delete(asker.key);
  }

  /** Forgets every waiter; nobody is answered. */
  dismissAll(): void {
    for (const asker of [...this.#waiting.values()]) {
      this.counter.forget(asker);
      this.drop(asker);
    }
  }

  close(): void {
    this.dismissAll();
    this.#answered.clear();
    this.#sweep?.();
    this.#sweep = undefined;
  }

  #open(key: string, frame: RequestFrame, source: DatagramSource): void {
    const asker = new UdpAsker(this, key, frame, source);
    this.#counts.requests += 1;
    this.#waiting.set(key, asker);
    if (this.#sweep === undefined) this.#armSweep();
    const { address } = asker;
    const who: Participant =
      source.node === undefined ? { address } : { address, node: source.node };
    this.counter.arrive(asker, frame, who);
  }

  /**
   * Muster's extension: the sender stops waiting. One that does not wait (any more) is no matter.
   */
  #takeBack(keys: readonly string[]): void {
    this.#counts.leaves += 1;
    for (const key of keys) {
      const asker = this.#waiting.get(key);
      if (asker === undefined) continue;
      this.counter.forget(asker);
      this.drop(asker);
    }
  }

  #drop(source: DatagramSource, name: keyof SyncdBounds): void {
    this.#counts.dropped += 1;
    this.counter.limited(name);
    const limit = `limit ${name} (${this.#bounds[name]}) reached`;
    const advice = `${limit}; raise it with --limit ${name}=VALUE`;
    this.counter.detail(`dropped a datagram from ${source.address}:${source.port}/udp: ${advice}`);
  }

  #refuse(source: DatagramSource, message: string): void {
    this.#counts.refused += 1;
    this.counter.note(`bad request from ${source.address}:${source.port}/udp: ${message}; ignored`);
  }

  #armSweep(isSecond = false): void {
    const dueUs = this.clock.nowUs() + this.time.udpSweepMs * 1000;
    this.#sweep = this.clock.after(this.time.udpSweepMs, () => {
      // U4.
      if (!isSecond && this.clock.nowUs() - dueUs > this.time.udpSweepMs * 1000) {
        this.#armSweep(true);
      } else this.#onSweep();
    });
  }

  #onSweep(): void {
    const nowUs = this.clock.nowUs();
    for (const [key, asker] of this.#answered) {
      if (nowUs - asker.sinceUs < this.time.udpAnswerKeptMs * 1000) break;
      this.#answered.delete(key);
    }
    for (const asker of this.#waiting.values()) {
      if (!asker.hasRepeated || nowUs - asker.sinceUs < this.time.udpLivenessMs * 1000) continue;
      this.#counts.dead += 1; // U3
      this.counter.forget(asker);
      this.drop(asker);
    }
    this.#sweep = undefined;
    if (this.#waiting.size > 0 || this.#answered.size > 0) this.#armSweep();
  }
}

/** U1. */
function keyOf(source: DatagramSource, bytes: Buffer): string {
  return `${source.address}:${source.port} ${bytes.toString("latin1")}`;
}

class UdpAsker implements Asker {
  readonly version: Version;
  readonly byteOrder: ByteOrder;
  readonly address: string;
  readonly key: string;
  id: ConnectionId = 0;
  delta = 0;
  row: TallyRow | undefined;
  waits = false;
  hasRepeated = false;
  /** Heard last, while it waits; answered, afterwards. */
  sinceUs: number;
  readonly #door: UdpDoor;
  readonly #source: DatagramSource;
  #reply: Buffer | undefined;

  constructor(door: UdpDoor, key: string, frame: RequestFrame, source: DatagramSource) {
    this.#door = door;
    this.#source = source;
    this.key = key;
    this.version = frame.version;
    this.byteOrder = frame.byteOrder;
    this.address = `${source.address}:${source.port}/udp`;
    this.sinceUs = door.clock.nowUs();
  }

  onRepeat(nowUs: number): void {
    if (this.#reply === undefined) {
      this.hasRepeated = true;
      this.sinceUs = nowUs;
      return;
    }
    this.#door.countAnswer();
    this.#source.send(this.#reply, this.#source.port, this.#source.address); // U2
  }

  answer(reply: Buffer): void {
    if (this.#reply !== undefined) return;
    this.#reply = reply;
    this.sinceUs = this.#door.clock.nowUs();
    this.#door.keep(this);
    this.#source.send(reply, this.#source.port, this.#source.address);
  }

  dismiss(): void {
    this.#door.drop(this);
  }
}
