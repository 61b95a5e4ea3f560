// SPDX-License-Identifier: MIT
// Goal: what a reader of a log on NATS takes and what it reads anew (R1 to R6 of nats-tail.ts),
// whatever a broker sends when. Method: a link whose broker is this file, and a clock that the test
// moves; the same reader against real brokers is in nats-log.test.ts and in `npm run chaos`.
import { beforeEach, describe, expect, it } from "vitest";
import type { LogEntry } from "../../../src/core/command.ts";
import type { LogError } from "../../../src/engine/log.ts";
import type { NatsLink } from "../../../src/engine/nats-connection.ts";
import { natsChoiceMs, natsSettleMs, natsStaleMs } from "../../../src/engine/nats-limits.ts";
import { formatHeader, NatsTail } from "../../../src/engine/nats-tail.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";

interface Consumer {
  readonly name: string;
  readonly from: number;
  readonly hear: (message: object) => void;
  /** Messages that it has sent. */
  sent: number;
}

let clock: VirtualClock;
let entries: number[];
let lost: LogError[];
let consumers: Consumer[];
let deleted: string[];
/** Whether a copy of the stream is up to date. */
let isCurrent: boolean;
/** How long a consumer takes to be made, milliseconds. */
let makingMs: number;
/** The stream itself, as who leads it has it: stamps by sequence. */
let stream: Map<number, number>;
/** Messages that it sends before it is known to be there: sequences. */
let early: readonly number[];
let tail: NatsTail;

/** A message of the stream: entry `sequence`, stamped with `stampUs`. */
function send(consumer: Consumer, sequence: number, stampUs = sequence * 10): void {
  consumer.sent += 1;
  consumer.hear({
    reply: `$JS.ACK.s.${consumer.name}.1.${sequence}.${consumer.sent}.${stampUs}000.0`,
    headers: new Map([[formatHeader, "1"]]),
    data: new TextEncoder().encode('{"format":1,"batches":[]}'),
  });
}

function beat({ hear, sent }: Consumer): void {
  hear({ headers: new Map([["Nats-Last-Consumer", String(sent)]]), data: new Uint8Array() });
}

const last = (): Consumer => {
  const consumer = consumers.at(-1);
  if (consumer === undefined) throw new Error("no consumer was made");
  return consumer;
};

const link = (): NatsLink => {
  const hears = new Map<string, (error: null, message: object) => void>();
  const made = {
    connection: {
      subscribe: (inbox: string, { callback }: { callback: (e: null, m: object) => void }) => {
        hears.set(inbox, callback);
        return { unsubscribe: () => hears.delete(inbox) };
      },
      isClosed: () => false,
      publish: () => undefined,
    },
    manager: {
      streams: {
        getMessage: async (_: string, { seq }: { seq: number }) => {
          const stampUs = stream.get(seq);
          if (stampUs === undefined) throw new Error("no message found");
          const iso = new Date(Math.floor(stampUs / 1_000)).toISOString().slice(0, 19);
          return { timestamp: `${iso}.${String(stampUs % 1_000_000).padStart(6, "0")}789Z` };
        },
        info: async () => ({ cluster: { replicas: [{ current: isCurrent, offline: false }] } }),
      },
      consumers: {
        add: (_: string, config: { deliver_subject: string; opt_start_seq: number }) => {
          const consumer = {
            name: `c${consumers.length + 1}`,
            from: config.opt_start_seq,
            hear: (message: object) => hears.get(config.deliver_subject)?.(null, message),
            sent: 0,
          };
          consumers.push(consumer);
          for (const sequence of early) send(consumer, sequence);
          return new Promise((resolve) => clock.after(makingMs, () => resolve(consumer)));
        },
        delete: async (_: string, name: string) => deleted.push(name),
      },
    },
  };
  return made as unknown as NatsLink;
};

const pass = (ms: number): Promise<void> => clock.pass(ms * 1000);

beforeEach(async () => {
  clock = new VirtualClock();
  [entries, lost, consumers, deleted] = [[], [], [], []];
  [isCurrent, makingMs, early, stream] = [true, 100, [], new Map()];
  tail = new NatsTail({
    ...{ link: link(), stream: "s", from: 1, clock },
    deliver: (some: readonly LogEntry[]) => {
      entries.push(...some.map(({ sequence }) => sequence));
    },
    onLost: (error) => lost.push(error),
    onStopped: () => undefined,
  });
  await pass(300);
});

