// SPDX-License-Identifier: MIT
// The log on NATS, with a real nats-server: the suite of every log, and what can happen to it: a
// broker that is killed, paused, full, of another make or not there at all, and entries of all
// sizes. Each test has a stream of its own.
import { connect, headers } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Entry, LogEntry } from "../../../src/core/command.ts";
import { type Log, LogError } from "../../../src/engine/log.ts";
import { natsCommandBytesMax } from "../../../src/engine/nats-limits.ts";
import { mayCut, NatsLog } from "../../../src/engine/nats-log.ts";
import { maskNatsName, parseNatsPlace, placeOfPlan } from "../../../src/engine/nats-place.ts";
import { checkLogName } from "../../../src/engine/open-log.ts";
import { sleep, systemClock } from "../../../src/host/clock.ts";
import { NatsServer } from "../../../src/testing/nats-server.ts";
import { declareLogSuite, type LogBench } from "../../../src/testing/suites/log-suite.ts";

let server: NatsServer;
let streams = 0;
beforeAll(async () => {
  server = await NatsServer.start();
});
afterAll(() => server.dispose());

const open = (name: string): Promise<NatsLog> =>
  NatsLog.open({ place: parseNatsPlace(name), clock: systemClock });
const newName = (at = server): string => {
  streams += 1;
  return `nats://${at.address}/test${streams}`;
};
const entry = (number: number, commands: Entry["batches"][number]["commands"] = []): Entry => ({
  format: 1,
  batches: [{ edge: "e", incarnation: 1, number, commands }],
});

async function failure(act: Promise<unknown>): Promise<LogError> {
  const error: unknown = await act.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(LogError);
  return error as LogError;
}

/** The first `count` entries from a place on. */
function collect(log: NatsLog, count: number, from = 1): Promise<readonly LogEntry[]> {
  const entries: LogEntry[] = [];
  return new Promise((resolve, reject) => {
    const reader = log.read(
      from,
      (some) => {
        entries.push(...some);
        if (entries.length < count) return;
        reader.stop();
        resolve(entries);
      },
      reject,
    );
  });
}

/** A log whose readers are known, so that a test can wait until each has what is stored. */
function watched(log: NatsLog): { readonly log: Log; settle(): Promise<void> } {
  const places = new Set<{ next: number }>();
  const { durability } = log;
  const read: Log["read"] = (from, deliver, onLost) => {
    const place = { next: from };
    places.add(place);
    const reader = log.read(
      from,
      (entries) => {
        place.next += entries.length;
        deliver(entries);
      },
      onLost,
    );
    const stop = (): void => {
      places.delete(place);
      reader.stop();
    };
    return { stop };
  };
  const close = (): Promise<void> => {
    places.clear();
    return log.close();
  };
  return {
    log: { durability, read, close, append: (one) => log.append(one), head: () => log.head() },
    async settle() {
      // Everything that is on its way was sent before this question.
      const head = await log.head().catch(() => 0);
      while ([...places].some(({ next }) => next <= head)) await endOfTurn();
      await endOfTurn();
    },
  };
}

const endOfTurn = (): Promise<void> => new Promise((resolve) => systemClock.endOfTurn(resolve));

const runner = {
  it: (title: string, run: () => Promise<void>): void => {
    it(title, run);
  },
  equal: (actual: unknown, expected: unknown): void => {
    expect(actual).toEqual(expected);
  },
};

