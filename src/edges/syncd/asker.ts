// SPDX-License-Identifier: MIT
// The seam between the two doors (tcp.ts, udp.ts) and the server (syncd.ts).
import type { ConnectionId, Participant } from "../../core/command.ts";
import type { ByteOrder, RequestFrame, Version } from "../../wire/emulab-sync/index.ts";
import type { TallyRow } from "./tally.ts";

/** Somebody who has asked: what the server knows of one connection or one datagram's sender. */
export interface Asker {
  readonly version: Version;
  readonly byteOrder: ByteOrder;
  /** Where it comes from, for people: `127.0.0.1:4711/tcp`. */
  readonly address: string;
  /** 0 until the request is submitted. */
  id: ConnectionId;
  /** What the request adds to the count, and the row it is added to; for log lines only. */
  delta: number;
  row: TallyRow | undefined;
  /** Whether it is on the waiter list; an initialiser that does not wait is not. */
  waits: boolean;
  /** The answer; nothing follows it. */
  answer(reply: Buffer): void;
  /** Ends without an answer. */
  dismiss(): void;
}

/** What a door may ask of the server. */
export interface Counter {
  /** False while the core has no room: nothing new may be read. */
  readonly hasRoom: boolean;
  /** Takes an init or a wait; the answer comes by `asker.answer` or `asker.dismiss`. */
  arrive(asker: Asker, frame: RequestFrame, who: Participant): void;
  /** Takes the arrival back if it still waits; an answer on its way still comes. */
  leave(asker: Asker): void;
  /** The asker is gone: `leave`, and nothing comes any more. */
  forget(asker: Asker): void;
  /** JSON for a describe request. */
  describe(name: string): Promise<string>;
  /** Something was refused by the bound of this name. */
  limited(name: string): void;
  /** A line that is logged whether verbose or not. */
  note(line: string): void;
  /** A line that is logged when verbose. */
  detail(line: string): void;
}
