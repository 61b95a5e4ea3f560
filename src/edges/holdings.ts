// SPDX-License-Identifier: MIT
// What a door holds in memory for its clients, all together: bodies and messages that have not come
// in full, requests that are not answered, answers, streams and effects that are not read. Each
// connection has bounds of its own; times as many as may be open they are more than a machine has.
//
//   const sweep = new HeldSweep({ clock, everyMs, limit, holdings, log, onRefused });
//   sweep.start();
//
//   Q1. Looked at every `everyMs`, so that what is served pays next to nothing for it. In between a
//       client can send as much as it sends in that time; what is made for clients is looked at
//       also whenever an eighth of the bound has been made.
//   Q2. Of the client that holds most, by its address, the connection that holds most is cut first:
//       who holds little is not touched.
import type { WebSocket } from "ws";
import type { Cancel, Clock } from "../host/clock.ts";
import type { NamedLimit } from "./admission.ts";

export interface HeldSweepOptions {
  readonly clock: Clock;
  readonly everyMs: number;
  /** Bytes of the door. */
  readonly limit: NamedLimit;
  /** Who holds `heldBytesMin` or more now. */
  readonly holdings: () => Iterable<Holding>;
  readonly log: (level: "info", line: string) => void;
  /** Told the name of the limit, for each that was cut. */
  readonly onRefused: (limit: string) => void;
}

/** Q1. */
export class HeldSweep {
  readonly #options: HeldSweepOptions;
  #cancel: Cancel | undefined;
  /** Made for clients since it was looked. */
  #addedBytes = 0;

  constructor(options: HeldSweepOptions) {
    this.#options = options;
  }

  /** Looks from now on; nothing happens when it does already. */
  start(): void {
    if (this.#cancel === undefined) this.#arm();
  }

  /** So much was made for a client, who may not read it. */
  noteAdded(bytes: number): void {
    this.#addedBytes += bytes;
    if (this.#cancel !== undefined && this.#addedBytes > this.#options.limit.max / 8) this.#look();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #arm(): void {
    const { clock, everyMs } = this.#options;
    this.#cancel = clock.after(everyMs, () => {
      this.#look();
      this.#arm();
    });
  }

  #look(): void {
    const { holdings, limit, log, onRefused } = this.#options;
    this.#addedBytes = 0;
    for (const { client, bytes, cut } of chooseCuts([...holdings()], limit.max)) {
      onRefused(limit.name);
      const why = `limit ${limit.name} (${limit.max}) reached; raise it with --limit ${limit.name}=VALUE`;
      log("info", `a connection of ${client} holds ${bytes} bytes, the door too many: ${why}`);
      cut();
    }
  }
}

/**
 * Bytes of a message that has not come in full. Fragments that came compressed count as what they
 * have become; the bytes of the socket would say a thousandth of it. `ws` has no public word for
 * it; a test fails when it calls these otherwise.
 */
export function unfinishedBytesOf(socket: WebSocket): number {
  const { _receiver: receiver } = socket as unknown as {
    readonly _receiver?: { readonly _bufferedBytes: number; readonly _messageLength: number };
  };
  return receiver ? receiver._bufferedBytes + receiver._messageLength : 0;
}

/** Less than this is not counted: connections are bounded, too. */
export const heldBytesMin: number = 16 * 1024;

/** A connection, or a request on one. */
export interface Holding {
  /** Its client's address. */
  readonly client: string;
  readonly bytes: number;
  readonly cut: () => void;
}

/** @returns those to be cut so that what is left is within the bound (Q2). */
export function chooseCuts(holdings: readonly Holding[], bytesMax: number): readonly Holding[] {
  let total = holdings.reduce((sum, { bytes }) => sum + bytes, 0);
  if (total <= bytesMax) return [];
  const clients = new Map<string, { bytes: number; readonly holdings: Holding[] }>();
  for (const holding of holdings.toSorted((a, b) => a.bytes - b.bytes)) {
    const known = clients.get(holding.client) ?? { bytes: 0, holdings: [] };
    clients.set(holding.client, known);
    known.bytes += holding.bytes;
    known.holdings.push(holding);
  }
  const cuts: Holding[] = [];
  while (total > bytesMax) {
    const [first, ...rest] = clients.values();
    const worst = rest.reduce((most, one) => (one.bytes > (most?.bytes ?? 0) ? one : most), first);
    const cut = worst?.holdings.pop();
    if (worst === undefined || cut === undefined) break;
    worst.bytes -= cut.bytes;
    total -= cut.bytes;
    cuts.push(cut);
  }
  return cuts;
}