describe("a reader of a log on NATS", () => {
  it("R1, R2: takes entries in order, and begins anew where one is missing", async () => {
    send(last(), 1);
    send(last(), 2);
    last().sent += 1;
    send(last(), 4);
    await pass(300);
    expect([entries, consumers.length, deleted]).toEqual([[1, 2], 2, ["c1"]]);
    // From the one it has: that has to be the same still (R4).
    expect(last().from).toBe(2);
    for (const sequence of [2, 3, 4]) send(last(), sequence);
    await pass(100);
    expect([entries, lost]).toEqual([[1, 2, 3, 4], []]);
  });

  it("R2: begins anew when nothing is heard, and when a beat names more than has come", async () => {
    await pass(6_100);
    expect(consumers).toHaveLength(2);
    last().sent = 1;
    beat(last());
    await pass(300);
    expect(consumers).toHaveLength(3);
  });

  it("R3: ends where entries are gone", async () => {
    send(last(), 2);
    await pass(100);
    expect(lost.map(({ message, isCut }) => [message, isCut])).toEqual([
      ["entries 1 to 1 of the log on NATS are gone; restore the stream", true],
    ]);
  });

  it("R4: takes nothing from who was silent for longer than a choice may take", async () => {
    send(last(), 1);
    await pass(natsStaleMs);
    beat(last());
    send(last(), 2);
    await pass(natsStaleMs + 100);
    const deposed = last();
    send(deposed, 3);
    send(deposed, 4);
    await pass(300);
    expect([entries, consumers.length]).toEqual([[1, 2], 2]);
    for (const sequence of [2, 3]) send(last(), sequence);
    await pass(100);
    expect([entries, lost]).toEqual([[1, 2, 3], []]);
  });

  it("R4: ends when the stream holds another entry than it was given", async () => {
    send(last(), 1);
    tail.open();
    await pass(300);
    send(last(), 1, 99);
    send(last(), 2);
    await pass(100);
    expect([entries, lost.map(({ message }) => message)]).toEqual([
      [1],
      [expect.stringContaining("entry 1 of the log on NATS is another one")],
    ]);
    expect(lost[0]).toMatchObject({ isReplaced: true, isCut: false });
  });

  it("R4: asks the stream after trouble, and ends when an entry is another one there", async () => {
    for (const sequence of [1, 2, 3]) send(last(), sequence);
    await pass(0);
    tail.doubt();
    // What a leader that is about to be replaced has acknowledged and delivered.
    send(last(), 4, 1_700_000_000_123_456);
    await pass(0);
    tail.trust();
    for (let sequence = 1; sequence <= 3; sequence += 1) stream.set(sequence, sequence * 10);
    const beats = async (seconds: number): Promise<void> => {
      for (let second = 0; second < seconds; second += 1) {
        beat(last());
        await pass(1_000);
      }
    };
    // No such entry: whoever is asked may not have it yet.
    await beats(2);
    stream.set(4, 1_700_000_000_123_456);
    await beats(3);
    expect([entries, lost, consumers.length]).toEqual([[1, 2, 3, 4], [], 1]);
    stream.set(4, 1_700_000_000_123_457);
    await beats(10);
    expect(lost.map(({ message }) => message)).toEqual([
      expect.stringContaining("entry 4 of the log on NATS is another one"),
    ]);
  });

  it("R5: makes no consumer while a copy is behind, but for one that stays behind", async () => {
    isCurrent = false;
    tail.open();
    await pass(natsSettleMs - 500);
    expect(consumers).toHaveLength(1);
    isCurrent = true;
    await pass(500);
    expect(consumers).toHaveLength(2);
    isCurrent = false;
    tail.open();
    await pass(natsSettleMs + 1_000);
    expect(consumers).toHaveLength(3);
  });

  it("R6: waits for a consumer that takes long to be made, and has what it said before", async () => {
    // So that the look for silence comes shortly before the consumer does.
    await pass(2_400);
    makingMs = natsChoiceMs - 500;
    early = [1, 2];
    tail.open();
    await pass(natsChoiceMs + 500);
    expect([entries, consumers.length]).toEqual([[1, 2], 2]);
    send(last(), 3);
    await pass(natsStaleMs - 500);
    expect([entries, consumers.length]).toEqual([[1, 2, 3], 2]);
  });

  it("R4: takes nothing from a consumer that took as long to be made as a choice", async () => {
    makingMs = natsChoiceMs + 200;
    early = [1, 2];
    tail.open();
    await pass(natsChoiceMs);
    [makingMs, early] = [100, [1]];
    await pass(1_000);
    expect([entries, consumers.map(({ from }) => from)]).toEqual([[1], [1, 1, 1]]);
  });
});
