// SPDX-License-Identifier: MIT
// A log that several servers share, as one on NATS is (engine/nats-log.ts, D2 to D5): appends
// without expected sequence, stamped by the broker, acknowledged or not; each server has its own
// way to it, which may be slow, cut, held back or lose what goes over it. What is stored is the
// text that the shipped code makes of an entry.
//
//   S1. Everybody reads the same entries in the same order, each once (L1); only how late differs.
//   S2. What one server sends arrives in the order of its calls (L3), unless a message is refused.
//   S3. An append that is said to have failed indefinitely may be stored, also much later, and also
//       after its server has died.
//   S4. All that reaches a server comes by the clock of its process: one that is stopped hears
//       nothing, one that is dead never.
//   S7. What was cut away is gone for whoever asks for it; what was on its way before still comes.
import type { Entry, LogEntry } from "../../core/command.ts";
import type { Random } from "../../core/random.ts";
import { type Log, LogError, type LogReader } from "../../engine/log.ts";
import { MemoryLog } from "../../engine/memory-log.ts";
import { cutEntry } from "../../engine/nats-entry.ts";
import { natsAckMs } from "../../engine/nats-limits.ts";
import type { Cancel, Clock } from "../../host/clock.ts";
import type { VirtualClock } from "../virtual-clock.ts";

/** What happens to messages between a server and the log; all off by default. */
export interface WayFaults {
  /** A message takes up to this long, each way, milliseconds. */
  readonly delayMsMax: number;
  /** The broker refuses a message, and says so (definite). */
  readonly refused: number;
  /** A message is lost, and nobody says so (indefinite). */
  readonly lost: number;
  /** A message is stored, and its acknowledgement is lost (indefinite). */
  readonly unacknowledged: number;
  /** A message is stored twice. */
  readonly doubled: number;
}

export const noWayFaults: WayFaults = {
  ...{ delayMsMax: 0, refused: 0, lost: 0, unacknowledged: 0, doubled: 0 },
};

/** What the run counts: a fault has struck. */
export type OnStruck = (fault: keyof WayFaults) => void;

export class SharedLog {
  readonly clock: VirtualClock;
  readonly #stored: MemoryLog;
  readonly #ways = new Set<LogWay>();
  /** What a step of the broker's clock has added. */
  #offsetUs = 0;
  /** Takes and says nothing. */
  isAway = false;
  /** The first entry that was not cut away. */
  first = 1;
  /** Told of the first entry that is left. */
  onCut: (first: number) => void = () => undefined;

  constructor(clock: VirtualClock) {
    this.clock = clock;
    this.#stored = new MemoryLog({ nowUs: () => this.stampUs });
  }

  /** What the clock shows that stamps entries. */
  get stampUs(): number {
    return this.clock.nowUs() + this.#offsetUs;
  }

  /** The broker's clock is set. */
  step(us: number): void {
    this.#offsetUs += us;
  }

  /** A way for the life of one server. */
  createWay(options: Omit<WayOptions, "log">): LogWay {
    const way = new LogWay({ ...options, log: this });
    this.#ways.add(way);
    return way;
  }

