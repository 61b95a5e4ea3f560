// SPDX-License-Identifier: MIT
// Where the servers of a simulated cluster keep snapshots of their log: a stream of messages, as
// one on NATS is, that outlives them. Owns the messages, how each server reaches them, and what
// goes wrong there; what the messages say is the shipped code's (engine/message-snapshots.ts).
//
//   S5. What was acknowledged stays, but for what `damage` takes: parts that only the newest of two
//       snapshots names, or the newest index itself, as long as the older snapshot is whole, also
//       as the index before names it. Two that are not nobody survives.
//   S6. A connection shows what is stored and what is deleted in the order in which that was done,
//       maybe late.
import { Random } from "../../core/random.ts";
import { LogError } from "../../engine/log.ts";
import type { SnapshotMessages, StoredMessage } from "../../engine/message-snapshots.ts";
import { natsAckMs } from "../../engine/nats-limits.ts";
import { unpackText } from "../../engine/snapshots.ts";
import type { Clock } from "../../host/clock.ts";
import type { VirtualClock } from "../virtual-clock.ts";
import type { FaultName, FaultRates } from "./script.ts";

/** What happens to messages on their way; all off by default. */
export interface StreamFaults {
  /** A message takes up to this long, each way, milliseconds. */
  readonly delayMsMax: number;
  /** What a connection shows may be so old, milliseconds. */
  readonly lateMsMax: number;
  /** A message is lost, or its acknowledgement. */
  readonly lost: number;
}

const noStreamFaults: StreamFaults = { delayMsMax: 0, lateMsMax: 0, lost: 0 };
/** Of connections, those that show what was stored late. */
const lateChance = 0.3;

interface Stored extends StoredMessage {
  readonly kind: "part" | "index";
  readonly storedUs: number;
}

/** A snapshot, and the messages of its parts. */
interface NamedSnapshot {
  readonly sequence: number;
  readonly at: readonly number[];
}

export interface StreamOptions {
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly faults: StreamFaults;
  readonly onLost: () => void;
}

/** How one server reaches it. */
export interface StreamWay {
  readonly server: string;
  /** Of its process: nothing comes back to one that is dead. */
  readonly clock: Clock;
  readonly isBroken: () => boolean;
}

export class SnapshotStream {
  readonly #options: StreamOptions;
  #faults: StreamFaults;
  #stored: Stored[] = [];
  /** What was deleted lately, which connections that are late still show (S6). */
  #deleted: (Stored & { readonly deletedUs: number })[] = [];
  #last = 0;
  /** What is to happen when that many more messages have been stored. */
  #trap: { left: number; readonly spring: (writer: string) => void } | undefined;

  constructor(options: StreamOptions) {
    this.#options = options;
    this.#faults = options.faults;
  }

  /** Nothing goes wrong by itself from here on. */
  calm(): void {
    this.#faults = noStreamFaults;
    this.#trap = undefined;
  }

  /** Whether a snapshot is being written, or was begun and never finished. */
  get isWriting(): boolean {
    return this.#stored.at(-1)?.kind === "part";
  }

