// SPDX-License-Identifier: MIT
// Several servers of one log (D3-D6, E5, V1, V2): parties meet across them, what ends with one is
// what was in its process, and one that was cut off finds out by reading its own end. Method: hosts
// of one log under virtual time, each with a cut of its own between it and the log.
import { describe, expect, it } from "vitest";
import type { Entry, LogEntry } from "../../../src/core/command.ts";
import type { EdgeEffect } from "../../../src/core/effect.ts";
import { resolveLimits } from "../../../src/core/limits.ts";
import { type Log, LogError, type LogReader } from "../../../src/engine/log.ts";
import { MemoryLog } from "../../../src/engine/memory-log.ts";
import type { CoreLink } from "../../../src/host/core-link.ts";
import { EdgeConnection } from "../../../src/host/edge-connection.ts";
import { Host } from "../../../src/host/host.ts";
import { silentLogger } from "../../../src/host/logger.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";
import { EdgeLink } from "../../../src/wire/link/edge-link.ts";
import { type CoreFrame, linkFormat, parseFrame } from "../../../src/wire/link/frames.ts";

const second = 1_000_000;
const limits = resolveLimits();

/** One server's way to the log, which may be cut. */
class CutLog implements Log {
  readonly durability = "none";
  isCut = false;
  /** What it appends is on its way for long. */
  isSlow = false;
  readonly #inner: Log;
  /** What reaches this server instead of an entry: a fault of memory, or of another build. */
  readonly #wrong: (entry: LogEntry) => LogEntry;
  #held: (() => void)[] = [];

  constructor(inner: Log, wrong: (entry: LogEntry) => LogEntry = (entry) => entry) {
    this.#inner = inner;
    this.#wrong = wrong;
  }

  /** It does not hear what is appended, and does not know of it when it is asked. */
  isBehind = false;
  /** So many of the next appends are taken, and lost: something else is in their places. */
  loses = 0;
  #lastHead = 0;

  append(entry: Entry): Promise<number> {
    if (this.loses > 0) {
      this.loses -= 1;
      return this.#inner.append({ format: 1, batches: [] });
    }
    if (this.isCut) return Promise.reject(new LogError("cut", { definite: true }));
    if (!this.isSlow) return this.#inner.append(entry);
    return new Promise((resolve, reject) => {
      this.#held.push(() => this.#inner.append(entry).then(resolve, reject));
    });
  }