describe("NatsLog", () => {
  const create = async (): Promise<LogBench> => {
    const bench = watched(await open(newName()));
    return { ...bench, dispose: () => bench.log.close() };
  };
  declareLogSuite({ create, retains: true, fails: false }, runner);

  it("cuts large entries between commands, and refuses what no message can carry", async () => {
    const log = await open(newName());
    const small = { kind: "open-scope", scope: "s", nodes: ["n".repeat(3_000)] } as const;
    const large = { kind: "open-scope", scope: "l", nodes: ["ü".repeat(100_000)] } as const;
    const hopeless = { ...large, nodes: ["n".repeat(natsCommandBytesMax)] };
    const commands = [...Array.from({ length: 20 }, () => small), large, hopeless, small];
    const sequence = await log.append(entry(1, commands));
    const stored = await collect(log, sequence);
    const batches = stored.flatMap((one) => one.entry.batches);
    expect(batches.map(({ from, more }) => [from, more ?? false])).toEqual([
      [0, true],
      [5, true],
      [10, true],
      [15, true],
      [20, true],
      [21, false],
    ]);
    const refusal = { kind: "refuse", connection: 0, code: "limit" };
    expect(batches.flatMap((batch) => batch.commands)).toEqual([
      ...commands.slice(0, 21),
      expect.objectContaining(refusal),
      small,
    ]);
    await log.close();
  });

  it("J4: is cut when it has one copy, or brokers that keep the rest when they start again", () => {
    const versions = ["2.9.10", "2.9.17", "2.9.18", "2.10.0"];
    expect(versions.map((version) => mayCut(version, 3))).toEqual([false, false, true, true]);
    expect(mayCut("2.9.10", 1)).toBe(true);
  });

  it("gives what others wrote into its stream a place and no meaning", async () => {
    const name = newName();
    const log = await open(name);
    const other = await connect({ servers: server.address });
    other.publish(`muster.${parseNatsPlace(name).stream}.log`, "hello");
    await other.flush();
    await log.append(entry(1));
    const [foreign, own] = await collect(log, 2);
    expect([foreign?.entry.batches, own?.entry]).toEqual([[], entry(1)]);
    await Promise.all([other.close(), log.close()]);
  });

  it("shows the clock of the broker by what it stamped", async () => {
    const log = await open(newName());
    expect(log.clockUs()).toBeUndefined();
    const reading = collect(log, 1);
    const sinceUs = systemClock.nowUs();
    await log.append(entry(1));
    const [stored] = await reading;
    await log.append(entry(2));
    const aheadUs = (log.clockUs() ?? 0) - (stored?.stampUs ?? 0);
    expect(aheadUs).toBeGreaterThan(-1_000_000);
    expect(aheadUs).toBeLessThan(systemClock.nowUs() - sinceUs + 1_000_000);
    await log.close();
  });

  it("refuses what is full, definitely, and goes on when there is room", async () => {
    const name = newName();
    const log = await open(name);
    const { stream } = parseNatsPlace(name);
    const { streams: manager } = log.link.manager;
    await manager.update(stream, { max_bytes: 2_000 });
    for (let number = 1; ; number += 1) {
      const error = await log.append(entry(number)).catch((reason: unknown) => reason);
      if (typeof error === "number") continue;
      expect(error).toMatchObject({ definite: true });
      expect(String(error)).toContain(`the stream ${stream} of NATS is full`);
      break;
    }
    await manager.update(stream, { max_bytes: -1 });
    expect(await log.append(entry(1))).toBeGreaterThan(1);
    await log.close();
  });
});