  connect({ server, clock, isBroken }: StreamWay): SnapshotMessages {
    const { random } = this.#options;
    const lateUs = this.#drawLateUs();
    const shown = (): readonly Stored[] =>
      this.#shown(this.#options.clock.elapsedUs - (this.#faults.lateMsMax === 0 ? 0 : lateUs));
    const ask = <T>(work: () => T, isSent = false): Promise<T> =>
      new Promise((resolve, reject) => {
        const lost = isSent && this.#faults.lost > 0 && random.chance(this.#faults.lost);
        const isLostThere = lost && random.chance(0.5);
        if (lost) this.#options.onLost();
        const cancel = clock.after(natsAckMs, () => reject(silence()));
        this.#carry(isBroken, () => {
          if (isLostThere) return;
          const answer = work();
          if (lost) return;
          this.#carry(isBroken, () =>
            clock.endOfTurn(() => {
              cancel();
              resolve(answer);
            }),
          );
        });
      });
    return {
      sendPart: (data) => ask(() => this.#store(server, "part", data), true),
      sendIndex: (data, after) => ask(() => this.#storeIndex(server, data, after), true),
      get: (wanted) => ask(() => shown().find(({ sequence }) => sequence === wanted)),
      newestIndex: () => ask(() => shown().findLast(({ kind }) => kind === "index")),
      indexFrom: (from) =>
        ask(() => shown().find(({ kind, sequence }) => kind === "index" && sequence >= from)),
      describe: () => ask(() => this.#describe()),
      delete: (gone) => ask(() => this.#deleteAsTold(gone)),
      close: () => Promise.resolve(),
    };
  }

  /** Something is to happen when so many more messages have been stored. */
  whenStored(messages: number, spring: (writer: string) => void): void {
    this.#trap = { left: messages, spring };
  }

  /** A writer has died: of what no index names, some was never stored for good. */
  loseUnnamed(): void {
    const index = this.#stored.findLast(({ kind }) => kind === "index")?.sequence ?? 0;
    this.#delete(({ sequence }) => sequence > index && this.#options.random.chance(0.5));
  }

  /** S5. @returns what was taken, if there was something to take */
  damage(): "part" | "index" | undefined {
    const [index, before] = this.#stored.filter(({ kind }) => kind === "index").reverse();
    const [newest, older] = this.#snapshots(index) ?? [];
    if (index === undefined || older === undefined || !this.#areThere(older.at)) return undefined;
    // As it comes: what else is drawn does not depend on it.
    const ofIndex = [...this.#textOf(index), index.sequence];
    // What the index before names and the newest does not may be deleted just now: other snapshots,
    // and copies of the parts of this one that were stored again.
    const same = this.#snapshots(before)?.find(({ sequence }) => sequence === older.sequence);
    const isSaved = same?.at.every((at) => older.at.includes(at)) ?? false;
    if (this.#last % 4 === 0 && isSaved) {
      const taken = ofIndex[this.#last % ofIndex.length];
      this.#delete(({ sequence }) => sequence === taken);
      return "index";
    }
    const own = (newest?.at ?? []).filter((at) => !older.at.includes(at));
    if (own.length === 0) return undefined;
    const gone = this.#options.random.pick(own);
    this.#delete(({ sequence }) => sequence === gone);
    return "part";
  }

  #areThere(places: readonly number[]): boolean {
    return places.every((at) => this.#stored.some(({ sequence }) => sequence === at));
  }

  /** As a broker does that is told what the last index is. */
  #storeIndex(server: string, data: Uint8Array, after: number): boolean {
    const last = this.#stored.findLast(({ kind }) => kind === "index")?.sequence ?? 0;
    if (last !== after) return false;
    this.#store(server, "index", data);
    return true;
  }

  #store(server: string, kind: Stored["kind"], data: Uint8Array): number {
    this.#last += 1;
    const storedUs = this.#options.clock.elapsedUs;
    this.#stored.push({ sequence: this.#last, kind, data, storedUs });
    const trap = this.#trap;
    if (trap !== undefined) {
      trap.left -= 1;
      if (trap.left <= 0) {
        this.#trap = undefined;
        trap.spring(server);
      }
    }
    return this.#last;
  }

  #describe(): { readonly first: number; readonly deleted: readonly number[] } {
    const there = new Set(this.#stored.map(({ sequence }) => sequence));
    const first = this.#stored[0]?.sequence ?? this.#last + 1;
    const deleted: number[] = [];
    for (let at = first; at <= this.#last; at += 1) if (!there.has(at)) deleted.push(at);
    return { first, deleted };
  }

  /** S6. */
  #shown(untilUs: number): readonly Stored[] {
    const still = this.#deleted.filter(({ deletedUs }) => deletedUs > untilUs);
    const all = [...this.#stored, ...still].filter(({ storedUs }) => storedUs <= untilUs);
    return still.length === 0 ? all : all.sort((a, b) => a.sequence - b.sequence);
  }

  #deleteAsTold(gone: number): void {
    const deletedUs = this.#options.clock.elapsedUs;
    const oldestUs = deletedUs - this.#faults.lateMsMax * 1000;
    const now = this.#stored.filter(({ sequence }) => sequence === gone);
    this.#deleted = [
      ...this.#deleted.filter((one) => one.deletedUs > oldestUs),
      ...now.map((one) => ({ ...one, deletedUs })),
    ];
    this.#delete(({ sequence }) => sequence === gone);
  }

  #delete(isGone: (message: Stored) => boolean): void {
    this.#stored = this.#stored.filter((message) => !isGone(message));
  }

  /** Those that an index has, newest first, as it names them. Undefined where it is damaged. */
  #snapshots(named: Stored | undefined): readonly NamedSnapshot[] | undefined {
    if (named === undefined || !this.#areThere(this.#textOf(named))) return undefined;
    const { hash, at } = JSON.parse(new TextDecoder().decode(named.data));
    const pieces = this.#stored.filter(({ sequence }) => at.includes(sequence));
    const index = JSON.parse(unpackText(Buffer.concat(pieces.map(({ data }) => data)), hash));
    return index.snapshots.map(({ sequence, manifest }: { sequence: number; manifest: string }) => {
      const { parts } = JSON.parse(manifest.slice(manifest.indexOf(" ") + 1));
      return { sequence, at: parts.flatMap((part: string) => index.parts[part] ?? []) };
    });
  }

  /** The messages of an index. */
  #textOf({ data }: Stored): readonly number[] {
    return JSON.parse(new TextDecoder().decode(data)).at;
  }

  #drawLateUs(): number {
    const { random } = this.#options;
    const { lateMsMax } = this.#faults;
    if (lateMsMax === 0 || !random.chance(lateChance)) return 0;
    return random.below(lateMsMax * 1000);
  }

  /** Over the network, where it is lost when there is no way. */
  #carry(isBroken: () => boolean, arrive: () => void): void {
    const { clock, random } = this.#options;
    const { delayMsMax } = this.#faults;
    const delayMs = delayMsMax === 0 ? 0 : random.below(delayMsMax * 1000) / 1000;
    const deliver = (): void => {
      if (!isBroken()) arrive();
    };
    if (delayMs === 0) clock.endOfTurn(deliver);
    else clock.after(delayMs, deliver);
  }
}

function silence(): LogError {
  return new LogError("the store of snapshots says nothing", { definite: false });
}

/** Undefined where the log is never cut. */
export function createSnapshots({
  clock,
  seed,
  faults,
  onStruck,
}: {
  readonly clock: VirtualClock;
  readonly seed: number;
  readonly faults: FaultRates;
  readonly onStruck: (fault: FaultName) => void;
}): SnapshotStream | undefined {
  if ((faults.snapshots ?? 0) === 0) return undefined;
  const isSlow = (faults["slow-snapshots"] ?? 0) > 0;
  return new SnapshotStream({
    // Of its own: what else is drawn does not depend on it.
    ...{ clock, random: new Random(seed ^ 0x5afe) },
    faults: {
      ...{ delayMsMax: isSlow ? 40 : 0, lateMsMax: isSlow ? 1_500 : 0 },
      lost: faults["lose-snapshots"] ?? 0,
    },
    onLost: () => onStruck("lose-snapshots"),
  });
}
