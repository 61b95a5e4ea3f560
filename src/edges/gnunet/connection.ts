// SPDX-License-Identifier: MIT
// Connections of both GNUnet doors: framing, times, and the end. What a message means is the
// business of the party behind it (waiter.ts, driver.ts).
//
//   C1. A connection is `open`, then `closing` (answered for the last time), then `ended`; the
//       party is told once that it is over, at the first of the two.
//   C2. What comes after a fault, or after the last answer, is read and dropped, never kept.
//   C3. No connection has a timer of its own. One that is late by more than a sweep is only ended
//       by the next: the process was stopped, and what it waits for may lie in the socket.
//   C4. What is held for all of them is looked at with each sweep; of the client that holds most
//       the connection that holds most goes first (Q2 of edges/holdings.ts).
import type { Duplex } from "node:stream";
import type { Participant } from "../../core/command.ts";
import type { Cancel, Clock } from "../../host/clock.ts";
import { decodeMessage, type GnunetMessage, MessageFramer } from "../../wire/gnunet/index.ts";
import type { GnunetTime } from "../gnunet-time.ts";
import { chooseCuts, type Holding } from "../holdings.ts";
import type { GnunetBounds } from "./bounds.ts";

/** Who is behind a connection. */
export interface Party {
  take(message: GnunetMessage): void;
  /** Nothing comes from it any more, and nothing reaches it. */
  over(): void;
}

/** Less than this is not counted: connections are bounded, too. */
const heldBytesMin = 1_024;

export interface ConnectionTableOptions {
  readonly clock: Clock;
  readonly time: GnunetTime;
  readonly bounds: GnunetBounds;
  /** False while the core has no room: nothing new may be read. */
  readonly hasRoom: () => boolean;
  /** Something was refused by the bound of this name. */
  readonly limited: (name: string) => void;
  /** A line for the log. */
  readonly note: (line: string) => void;
}

export class ConnectionTable {
  readonly clock: Clock;
  readonly time: GnunetTime;
  readonly bounds: GnunetBounds;
  readonly hasRoom: () => boolean;
  readonly limited: (name: string) => void;
  readonly note: (line: string) => void;
  readonly #open = new Set<Connection>();
  #sweep: Cancel | undefined;
  #nextSweepUs = 0;

  constructor(options: ConnectionTableOptions) {
    this.clock = options.clock;
    this.time = options.time;
    this.bounds = options.bounds;
    this.hasRoom = options.hasRoom;
    this.limited = options.limited;
    this.note = options.note;
  }

  /** Connections that are not ended. */
  get count(): number {
    return this.#open.size;
  }

  /** Ages are counted from the next sweep on, so that none is ended early. */
  get nextSweepUs(): number {
    return this.#nextSweepUs;
  }