describe("opening a log on NATS", () => {
  const messageOf = async (name: string): Promise<string> => {
    const error = await failure(open(name));
    expect(error.definite).toBe(true);
    return error.message;
  };

  it("says when there is no broker, no JetStream, or no way in", async () => {
    expect(await messageOf("nats://127.0.0.1:1")).toContain("cannot be reached");
    const bare = await NatsServer.start({ hasJetStream: false });
    expect(await messageOf(newName(bare))).toContain("start it with 'nats-server -js'");
    await bare.dispose();
    const closed = await NatsServer.start({
      config: 'authorization: { user: "muster", password: "sesame" }',
    });
    expect(await messageOf(newName(closed))).toContain("give --nats-creds FILE");
    const wrong = await messageOf(`nats://muster:other@${closed.address}`);
    expect(wrong).toContain("does not let us in");
    expect(wrong).not.toContain("other");
    const log = await open(`nats://muster:sesame@${closed.address}`);
    expect(await log.append(entry(1))).toBe(1);
    await log.close();
    await closed.dispose();
    const small = await NatsServer.start({ config: "max_payload: 100000" });
    expect(await messageOf(newName(small))).toContain("set max_payload to");
    await small.dispose();
  });

  it("says when the stream is another's, newer, or has other replicas", async () => {
    const { manager, connection } = (await open(newName())).link;
    const make = async (description: string): Promise<string> => {
      const name = newName();
      const { stream } = parseNatsPlace(name);
      await manager.streams.add({
        ...{ name: stream, subjects: [`muster.${stream}.log`], description, discard: "new" },
      });
      return name;
    };
    expect(await messageOf(await make("orders"))).toContain("is not a Muster log ('orders')");
    expect(await messageOf(await make("a Muster log, format 2"))).toContain("a newer Muster");
    expect(await messageOf(`${newName()}?replicas=3`)).toContain("NATS has one server");
    const name = newName();
    await (await open(name)).close();
    expect(await messageOf(`${name}?replicas=3`)).toContain("has 1 replicas, not 3");
    await connection.close();
  });

  it.each(["topics", "snapshots"])(
    "is not made anew beside %s of one that is gone",
    async (part) => {
      const name = newName();
      const log = await open(name);
      const { stream } = parseNatsPlace(name);
      const { streams: manager } = log.link.manager;
      const beside = `${stream}-${part}`;
      await manager.add({ name: beside, subjects: [beside] });
      await (await open(name)).close();
      await manager.delete(stream);
      const expectRefused = async (what: string): Promise<void> => {
        const message = `NATS has no stream ${stream}, and ${beside} ${what}`;
        expect((await failure(open(name))).message).toContain(message);
        expect((await failure(NatsLog.check(parseNatsPlace(name)))).message).toContain(message);
      };
      await expectRefused("is there, which is made after it: restore the log");
      await log.link.connection.request(beside, "a message");
      await expectRefused("has messages up to 1 of it: restore the log");
      await manager.delete(beside);
      await (await open(name)).close();
      await log.close();
    },
  );

  it("stops reading at an entry of a newer format, and where entries are gone", async () => {
    const name = newName();
    const log = await open(name);
    const { stream } = parseNatsPlace(name);
    await log.append(entry(1));
    const marks = headers();
    marks.set("Muster-Format", "2");
    log.link.connection.publish(`muster.${stream}.log`, "{}", { headers: marks });
    expect((await failure(collect(log, 2))).message).toContain("written by a newer Muster");
    await log.link.manager.streams.purge(stream, { keep: 1 });
    expect((await failure(collect(log, 1))).message).toContain("entries 1 to 1 of the log");
    await log.close();
  });

  it.each([
    ["nats:", "is named"],
    ["nats://a b:1", "is no HOST:PORT"],
    ["nats://h:1/a.b", "is no name of a stream"],
    ["nats://h:1?replicas=2", "give 1, 3 or 5"],
    ["nats://h:1?replicas=3&replicas=1", "replicas= is there twice; give it once"],
    ["nats://h:1?replicas=3&replicas=3", "replicas= is there twice; give it once"],
    ["nats://h:1,/m", "'h:1,' has a comma without a HOST:PORT"],
    ["nats://h:1,,i:1/m", "'h:1,,i:1' has a comma without a HOST:PORT"],
    ["nats://,h:1/m", "',h:1' has a comma without a HOST:PORT"],
    ["nats://h:1?domain=a.b", "give the name of the domain"],
    ["nats://h:1?replicsa=3", "there is no 'replicsa'"],
    ["nats:tls://h:1?cert=x", "give cert= and key= together"],
    ["nats:tls://h:1?ca=/nowhere/ca.pem", "cannot be read"],
    ["nats:tls://h:1?ca=/dev/zero", "larger than 2 MiB"],
    ["nats://u:100%@h:1", "write %25 for the % itself"],
    ["nats://h:65536/m", "'h:65536' is no HOST:PORT"],
    ["nats://h:0/m", "'h:0' is no HOST:PORT"],
  ])("refuses the name %s", (name, message) => {
    expect(() => parseNatsPlace(name)).toThrow(message);
  });

  it("reads names with several brokers, an account and a stream", () => {
    expect(parseNatsPlace("nats://u:p%40:q@a:1,[::1]:2/s?replicas=3&creds=/f")).toEqual({
      ...{ servers: ["a:1", "[::1]:2"], stream: "s", replicas: 3, user: "u", password: "p@:q" },
      credentialsFile: "/f",
    });
    expect(parseNatsPlace("nats:h")).toEqual({ servers: ["h"], stream: "muster", replicas: 1 });
    expect(maskNatsName("nats://u:p@a:1/s")).toBe("nats://***@a:1/s");
    expect(maskNatsName("nats:u:p@a:1")).toBe("nats:***@a:1");
    expect(() => checkLogName("natz://u:p@a:1/s")).toThrow("there is no log 'natz://***@a:1/s'");
  });

  it("gives each experiment a stream of its own for its plan, however it is called", () => {
    const streamOf = (experiment: string): string =>
      placeOfPlan(parseNatsPlace("nats:h/lab"), experiment).stream;
    const longest = "a".repeat(63);
    const names = ["a-b/c", "a/b-c", "a_b/c", `${longest}/b`, `${longest}/c`].map(streamOf);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^lab-plan-[A-Za-z0-9-]{1,32}-[0-9a-f]{12}$/);
    expect(streamOf("pp/ee")).toBe("lab-plan-pp-ee-aab5fc20ae8a");
  });
});

