// SPDX-License-Identifier: MIT
// What the host sees of an edge at the other end of a link: its batches, in the order in which they
// came, and the way back. A batch whose messages are being stored (publications.ts) keeps its
// place.
import type { Batch, Command } from "../core/command.ts";
import type { EdgeEffect } from "../core/effect.ts";
import type { CoreFrame, EdgeCommand } from "../wire/link/frames.ts";
import type { EdgeRights } from "./edge-rights.ts";
import type { BatchSource, Port } from "./port.ts";

export interface RemotePortOptions {
  readonly edge: string;
  readonly incarnation: number;
  readonly rights: EdgeRights;
  /** Where it calls from, when what it says itself of that does not count. */
  readonly address: string | undefined;
  /** The number of the last batch that counts. */
  readonly lastBatch: number;
  readonly seen: number;
  readonly send: (frame: CoreFrame) => void;
  readonly isBehind: () => boolean;
  /** The log is given the batch of this number. */
  readonly onTake: (port: RemotePort, number: number) => void;
  /** The log has more of what this port sent. */
  readonly onTaken: (port: RemotePort) => void;
  readonly onReplaced: () => void;
}

export class RemotePort implements Port {
  readonly edge: string;
  readonly incarnation: number;
  readonly source: RemoteSource;
  readonly rights: EdgeRights;
  readonly replaced: () => void;
  /** Effects up to this one have been sent. */
  sentSequence: number;
  /** The batch that came last in its turn. */
  #lastNumber: number;
  readonly #options: RemotePortOptions;

  constructor(options: RemotePortOptions) {
    this.edge = options.edge;
    this.incarnation = options.incarnation;
    this.rights = options.rights;
    this.sentSequence = options.seen;
    this.replaced = options.onReplaced;
    this.#lastNumber = options.lastBatch;
    this.#options = options;
    this.source = new RemoteSource((number) => options.onTake(this, number));
  }

  /** Whether the batch of this number is the next. */
  isNext(number: number): boolean {
    return number === this.#lastNumber + 1;
  }

  put(number: number, commands: readonly Command[]): void {
    this.source.put(this.#batchOf(number, commands));
  }

  /** A batch that is not ready; those behind it wait. */
  reserve(number: number, commands: readonly EdgeCommand[]): void {
    if (this.isNext(number)) this.#lastNumber = number;
    this.source.reserve(number, commands);
  }

  fill(number: number, commands: readonly Command[]): void {
    this.source.fill(this.#batchOf(number, commands));
  }

  #batchOf(number: number, commands: readonly Command[]): Batch {
    const { edge, incarnation } = this;
    const { address } = this.#options;
    if (address !== undefined) for (const command of commands) setAddress(command, address);
    if (this.isNext(number)) this.#lastNumber = number;
    return { edge, incarnation, number, commands };
  }

  /** False: kept by the host until the edge has said that it has them (K2). */
  deliver(sequence: number, effects: readonly EdgeEffect[]): boolean {
    const { isBehind, send } = this.#options;
    if (isBehind()) return false;
    this.sentSequence = sequence;
    send({ kind: "effects", sequence, effects });
    return false;
  }

  applied(number: number): void {
    this.#options.send({ kind: "applied", number });
    this.#options.onTaken(this);
  }

  logAway(isAway: boolean): void {
    this.#options.send({ kind: "log", isAway });
  }
}

/** In place: they were parsed for this connection, and copies of all cost as much again. */
function setAddress(command: Command, address: string): void {
  if ("who" in command) (command.who as { address: string }).address = address;
  else if (command.kind === "publish" && command.arrival !== undefined) {
    (command.arrival.who as { address: string }).address = address;
  }
}

/** A batch on its way: what is counted of it, and itself when it is ready for the log. */
interface Slot {
  readonly number: number;
  readonly commands: number;
  readonly arrivals: number;
  readonly bytes: number;
  batch: Batch | undefined;
}

/** Batches as they came; their edge keeps them too, so that nothing is lost with this process. */
export class RemoteSource implements BatchSource {
  readonly #onTake: (number: number) => void;
  #queued: Slot[] = [];
  /** Of them: not ready for the log. */
  #unready = 0;
  #sent: Slot[] = [];
  depth = 0;
  /** Of them: arrivals at barriers. */
  arrivals = 0;
  /** In messages of topics. */
  bytes = 0;

  constructor(onTake: (number: number) => void) {
    this.#onTake = onTake;
  }

  /** Whether a batch is not ready; those behind it wait. */
  get isWaiting(): boolean {
    return this.#unready > 0;
  }

  get hasQueued(): boolean {
    return this.#queued[0]?.batch !== undefined;
  }

  /** A batch that is ready. */
  put(batch: Batch): void {
    this.#queue(batch.number, batch.commands, batch);
  }

  reserve(number: number, commands: readonly EdgeCommand[]): void {
    this.#queue(number, commands, undefined);
    this.#unready += 1;
  }

  fill(batch: Batch): void {
    const slot = this.#queued.find((one) => one.number === batch.number && !one.batch);
    if (slot === undefined) return;
    slot.batch = batch;
    this.#unready -= 1;
  }

  take(): Batch | undefined {
    const slot = this.#queued[0];
    if (slot?.batch === undefined) return undefined;
    this.#queued.shift();
    this.#sent.push(slot);
    this.#onTake(slot.number);
    return slot.batch;
  }

  unacknowledged(): readonly Batch[] {
    return this.#sent.flatMap(({ batch }) => batch ?? []);
  }

  acknowledge(number: number): boolean {
    for (let slot = this.#sent[0]; slot && slot.number <= number; slot = this.#sent[0]) {
      this.#count(slot, -1);
      this.#sent.shift();
    }
    return false;
  }

  #queue(number: number, commands: readonly EdgeCommand[], batch: Batch | undefined): void {
    let [arrivals, bytes] = [0, 0];
    for (const command of commands) {
      if (isArrival(command)) arrivals += 1;
      bytes += messageBytes(command);
    }
    const slot = { number, commands: commands.length, arrivals, bytes, batch };
    this.#queued.push(slot);
    this.#count(slot, 1);
  }

  #count({ commands, arrivals, bytes }: Slot, sign: 1 | -1): void {
    this.depth += sign * commands;
    this.arrivals += sign * arrivals;
    this.bytes += sign * bytes;
  }
}

/** Whoever has a `who` comes to a barrier, of whatever kind. */
export function isArrival(command: EdgeCommand): boolean {
  if (command.kind === "topic-publish" || command.kind === "publish") {
    return command.arrival !== undefined;
  }
  return "who" in command;
}

function messageBytes(command: EdgeCommand): number {
  if (command.kind === "publish") return command.payload.bytes;
  return command.kind === "topic-publish" ? command.message.length : 0;
}