  /** Serves a connection; any duplex stream does. */
  accept(stream: Duplex, who: Participant, createParty: (at: Connection) => Party): void {
    if (this.#open.size >= this.bounds.gnunetConnectionsMax) {
      const { gnunetConnectionsMax: max } = this.bounds;
      this.limited("gnunetConnectionsMax");
      this.note(`refused ${who.address}: limit gnunetConnectionsMax (${max}) reached`);
      stream.on("error", ignore);
      stream.destroy();
      return;
    }
    if (this.#sweep === undefined) this.#armSweep(this.clock.nowUs());
    this.#open.add(new Connection(this, stream, who, createParty));
  }

  /** Stops or starts reading everywhere. */
  setReading(on: boolean): void {
    for (const connection of this.#open) connection.setReading(on);
  }

  /** Ends every connection without an answer. */
  dropAll(): void {
    for (const connection of [...this.#open]) connection.drop();
  }

  close(): void {
    this.dropAll();
    this.#sweep?.();
    this.#sweep = undefined;
  }

  forget(connection: Connection): void {
    this.#open.delete(connection);
  }

  #onSweep(isSecond: boolean): void {
    const nowUs = this.clock.nowUs();
    if (!isSecond && nowUs - this.#nextSweepUs > this.time.sweepMs * 1000) {
      this.#armSweep(nowUs, true); // C3
      return;
    }
    for (const connection of [...this.#open]) connection.onSweep(nowUs);
    this.#cutHeld();
    this.#sweep = undefined;
    if (this.#open.size > 0) this.#armSweep(nowUs);
  }

  /** C4. */
  #cutHeld(): void {
    const { gnunetHeldBytesMax: max } = this.bounds;
    for (const { client, bytes, cut } of chooseCuts([...this.#holdings()], max)) {
      this.limited("gnunetHeldBytesMax");
      this.note(`${client} holds ${bytes} bytes: limit gnunetHeldBytesMax (${max}) reached`);
      cut();
    }
  }

  *#holdings(): Generator<Holding> {
    for (const connection of this.#open) {
      const { heldBytes: bytes, client } = connection;
      if (bytes >= heldBytesMin) yield { client, bytes, cut: () => connection.drop() };
    }
  }

  #armSweep(nowUs: number, isSecond = false): void {
    this.#nextSweepUs = nowUs + this.time.sweepMs * 1000;
    this.#sweep = this.clock.after(this.time.sweepMs, () => this.#onSweep(isSecond));
  }
}

export class Connection {
  readonly who: Participant;
  readonly #table: ConnectionTable;
  readonly #stream: Duplex;
  readonly #party: Party;
  readonly #framer = new MessageFramer();
  #state: "open" | "closing" | "ended" = "open";
  /** What is awaited since when: the rest of a message, or the peer's close. */
  #sinceUs: number | undefined;

  constructor(
    table: ConnectionTable,
    stream: Duplex,
    who: Participant,
    createParty: (at: Connection) => Party,
  ) {
    this.#table = table;
    this.#stream = stream;
    this.who = who;
    this.#sinceUs = table.nextSweepUs;
    this.#party = createParty(this);
    stream.on("data", (chunk: Uint8Array) => this.#onData(chunk));
    stream.on("end", () => this.finish());
    stream.on("close", () => this.#onClose());
    // A reset is told by `close`, too; without a listener it would end the process.
    stream.on("error", ignore);
    if (!table.hasRoom()) stream.pause();
  }

  /** For people, e.g. `127.0.0.1:4711/tcp`. */
  get address(): string {
    return this.who.address;
  }

  /** Its address without the port. */
  get client(): string {
    return this.address.replace(/:\d+\/tcp$/, "");
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** What has come of a message that is not whole, and what was written and not read. */
  get heldBytes(): number {
    return this.#framer.keptBytes + this.#stream.writableLength;
  }

  /** Sends a message; one who reads nothing is not written to for ever. */
  send(bytes: Uint8Array): void {
    if (this.#state !== "open") return;
    this.#stream.write(bytes);
    const max = this.#table.bounds.gnunetUnreadBytesMax;
    if (this.#stream.writableLength <= max) return;
    this.#table.limited("gnunetUnreadBytesMax");
    this.#table.note(`${this.address} reads nothing: limit gnunetUnreadBytesMax (${max}) reached`);
    this.drop();
  }

  /** Sends a last message, if any, and closes in order. */
  finish(bytes?: Uint8Array): void {
    if (this.#state !== "open") return;
    this.#leave("closing");
    if (bytes === undefined) this.#stream.end();
    else this.#stream.end(bytes);
  }

  /** Closes at once. @param reason for the log, when the peer is to blame. */
  drop(reason?: string): void {
    if (reason !== undefined) this.#table.note(`${this.address}: ${reason}; closing`);
    this.#leave("ended");
    this.#stream.destroy();
  }

  setReading(on: boolean): void {
    if (on) this.#stream.resume();
    else if (this.#state === "open") this.#stream.pause();
  }

  onSweep(nowUs: number): void {
    if (this.#sinceUs === undefined) return;
    const { time } = this.#table;
    const ageMs = (nowUs - this.#sinceUs) / 1000;
    if (this.#state === "closing" && ageMs >= time.lingerMs) this.drop();
    if (this.#state !== "open" || ageMs < time.messageMs || !this.#table.hasRoom()) return;
    const got = this.#framer.keptBytes;
    this.drop(`no whole message within ${time.messageMs / 1000} s, ${got} bytes of one`);
  }

  #onData(chunk: Uint8Array): void {
    if (this.#state !== "open") return; // C2
    const { messages, fault } = this.#framer.push(chunk);
    for (const bytes of messages) {
      this.#take(bytes);
      if (!this.isOpen) return;
    }
    if (fault !== undefined) {
      this.drop(fault);
    } else if (messages.length > 0 || this.#sinceUs === undefined) {
      this.#sinceUs = this.#framer.keptBytes > 0 ? this.#table.nextSweepUs : undefined;
    }
  }

  #take(bytes: Uint8Array): void {
    const message = decodeMessage(bytes);
    // The old server read nothing more after a type it did not know, and kept the connection.
    // Fault 11. [GNUNET-BARRIERS 3.2]
    if (message.kind === "unknown") this.drop(`messages of type ${message.type} are not for it`);
    else if (message.kind === "refused") this.drop(message.message);
    else this.#party.take(message);
  }

  #leave(state: "closing" | "ended"): void {
    const wasOpen = this.#state === "open";
    this.#state = state;
    this.#sinceUs = this.#table.nextSweepUs;
    if (wasOpen) this.#party.over();
  }

  #onClose(): void {
    this.#table.forget(this);
    this.#leave("ended");
  }
}

function ignore(): void {}