  read(from: number, deliver: (entries: readonly LogEntry[]) => void): LogReader {
    return this.#inner.read(from, (stored) => {
      const entries = stored.map(this.#wrong);
      if (this.isCut || this.isBehind) this.#held.push(() => deliver(entries));
      else deliver(entries);
    });
  }

  mend(): void {
    [this.isCut, this.isSlow, this.isBehind] = [false, false, false];
    const held = this.#held;
    this.#held = [];
    for (const deliver of held) deliver();
  }

  async head(): Promise<number> {
    if (!this.isBehind) this.#lastHead = await this.#inner.head();
    return this.#lastHead;
  }

  fence(): Promise<number> {
    return this.isBehind ? this.#inner.append({ format: 1, batches: [] }) : this.head();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

interface Server {
  readonly host: Host;
  readonly log: CutLog;
  readonly failures: string[];
}

class Cluster {
  readonly clock = new VirtualClock();
  readonly entries: LogEntry[] = [];
  readonly #log = new MemoryLog({ nowUs: () => this.clock.nowUs() });
  #lives = 0;

  constructor() {
    this.#log.read(1, (entries) => this.entries.push(...entries));
  }

  async start(name: string, wrong?: (entry: LogEntry) => LogEntry): Promise<Server> {
    const server = await this.startUntold(name, wrong);
    await this.pass(10_000);
    return server;
  }

  /** It has read the log, and nobody has read that it has joined. */
  async startUntold(name: string, wrong?: (entry: LogEntry) => LogEntry): Promise<Server> {
    const log = new CutLog(this.#log, wrong);
    const failures: string[] = [];
    const host = new Host({
      ...{ log, limits, clock: this.clock, logger: silentLogger, server: name },
      newIncarnation: () => this.nextLife(),
      ...{ build: "1", digestEveryEntries: 20 },
      onFailed: (error) => failures.push(error.message),
    });
    await host.start();
    return { host, log, failures };
  }

  nextLife(): number {
    this.#lives += 1;
    return this.#lives;
  }

  pass(us: number): Promise<void> {
    return this.clock.pass(us);
  }
}

/** A door of old clients in the process of a server. */
function openDoor({ host }: Server) {
  const effects: EdgeEffect[] = [];
  const closed: string[] = [];
  const link: CoreLink = host.connectEdge("syncd", {
    onEffects: (some) => effects.push(...some),
    onClosed: (reason, isMomentary) => closed.push(isMomentary ? `for now: ${reason}` : reason),
  });
  return { link, effects, closed };
}

/** A client with a session, which may call any server. */
class Client {
  readonly effects: EdgeEffect[] = [];
  readonly link: EdgeLink;
  readonly #cluster: Cluster;
  #connection: EdgeConnection | undefined;
  isConnected = false;
  end: string | undefined;

  constructor(cluster: Cluster, name: string) {
    this.#cluster = cluster;
    this.link = new EdgeLink({
      ...{ edge: name, incarnation: cluster.nextLife(), limits, leaseUs: 30 * second },
      onWork: () => cluster.clock.endOfTurn(() => this.link.flush()),
      onEffects: (some) => this.effects.push(...some),
      onEnd: (reason) => {
        this.end = reason ?? "closed";
      },
    });
  }

  get kinds(): readonly string[] {
    return this.effects.map(({ kind }) => kind);
  }

  call({ host }: Server): void {
    const { clock } = this.#cluster;
    const queue: string[] = [];
    let isOpen = true;
    const connection: EdgeConnection = new EdgeConnection({
      ...{ host, logger: silentLogger, queueBytesMax: 1_000_000 },
      admit: ({ edge }) => ({ edge, rights: { kind: "all" } }),
      transport: {
        get isOpen() {
          return isOpen;
        },
        queuedBytes: 0,
        send: (text) => {
          if (queue.push(text) > 1) return;
          clock.endOfTurn(() => {
            for (const frame of queue.splice(0)) {
              if (isOpen) this.link.receive(parseFrame(frame) as CoreFrame);
            }
          });
        },
        end: () => this.hangUp(),
        destroy: () => {
          isOpen = false;
          if (this.#connection === connection) this.hangUp();
        },
      },
    });
    this.#connection = connection;
    this.isConnected = true;
    this.link.connected((frame) => {
      clock.endOfTurn(() => {
        if (isOpen) connection.receive(JSON.parse(JSON.stringify(frame)));
      });
    });
  }

  hangUp(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    this.isConnected = false;
    this.link.disconnected();
    connection?.closed();
  }
}

const place = { scope: "s", barrier: "b" } as const;
const who = { address: "a" } as const;
const wait = (connection: number) =>
  ({ kind: "count-wait", ...place, connection, who, error: 0 }) as const;
const init = (count: number) =>
  ({ kind: "count-init", ...place, connection: 99, who, error: 0, count, waits: false }) as const;
const releases = (effects: readonly EdgeEffect[]): readonly (readonly number[])[] =>
  effects.flatMap((effect) => (effect.kind === "released" ? [effect.connections] : []));

/** What somebody says who may come as any edge. @returns what is said to him */
function stranger({ host }: Server) {
  const heard: string[] = [];
  const ends: string[] = [];
  const connection = new EdgeConnection({
    ...{ host, logger: silentLogger, queueBytesMax: 1_000_000 },
    admit: ({ edge }) => ({ edge, rights: { kind: "all" } }),
    transport: {
      get isOpen() {
        return ends.length === 0;
      },
      queuedBytes: 0,
      send: (text) => void heard.push(text),
      end: () => void ends.push("end"),
      destroy: () => void ends.push("destroy"),
    },
  });
  const hello = (edge: string, acknowledged: number, seen = 0): void =>
    connection.receive({
      ...{ kind: "hello", format: linkFormat, edge, incarnation: 1 },
      ...{ acknowledged, seen },
    });
  return { heard, ends, hello };
}

describe("several servers of a log", () => {
  it("let in one edge of a link, also while it is looked for what another server knows", async () => {
    const cluster = new Cluster();
    const a = await cluster.start("a");
    const { heard, ends, hello } = stranger(a);
    hello("one", 1);
    hello("other", 0);
    await cluster.pass(100_000);
    expect([heard, ends]).toEqual([[], ["destroy"]]);
  });

  it("let parties of one barrier meet, whichever server each of them uses", async () => {
    const cluster = new Cluster();
    const [a, b, c] = [
      await cluster.start("a"),
      await cluster.start("b"),
      await cluster.start("c"),
    ];
    const [door, other] = [openDoor(a), openDoor(b)];
    const client = new Client(cluster, "client");
    client.call(c);
    door.link.submit(wait(1));
    other.link.submit(wait(1));
    client.link.submit(wait(7));
    await cluster.pass(100_000);
    expect([door.effects, other.effects, client.effects].map(releases)).toEqual([[], [], []]);
    door.link.submit(init(3));
    await cluster.pass(100_000);
    expect([door.effects, other.effects, client.effects].map(releases)).toEqual([
      [[1]],
      [[1]],
      [[7]],
    ]);
    expect(new Set([a, b, c].map(({ host }) => host.digest())).size).toBe(1);
  });

  it("lose with a server that died what was in its process, when its lease is over (E5)", async () => {
    const cluster = new Cluster();
    const [a, b] = [await cluster.start("a"), await cluster.start("b")];
    const door = openDoor(a);
    const client = new Client(cluster, "client");
    client.call(a);
    door.link.submit(wait(1));
    client.link.submit(wait(7));
    await cluster.pass(100_000);
    a.host.abandon();
    await cluster.pass(8 * second);
    expect(b.host.figures().waiters).toBe(2);
    await cluster.pass(4 * second);
    expect(b.host.figures().waiters).toBe(1);
    // Its session has a lease of its own from there on, and goes on at the other server.
    client.hangUp();
    await cluster.pass(20 * second);
    client.call(b);
    await cluster.pass(20 * second);
    openDoor(b).link.submit(init(1));
    await cluster.pass(100_000);
    expect(releases(client.effects)).toEqual([[7]]);
    expect(client.kinds.filter((kind) => kind === "released")).toHaveLength(1);
  });

  it("end a session whose client comes back to none of them", async () => {
    const cluster = new Cluster();
    const [a, b] = [await cluster.start("a"), await cluster.start("b")];
    const client = new Client(cluster, "client");
    client.call(a);
    client.link.submit(wait(7));
    await cluster.pass(100_000);
    a.host.abandon();
    await cluster.pass(39 * second);
    expect(b.host.figures().waiters).toBe(1);
    await cluster.pass(4 * second);
    expect(b.host.figures().waiters).toBe(0);
  });

  it("take nothing from a server that was cut off for too long, which joins anew", async () => {
    const cluster = new Cluster();
    const [a, b] = [await cluster.start("a"), await cluster.start("b")];
    const door = openDoor(a);
    const client = new Client(cluster, "client");
    client.call(a);
    await cluster.pass(100_000);
    a.log.isCut = true;
    door.link.submit(wait(1));
    client.link.submit(wait(7));
    await cluster.pass(15 * second);
    a.log.mend();
    await cluster.pass(3 * second);
    const why = "for now: the core ended this edge: the other servers took this one as ended";
    expect(door.closed).toEqual([why]);
    expect(client.isConnected).toBe(false);
    expect(b.host.figures().waiters).toBe(0);
    expect(a.failures).toEqual([]);
    // Both are as good as new: the client by itself, the door by joining again.
    client.call(a);
    openDoor(a).link.submit(init(1));
    await cluster.pass(100_000);
    expect(releases(client.effects)).toEqual([[7]]);
    expect(a.host.digest()).toBe(b.host.digest());
  });

  it("ignore what an ended server appended for others, which is said again (E5)", async () => {
    const cluster = new Cluster();
    const [a, b] = [await cluster.start("a"), await cluster.start("b")];
    const client = new Client(cluster, "client");
    client.call(a);
    await cluster.pass(100_000);
    a.log.isSlow = true;
    client.link.submit(wait(7));
    await cluster.pass(15 * second);
    a.log.mend();
    await cluster.pass(100_000);
    expect([client.isConnected, b.host.figures().waiters]).toEqual([false, 0]);
    client.call(b);
    openDoor(b).link.submit(init(1));
    await cluster.pass(100_000);
    expect(releases(client.effects)).toEqual([[7]]);
  });

  it("do not end a server that is cut off for less than its lease", async () => {
    const cluster = new Cluster();
    const [a, b] = [await cluster.start("a"), await cluster.start("b")];
    const door = openDoor(a);
    await cluster.pass(100_000);
    a.log.isCut = true;
    door.link.submit(wait(1));
    await cluster.pass(8 * second);
    a.log.mend();
    await cluster.pass(2 * second);
    expect(door.closed).toEqual([]);
    openDoor(b).link.submit(init(1));
    await cluster.pass(100_000);
    expect(releases(door.effects)).toEqual([[1]]);
  });

  it("stop the first of two servers with one name", async () => {
    const cluster = new Cluster();
    const first = await cluster.start("a");
    const door = openDoor(first);
    await cluster.pass(100_000);
    const second = await cluster.start("a");
    expect(first.failures).toEqual([expect.stringContaining("another server named a has joined")]);
    expect(second.failures).toEqual([]);
    expect(door.closed).toHaveLength(1);
  });

  it("take for no other server what one that was killed had sent, and the log takes late (V3)", async () => {
    const cluster = new Cluster();
    const other = await cluster.start("b");
    const killed = await cluster.start("a");
    // Its lease ends, it joins anew, and that is on its way for long.
    killed.log.isCut = true;
    await cluster.pass(12 * second);
    killed.log.mend();
    killed.log.isSlow = true;
    await cluster.pass(second);
    killed.host.abandon();
    const next = await cluster.start("a");
    const door = openDoor(next);
    await cluster.pass(100_000);
    killed.log.mend();
    await cluster.pass(100_000);
    expect([next.failures, door.closed.length]).toEqual([[], 1]);
    // It is there as it was before.
    const again = openDoor(next);
    again.link.submit(wait(1));
    await cluster.pass(100_000);
    openDoor(other).link.submit(init(1));
    await cluster.pass(100_000);
    expect(releases(again.effects)).toEqual([[1]]);
  });

  it("stop one of two of a name that join at once (V3)", async () => {
    const cluster = new Cluster();
    const both = await Promise.all([cluster.startUntold("a"), cluster.startUntold("a")]);
    await cluster.pass(30 * second);
    const ended = both.flatMap(({ failures }) => failures);
    expect(ended).toEqual([expect.stringContaining("another server named a has joined")]);
  });

  it("keep one session in one place: the server that it left hangs up, and says nothing late", async () => {
    const cluster = new Cluster();
    const [a, b] = [await cluster.start("a"), await cluster.start("b")];
    const client = new Client(cluster, "client");
    client.call(a);
    client.link.submit(wait(7));
    await cluster.pass(100_000);
    // The connection to the first is not closed by anybody, only replaced.
    client.call(b);
    await cluster.pass(60 * second);
    openDoor(a).link.submit(init(1));
    await cluster.pass(100_000);
    expect(releases(client.effects)).toEqual([[7]]);
    expect(client.end).toBeUndefined();
  });

  it("know at once what the last server of a session knew", async () => {
    const cluster = new Cluster();
    const [a, b] = [await cluster.start("a"), await cluster.start("b")];
    const client = new Client(cluster, "client");
    client.call(a);
    await cluster.pass(100_000);
    // The second is a little behind when the client comes with what the first has acknowledged.
    b.log.isCut = true;
    client.link.submit(wait(7));
    await cluster.pass(100_000);
    client.hangUp();
    client.call(b);
    await cluster.pass(1_000);
    expect(client.end).toBeUndefined();
    b.log.mend();
    await cluster.pass(100_000);
    openDoor(a).link.submit(init(1));
    await cluster.pass(100_000);
    expect(releases(client.effects)).toEqual([[7]]);
    expect(client.end).toBeUndefined();
  });

  it("let a session in, which looks around, when they have read what it was told elsewhere", async () => {
    const cluster = new Cluster();
    const server = await cluster.start("a");
    const { heard, hello } = stranger(server);
    server.log.isBehind = true;
    hello("session", 0, server.host.sequence + 1);
    await cluster.pass(100_000);
    expect(heard).toEqual([]);
    server.log.mend();
    await cluster.pass(100_000);
    expect(heard).toMatchObject([expect.stringContaining("welcome")]);
  });

  it("do not take a session for ended because the log was asked where it ends, and did not know", async () => {
    const cluster = new Cluster();
    const [a, b] = [await cluster.start("a"), await cluster.start("b")];
    const client = new Client(cluster, "client");
    b.log.isBehind = true;
    client.call(a);
    client.link.submit(wait(7));
    await cluster.pass(100_000);
    client.hangUp();
    client.call(b);
    await cluster.pass(100_000);
    expect(client.end).toBeUndefined();
    b.log.mend();
    await cluster.pass(100_000);
    openDoor(a).link.submit(init(1));
    await cluster.pass(100_000);
    expect([releases(client.effects), client.end]).toEqual([[[7]], undefined]);
  });

  it("append again what the log took and lost, with all that came behind it (H2, Q1)", async () => {
    const cluster = new Cluster();
    const [a, b] = [await cluster.start("a"), await cluster.start("b")];
    const door = openDoor(a);
    await cluster.pass(100_000);
    a.log.loses = 1;
    door.link.submit(wait(7));
    await cluster.pass(1_000);
    door.link.submit(wait(8));
    await cluster.pass(5 * second);
    openDoor(b).link.submit(init(2));
    await cluster.pass(100_000);
    expect(releases(door.effects).flat().toSorted()).toEqual([7, 8]);
    expect([a.failures, door.closed]).toEqual([[], []]);
  });

  it("tick once a second together, whatever their number (V2), and each says that it lives (V1)", async () => {
    const cluster = new Cluster();
    for (const name of ["a", "b", "c", "d"]) await cluster.start(name);
    const before = cluster.entries.length;
    await cluster.pass(60 * second);
    const later = cluster.entries.slice(before).map(({ entry }) => entry.server?.edge);
    const count = (name: string): number =>
      later.filter((edge) => edge === `server/${name}`).length;
    expect(later.length).toBeLessThan(60 + 4 * 20);
    expect(count("a")).toBeGreaterThan(40);
    for (const name of ["b", "c", "d"]) {
      expect(count(name)).toBeGreaterThanOrEqual(17);
      expect(count(name)).toBeLessThan(30);
    }
  });

  it("go on ticking when the first of them is gone", async () => {
    const cluster = new Cluster();
    const [a, b] = [await cluster.start("a"), await cluster.start("b")];
    a.host.abandon();
    const beforeUs = b.host.nowUs;
    await cluster.pass(60 * second);
    expect(b.host.nowUs - beforeUs).toBeGreaterThan(55 * second);
  });

  it("begin where a killed server of the same name ended, without waiting for its lease", async () => {
    const cluster = new Cluster();
    const a = await cluster.start("a");
    const door = openDoor(a);
    const client = new Client(cluster, "client");
    client.call(a);
    door.link.submit(wait(1));
    client.link.submit(wait(7));
    await cluster.pass(100_000);
    a.host.abandon();
    client.hangUp();
    const again = await cluster.start("a");
    expect(again.host.figures().waiters).toBe(1);
    client.call(again);
    openDoor(again).link.submit(init(1));
    await cluster.pass(100_000);
    expect(releases(client.effects)).toEqual([[7]]);
  });

  it("keep for other servers' sessions no more than they have not had", async () => {
    const cluster = new Cluster();
    const [a, b] = [await cluster.start("a"), await cluster.start("b")];
    const client = new Client(cluster, "client");
    client.call(a);
    for (let round = 101; round <= 300; round += 1) {
      client.link.submit({ ...wait(round), barrier: `b${round}` });
      client.link.submit({ ...init(1), barrier: `b${round}` });
      await cluster.pass(10_000);
    }
    await cluster.pass(second);
    const incarnation = 3;
    expect(b.host.keptFor({ edge: "client", incarnation }, 0).length).toBeLessThan(128);
    expect(releases(client.effects)).toHaveLength(200);
  });

  it("compare their states, and those stop that are not with most of them (D11, G1)", async () => {
    const cluster = new Cluster();
    const skewed = (entry: LogEntry): LogEntry =>
      entry.sequence === 30 ? { ...entry, stampUs: entry.stampUs + 10 * second } : entry;
    const [a, b] = [await cluster.start("a", skewed), await cluster.start("b")];
    const c = await cluster.start("c");
    await cluster.pass(60 * second);
    expect(a.failures).toEqual([
      expect.stringMatching(/another state than server\/[bc], server\/[bc] at entry 40 of the log/),
    ]);
    expect([b, c].flatMap(({ failures }) => failures)).toEqual([]);
  });

  it("compare a server that reads the log again with what was said then", async () => {
    const cluster = new Cluster();
    const [a] = [await cluster.start("a"), await cluster.start("b")];
    await cluster.pass(60 * second);
    const skewed = (entry: LogEntry): LogEntry =>
      entry.sequence === 30 ? { ...entry, stampUs: entry.stampUs + 10 * second } : entry;
    await expect(cluster.start("c", skewed)).rejects.toThrow("another state");
    expect(a.failures).toEqual([]);
  });
});

/** Of a state with one scope. */