/** Appends until the log takes it. */
async function appendAtLast(log: NatsLog, number: number): Promise<number> {
  for (;;) {
    const sequence = await log.append(entry(number)).catch(() => 0);
    if (sequence > 0) return sequence;
    await pause();
  }
}

/** Appends, and kills a broker in the midst of it, `lives` times; then all that counts is there. */
async function loseNothing(
  log: NatsLog,
  lives: number,
  { kill, mend }: { readonly kill: () => Promise<void>; readonly mend: () => Promise<void> },
): Promise<void> {
  const seen: LogEntry[] = [];
  log.read(1, (entries) => seen.push(...entries));
  const acknowledged = new Map<number, number>();
  for (let life = 1; life <= lives; life += 1) {
    const appends = Array.from({ length: 200 }, async (_, index) => {
      const number = life * 1_000 + index;
      const sequence = await log.append(entry(number)).catch(() => 0);
      if (sequence > 0) acknowledged.set(sequence, number);
    });
    await appends[20 * life];
    await kill();
    await Promise.all(appends);
    await mend();
    acknowledged.set(await appendAtLast(log, life), life);
  }
  const head = await log.head();
  while (seen.length < head) await pause();
  expect(seen.map(({ sequence }) => sequence)).toEqual(
    Array.from({ length: head }, (_, index) => index + 1),
  );
  for (const [sequence, number] of acknowledged) {
    expect(seen[sequence - 1]?.entry).toEqual(entry(number));
  }
  expect(acknowledged.size).toBeGreaterThan(20 * lives);
}

describe("a broker that ends", () => {
  it("loses nothing that was acknowledged, and readers go on by themselves", async () => {
    const broker = await NatsServer.start();
    const log = await open(newName(broker));
    await loseNothing(log, 3, {
      kill: () => broker.kill(),
      async mend() {
        expect((await failure(log.append(entry(1)))).definite).toBe(true);
        await broker.startAgain();
      },
    });
    await log.close();
    await broker.dispose();
  });

  it("is replaced by another of its cluster, which has all that was acknowledged", async () => {
    const brokers = await NatsServer.startThree();
    const addresses = brokers.map(({ address }) => address).join(",");
    const name = `nats://${addresses}/test?replicas=3`;
    const log = await open(name);
    expect(log.durability).toContain("3 copies");
    let killed: NatsServer | undefined;
    await loseNothing(log, 1, {
      async kill() {
        const { cluster } = await log.link.manager.streams.info("test");
        killed = brokers[Number(cluster?.leader?.slice(1))];
        await killed?.kill();
      },
      mend: async () => {
        await appendAtLast(log, 7);
        await killed?.startAgain();
      },
    });
    await log.close();
    await Promise.all(brokers.map((broker) => broker.dispose()));
  });
});

const pause = (): Promise<void> => sleep(systemClock, 20);