  /** It is gone, and every connection to it. */
  leave(): void {
    this.isAway = true;
    for (const way of this.#ways) way.cut();
  }

  return(): void {
    this.isAway = false;
    for (const way of this.#ways) way.mend();
  }

  forget(way: LogWay): void {
    this.#ways.delete(way);
  }

  /** S7. */
  trim(through: number): void {
    if (through < this.first) return;
    this.first = through + 1;
    this.onCut(this.first);
  }

  store(text: string): Promise<number> {
    return this.#stored.append(JSON.parse(text) as Entry);
  }

  read(from: number, deliver: (entries: readonly LogEntry[]) => void): LogReader {
    return this.#stored.read(from, deliver);
  }

  head(): Promise<number> {
    return this.#stored.head();
  }
}

export interface WayOptions {
  readonly log: SharedLog;
  /** Of the server's process (S4). */
  readonly clock: Clock;
  readonly random: Random;
  readonly faults: WayFaults;
  readonly onStruck: OnStruck;
}

interface Append {
  readonly resolve: (sequence: number) => void;
  readonly reject: (error: LogError) => void;
  left: number;
  last: number;
  isOver: boolean;
  cancelLate: Cancel;
}

interface Reading {
  next: number;
  readonly deliver: (entries: readonly LogEntry[]) => void;
  readonly onLost: (error: LogError) => void;
  reader: LogReader | undefined;
  /** When the last of what is on its way comes. */
  arrivesUs: number;
}

/** One server's way to the log. */
export class LogWay implements Log {
  readonly durability = "simulated: shared by the servers of one run";
  readonly #log: SharedLog;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #onStruck: OnStruck;
  #faults: WayFaults;
  readonly #inFlight = new Set<Append>();
  readonly #readings = new Set<Reading>();
  /** When the last message to the log arrives (S2). */
  #arrivesUs = 0;
  #isCut = false;
  /** What is held back in either direction, in order; undefined while the way is open. */
  #held: (() => void)[] | undefined;
  #isDead = false;
  /** Messages that arrive at an instant which has not come. */
  #onTheWay = 0;

  constructor({ log, clock, random, faults, onStruck }: WayOptions) {
    this.#log = log;
    this.#clock = clock;
    this.#random = random;
    this.#faults = faults;
    this.#onStruck = onStruck;
    this.#isCut = log.isAway;
  }

  get isBroken(): boolean {
    return this.#isCut || this.#held !== undefined;
  }

  /** Entries that are on their way, or may be. */
  get appending(): number {
    return this.#inFlight.size;
  }

  /** From now on nothing happens to messages of its own accord. */
  calm(): void {
    this.#faults = noWayFaults;
  }

  append(entry: Entry): Promise<number> {
    if (this.#isCut) return Promise.reject(definite("the log is away"));
    const texts = cutEntry(entry);
    return new Promise((resolve, reject) => {
      const append: Append = {
        ...{ resolve, reject, left: texts.length, last: 0, isOver: false },
        cancelLate: this.#clock.after(natsAckMs, () =>
          this.#end(append, indefinite("nothing was said in time")),
        ),
      };
      this.#inFlight.add(append);
      for (const text of texts) this.#send(append, text);
    });
  }

  read(
    from: number,
    deliver: (entries: readonly LogEntry[]) => void,
    onLost: (error: LogError) => void = () => undefined,
  ): LogReader {
    const reading: Reading = { next: from, deliver, onLost, reader: undefined, arrivesUs: 0 };
    this.#readings.add(reading);
    this.#openReading(reading);
    return {
      stop: () => {
        this.#readings.delete(reading);
        reading.reader?.stop();
      },
    };
  }

  async head(): Promise<number> {
    if (this.#isCut) throw definite("the log does not say where it ends: it is away");
    const arrivesUs = this.#arrivalUs(this.#log.clock.elapsedUs);
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.after(natsAckMs, () =>
        reject(definite("the log does not say where it ends: nothing was said in time")),
      );
      this.#carry(arrivesUs, () => {
        if (this.#log.isAway) return;
        void this.#log.head().then((head) =>
          this.#toServer(() => {
            cancel();
            resolve(head);
          }),
        );
      });
    });
  }

  async trim(through: number): Promise<void> {
    if (this.#isCut) throw definite("the log is not cut: it is away");
    const arrivesUs = this.#arrivalUs(this.#arrivesUs);
    await new Promise<void>((resolve, reject) => {
      const cancel = this.#clock.after(natsAckMs, () => reject(indefinite("nothing was said")));
      this.#carry(arrivesUs, () => {
        if (this.#log.isAway) return;
        this.#log.trim(through);
        this.#answer(() => {
          cancel();
          resolve();
        });
      });
    });
  }

  readonly clockUs = (): number => this.#log.stampUs;

  close(): Promise<void> {
    for (const { reader } of this.#readings) reader?.stop();
    this.#readings.clear();
    this.#log.forget(this);
    return Promise.resolve();
  }

  /** The connection is lost: what was on its way is doubtful, what comes now is refused. */
  cut(): void {
    if (this.#isCut || this.#isDead) return;
    this.#isCut = true;
    for (const { reader } of this.#readings) reader?.stop();
    const doubtful = [...this.#inFlight];
    this.#toServer(() => {
      for (const append of doubtful) this.#end(append, indefinite("the connection was cut"));
    });
  }

  mend(): void {
    if (!this.#isCut || this.#isDead || this.#log.isAway) return;
    this.#isCut = false;
    for (const reading of this.#readings) this.#openReading(reading);
  }

  /** Nothing gets through, and nobody is told. */
  hold(): void {
    this.#held ??= [];
  }

  heal(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const arrive of held) arrive();
  }

  /** The server's process is gone; what has left it may still arrive (S3). */
  kill(): void {
    this.#isDead = true;
    for (const { reader } of this.#readings) reader?.stop();
    for (const { cancelLate } of this.#inFlight) cancelLate();
    this.#readings.clear();
    if (this.#held === undefined) this.#log.forget(this);
  }

  #send(append: Append, text: string): void {
    const arrivesUs = this.#arrivalUs(this.#arrivesUs);
    this.#arrivesUs = arrivesUs;
    if (this.#strikes("lost")) return;
    const refused = this.#strikes("refused");
    const doubled = this.#strikes("doubled");
    const unacknowledged = this.#strikes("unacknowledged");
    this.#carry(arrivesUs, () => {
      // What arrives at a log that is gone is gone.
      if (this.#log.isAway) return;
      if (refused) {
        this.#answer(() => this.#end(append, definite("the log refused the entry")));
        return;
      }
      const stored = this.#log.store(text);
      if (doubled) void this.#log.store(text);
      if (unacknowledged) return;
      void stored.then((sequence) => this.#answer(() => this.#onStored(append, sequence)));
    });
  }

  #onStored(append: Append, sequence: number): void {
    if (this.#isCut) return;
    append.left -= 1;
    append.last = sequence;
    if (append.left > 0 || append.isOver) return;
    append.isOver = true;
    append.cancelLate();
    this.#inFlight.delete(append);
    append.resolve(append.last);
  }

  #end(append: Append, error: LogError): void {
    this.#inFlight.delete(append);
    append.cancelLate();
    if (append.isOver) return;
    append.isOver = true;
    append.reject(error);
  }

  #openReading(reading: Reading): void {
    if (this.#isCut || this.#isDead) return;
    reading.reader?.stop();
    if (reading.next < this.#log.first) {
      this.#lose(reading);
      return;
    }
    let next = reading.next;
    const reader = this.#log.read(reading.next, (entries) => {
      const isNew = (entries[0]?.sequence ?? next) >= next;
      const news = isNew ? entries : entries.filter(({ sequence }) => sequence >= next);
      next = (news.at(-1)?.sequence ?? next - 1) + 1;
      reading.arrivesUs = this.#arrivalUs(reading.arrivesUs);
      this.#carry(reading.arrivesUs, () =>
        this.#toServer(() => {
          if (reading.reader !== reader || this.#isCut || !this.#readings.has(reading)) return;
          reading.next = (news.at(-1)?.sequence ?? reading.next - 1) + 1;
          reading.deliver(news);
        }),
      );
    });
    reading.reader = reader;
  }

  /** S7. */
  #lose(reading: Reading): void {
    const { first } = this.#log;
    this.#answer(() => {
      if (!this.#readings.has(reading)) return;
      // Who was stopped reads first what had come before it asked.
      if (reading.next >= this.#log.first) {
        this.#openReading(reading);
        return;
      }
      this.#readings.delete(reading);
      const message = `entries before ${first} were cut away, and ${reading.next} was asked for`;
      reading.onLost(new LogError(message, { definite: true, isCut: true }));
    });
  }

  /** An answer of the broker. */
  #answer(arrive: () => void): void {
    this.#carry(this.#arrivalUs(0), () => this.#toServer(arrive));
  }

  /** Over the network: it may be held back on the way. */
  #carry(arrivesUs: number, arrive: () => void): void {
    const { clock } = this.#log;
    const waitUs = arrivesUs - clock.elapsedUs;
    // Others that are due now as well were sent before.
    if (waitUs <= 0 && this.#onTheWay === 0) {
      this.#letThrough(arrive);
      return;
    }
    this.#onTheWay += 1;
    clock.after(Math.max(0, waitUs) / 1000, () => {
      this.#onTheWay -= 1;
      this.#letThrough(arrive);
    });
  }

  #letThrough(arrive: () => void): void {
    if (this.#held !== undefined) this.#held.push(arrive);
    else arrive();
  }

  /** S4. */
  #toServer(act: () => void): void {
    this.#clock.endOfTurn(act);
  }

  #arrivalUs(notBeforeUs: number): number {
    const { delayMsMax } = this.#faults;
    const delayUs = delayMsMax === 0 ? 0 : this.#random.below(delayMsMax * 1000);
    return Math.max(notBeforeUs, this.#log.clock.elapsedUs + delayUs);
  }

  #strikes(fault: "refused" | "lost" | "unacknowledged" | "doubled"): boolean {
    const probability = this.#faults[fault];
    if (probability === 0 || !this.#random.chance(probability)) return false;
    this.#onStruck(fault);
    return true;
  }
}

function definite(message: string): LogError {
  return new LogError(message, { definite: true });
}

function indefinite(message: string): LogError {
  return new LogError(`${message}; the entry may be there`, { definite: false });
}
