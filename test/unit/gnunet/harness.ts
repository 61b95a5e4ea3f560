// SPDX-License-Identifier: MIT
// The GNUnet doors over a desk that the test plays, with a clock that the test moves.
import { type Duplex, duplexPair } from "node:stream";
import type { Participant } from "../../../src/core/command.ts";
import { type GnunetBounds, resolveGnunetBounds } from "../../../src/edges/gnunet/bounds.ts";
import { GnunetDoors, type GnunetService } from "../../../src/edges/gnunet/doors.ts";
import type {
  BarrierNews,
  BarrierTicket,
  PeersTicket,
  QuorumDesk,
  WaitTicket,
} from "../../../src/edges/gnunet/quorum-desk.ts";
import { encodeCrossed, encodeError } from "../../../src/edges/gnunet/status.ts";
import { gnunetTime } from "../../../src/edges/gnunet-time.ts";
import {
  type DecodeResult,
  decodeMessage,
  encodeMessage,
  type GnunetMessage,
  MessageFramer,
} from "../../../src/wire/gnunet/index.ts";
import { ManualClock } from "../syncd/harness.ts";

/** What the doors have asked for, in order: `wait 1 b`, `init 2 b 100`, `peers 3`. */
export class PlayedDesk implements QuorumDesk {
  readonly asked: string[] = [];
  readonly notes: string[] = [];
  readonly #waits = new Map<number, WaitTicket>();
  readonly #barriers = new Map<number, BarrierTicket>();
  /** Changes of the number of peers that are not answered. */
  readonly changes: PeersTicket[] = [];
  #lastId = 0;

  wait(name: string, _who: Participant, ticket: WaitTicket): number {
    this.#lastId += 1;
    this.asked.push(`wait ${this.#lastId} ${name}`);
    this.#waits.set(this.#lastId, ticket);
    return this.#lastId;
  }

  giveUp(id: number): void {
    this.asked.push(`give up ${id}`);
  }

  init(name: string, quorum: number, _who: Participant, ticket: BarrierTicket): number {
    this.#lastId += 1;
    this.asked.push(`init ${this.#lastId} ${name} ${quorum}`);
    this.#barriers.set(this.#lastId, ticket);
    return this.#lastId;
  }

  cancel(id: number): void {
    this.asked.push(`cancel ${id}`);
  }

  release(id: number): void {
    this.asked.push(`release ${id}`);
  }

  abandon(id: number): void {
    this.asked.push(`abandon ${id}`);
  }

  setRegistered(peers: number, ticket?: PeersTicket): void {
    this.asked.push(`peers ${peers}`);
    if (ticket !== undefined) this.changes.push(ticket);
  }

  limited(): void {}

  note(line: string): void {
    this.notes.push(line);
  }

  cross(id: number, name: string): void {
    this.#waits.get(id)?.ended({ kind: "crossed", status: encodeCrossed(name) });
  }

  fail(id: number, name: string, text: string): void {
    this.#waits.get(id)?.ended({ kind: "failed", status: encodeError(name, text) });
  }

  tell(id: number, news: BarrierNews): void {
    this.#barriers.get(id)?.told(news);
  }
}

/** A client at the other end of a stream: sends nothing by itself. */
export class TestParty {
  readonly stream: Duplex;
  readonly heard: DecodeResult[] = [];
  readonly bytes: Buffer[] = [];
  /** The other side closed in order. */
  isEnded = false;
  isClosed = false;
  readonly #framer = new MessageFramer();

  constructor(stream: Duplex) {
    this.stream = stream;
    stream.on("data", (chunk: Buffer) => {
      this.bytes.push(chunk);
      for (const bytes of this.#framer.push(chunk).messages) this.heard.push(decodeMessage(bytes));
    });
    stream.on("end", () => {
      this.isEnded = true;
    });
    stream.on("close", () => {
      this.isClosed = true;
    });
    stream.on("error", () => undefined);
  }

  send(...messages: readonly GnunetMessage[]): void {
    for (const message of messages) this.stream.write(encodeMessage(message));
  }
}

export interface PlayedDoors {
  readonly doors: GnunetDoors;
  readonly desk: PlayedDesk;
  readonly clock: ManualClock;
  /** Whether the core takes more; a test may change it. */
  readonly room: { has: boolean };
  dial(service: GnunetService, address?: string): TestParty;
}

export function playDoors(bounds: Partial<GnunetBounds> = {}): PlayedDoors {
  const desk = new PlayedDesk();
  const clock = new ManualClock();
  const room = { has: true };
  const doors = new GnunetDoors({
    ...{ desk, clock, time: gnunetTime, bounds: resolveGnunetBounds(bounds) },
    hasRoom: () => room.has,
  });
  return {
    ...{ doors, desk, clock, room },
    dial(service, address = "10.0.0.9:7/tcp") {
      const [ours, theirs] = duplexPair();
      // A pair, unlike a socket, does not tell one side that the other was destroyed.
      theirs.on("close", () => setImmediate(() => ours.destroy()));
      ours.on("close", () => setImmediate(() => theirs.destroy()));
      doors.accept(service, theirs, { address });
      return new TestParty(ours);
    },
  };
}

/** Lets streams hand through what was written. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

export const hello: GnunetMessage = {
  kind: "testbed-init",
  hostId: 0,
  eventMask: 0n,
  hostname: "127.0.0.1",
};

export function init(name = "b", quorum = 100): GnunetMessage {
  return { kind: "barrier-init", quorum, name };
}

export function wait(name = "b"): GnunetMessage {
  return { kind: "barrier-wait", name };
}

export function cancel(name = "b"): GnunetMessage {
  return { kind: "barrier-cancel", name };
}

export function crossed(name = "b") {
  return { kind: "barrier-status", status: "crossed", name } as const;
}

export function initialised(name = "b") {
  return { kind: "barrier-status", status: "initialised", name } as const;
}

export function failed(text: string, name = "b") {
  return { kind: "barrier-status", status: "error", name, text } as const;
}

export function createPeer(peerId: number, hostId = 0): GnunetMessage {
  const config = new Uint8Array(2);
  return {
    kind: "create-peer",
    hostId,
    operationId: BigInt(peerId),
    peerId,
    configBytes: 0,
    config,
  };
}

export function destroyPeer(peerId: number): GnunetMessage {
  return { kind: "destroy-peer", peerId, operationId: BigInt(100 + peerId) };
}
