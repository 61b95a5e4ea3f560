// SPDX-License-Identifier: MIT
// Goal: of the logs of a cluster on NATS one that was lost is told from one that was never made or
// is not restored yet, whatever number a server is told, and who is refused has made nothing.
// Method: a real nats-server; the logs are opened as by a server, one after the other, then what
// lies beside them, and the start ends behind each of the streams; then each is deleted alone.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { logsOf, makeBackup, readBackup } from "../../../src/engine/backup.ts";
import { LogError } from "../../../src/engine/log.ts";
import { restoreNats, saveNats } from "../../../src/engine/nats-backup.ts";
import { connectNats, type NatsLink } from "../../../src/engine/nats-connection.ts";
import { checkNatsLogs } from "../../../src/engine/nats-lost.ts";
import { parseNatsPlace } from "../../../src/engine/nats-place.ts";
import {
  checkSharedLogs,
  openLog,
  openPayloads,
  openSnapshots,
} from "../../../src/engine/open-log.ts";
import { systemClock as clock } from "../../../src/host/clock.ts";
import { NatsServer } from "../../../src/testing/nats-server.ts";

let server: NatsServer;
let connection: NatsConnection;
let made = 0;
beforeAll(async () => {
  server = await NatsServer.start();
  connection = await connect({ servers: server.address });
});
afterAll(async () => {
  await connection.close();
  await server.dispose();
});

/** A name of logs of its own for each test. */
class Logs {
  readonly stream: string;
  readonly at: string;

  constructor() {
    made += 1;
    this.stream = `t${made}`;
    this.at = `nats://${server.address}/${this.stream}`;
  }

  /** What a server does with so many logs before it opens them: why it ends, or nothing. */
  async refusal(count: number): Promise<string | undefined> {
    const before = await this.streams();
    const error: unknown = await checkSharedLogs(this.at, { count, clock }).catch(
      (reason: unknown) => reason,
    );
    expect(await this.streams()).toEqual(before);
    if (error === undefined) return undefined;
    expect(error).toBeInstanceOf(LogError);
    expect((error as LogError).definite).toBe(true);
    return (error as LogError).message;
  }

  /** Makes the first `steps` of the streams in the order of a start. */
  async make(count: number, steps = 3 * count): Promise<void> {
    const shards = Array.from({ length: count }, (_, index) => ({
      shard: { index, count },
      clock,
    }));
    const all = [
      ...shards.map((place) => () => openLog(this.at, clock, place)),
      ...shards.map((place) => () => openPayloads(this.at, place)),
      ...shards.map((place) => () => openSnapshots(this.at, place, () => undefined)),
    ];
    for (const step of all.slice(0, steps)) await (await step()).close();
  }

  /** With a text in each log, without which nothing would be missed of it. */
  async say(...names: readonly string[]): Promise<void> {
    for (const name of names) await connection.request(`muster.${name}.log`, "{}");
  }

  async streams(): Promise<readonly string[]> {
    const all = await (await jetstreamManager(connection)).streams.names().next();
    const isOurs = new RegExp(`^${this.stream}(-|$)`);
    return all.filter((name) => isOurs.test(name)).sort();
  }

  /** Of a shard, with what lies beside it. */
  async delete(index: number, suffixes: readonly string[] = ["", "-topics", "-snapshots"]) {
    const { streams } = await jetstreamManager(connection);
    for (const suffix of suffixes) await streams.delete(`${this.name(index)}${suffix}`);
  }

  name(index: number): string {
    return index === 0 ? this.stream : `${this.stream}-${index}`;
  }
}

const begin = "it was lost; delete what is left of the log";

describe("logs of a cluster on NATS", () => {
  it("O1: whose first start ended behind any of the streams are made by the next", async () => {
    for (const steps of [0, 1, 2, 3, 4, 6, 8, 9]) {
      const logs = new Logs();
      await logs.make(3, steps);
      expect(await logs.refusal(3)).toBeUndefined();
      await logs.make(3);
      expect(await logs.streams()).toHaveLength(9);
    }
  });

  it.each([
    [1, "-2 is there, shard 2 of 3, which is made after it"],
    [2, "-topics is there, which is made after it"],
  ])("O1: of which log %i was lost whole are refused", async (index, sign) => {
    const logs = new Logs();
    await logs.make(3);
    await logs.delete(index);
    const { stream } = logs;
    expect(await logs.refusal(3)).toContain(
      `NATS has no stream ${stream}-${index}, and ${stream}${sign}: ${begin}`,
    );
  });

  it.each([1, 2, 3, 4, 64])(
    "O2: of which the first was lost are refused to a server that is told %i",
    async (count) => {
      const logs = new Logs();
      await logs.make(3);
      await logs.delete(0);
      const { stream } = logs;
      expect(await logs.refusal(count)).toContain(
        `NATS has no stream ${stream}, and ${stream}-1 is there, shard 1 of 3, ` +
          "which is made after it: it was lost, or a restore of it has not ended; delete what is " +
          `left of the log (those that are called ${stream} or ${stream}-1 and so on, also with `,
      );
      await logs.delete(1);
      expect(await logs.refusal(count)).toContain(`and ${stream}-2 is there, shard 2 of 3`);
    },
  );

  it("O1: are refused when nothing but entries tells that one was lost", async () => {
    const logs = new Logs();
    await logs.make(3, 3);
    await logs.delete(2, [""]);
    expect(await logs.refusal(3)).toBeUndefined();
    await logs.say(logs.name(0));
    expect(await logs.refusal(3)).toContain(`and ${logs.stream} has entries up to 1, which are`);
  });

  it("are begun anew when all that was left of them is deleted, also in another number", async () => {
    const logs = new Logs();
    await logs.make(3);
    for (const index of [2, 0, 1]) await logs.delete(index);
    expect(await logs.refusal(2)).toBeUndefined();
    await logs.make(2);
    expect(await logs.refusal(2)).toBeUndefined();
    expect(await logs.refusal(3)).toContain("has 2 shards, and this server was told 3");
  });

  it("have nothing to do with logs of their own that are called like shards", async () => {
    const [logs, own] = [new Logs(), new Logs()];
    const other = `nats://${server.address}/${logs.stream}-1`;
    for (const open of [
      () => openLog(other, clock),
      () => openPayloads(other, { clock }),
      () => openSnapshots(other, { clock }, () => undefined),
    ]) {
      await (await open()).close();
    }
    await logs.say(logs.name(1));
    expect(await logs.refusal(1)).toBeUndefined();
    expect(await logs.refusal(2)).toContain(`${logs.stream}-1 of NATS is a log of its own`);
    await own.make(1);
    expect(await own.refusal(1)).toBeUndefined();
    await own.delete(0, [""]);
    expect(await own.refusal(1)).toContain(
      `and ${own.stream}-topics is there, which is made after it: restore the log`,
    );
  });

  it("that do not belong together are told so, and no number that is refused as well", async () => {
    const logs = new Logs();
    await logs.make(3);
    await logs.delete(0);
    // As by a Muster that looked at one after the other.
    await (await openLog(logs.at, clock, { shard: { index: 0, count: 2 } })).close();
    const message = `${logs.stream}-1 of NATS is shard 1 of 3, and the first log is one of 2: they`;
    expect(await logs.refusal(2)).toContain(message);
  });

  it("O3: are not taken for lost while others make them", async () => {
    for (let time = 1; time <= 5; time += 1) {
      const logs = new Logs();
      const start = async (): Promise<void> => {
        await checkSharedLogs(logs.at, { count: 4, clock });
        await logs.make(4);
      };
      await Promise.all(Array.from({ length: 4 }, start));
      expect(await logs.streams()).toHaveLength(12);
    }
  });
});

describe("a log that is made while it is looked for", () => {
  it("O3: is asked for again, and is not lost when it is there then", async () => {
    const logs = new Logs();
    await logs.make(3);
    const place = parseNatsPlace(logs.at);
    const link = await connectNats(place);
    const { streams } = link.manager;
    const asked: string[] = [];
    const find: typeof streams.find = (subject) => streams.find(subject);
    const info: typeof streams.info = async (name, options) => {
      asked.push(name);
      const times = asked.filter((one) => one === name).length;
      // The third time by who asks whether its subjects are somebody else's.
      if (name !== logs.name(1) || times === 2) return streams.info(name, options);
      throw Object.assign(new Error(), { name: "StreamNotFoundError" });
    };
    const slow = {
      ...link,
      manager: { streams: { info, find } } as unknown as NatsLink["manager"],
    };
    await checkNatsLogs({ link: slow, clock, place, count: 3 });
    expect(asked.filter((name) => name === logs.name(1)).length).toBe(3);
    await link.connection.close();
  });
});

describe("a restore of the logs of a cluster", () => {
  it("O2: that ended behind any of the streams but the last is found by any number", async () => {
    const folder = mkdtempSync(join(tmpdir(), "muster-lost-"));
    const target = await NatsServer.start();
    try {
      const logs = new Logs();
      await logs.make(3);
      const saved = join(folder, "saved");
      const fill = async (into: string) => ({
        ...{ kind: "nats" as const, of: logs.at },
        ...(await saveNats(parseNatsPlace(logs.at), into, clock)),
      });
      await makeBackup(saved, fill, 0);
      const list = await readBackup(saved);
      expect(logsOf(list)).toHaveLength(3);
      const there = await connect({ servers: target.address });
      const { streams } = await jetstreamManager(there);
      const whole = there.subscribe("$JS.EVENT.ADVISORY.STREAM.RESTORE_COMPLETE.>", { max: 9 });
      await there.flush();
      await restoreNats(parseNatsPlace(`nats://${target.address}/${logs.stream}`), saved, list);
      const order: string[] = [];
      for await (const { subject } of whole) order.push(subject.split(".").at(-1) ?? "");
      const check = (count: number): Promise<string | undefined> =>
        checkSharedLogs(`nats://${target.address}/${logs.stream}`, { count, clock }).then(
          () => undefined,
          (error: LogError) => error.message,
        );
      expect(await check(3)).toBeUndefined();
      // From the last that was made to the first: what is left each time is what a restore leaves.
      for (const name of order.reverse().slice(0, -1)) {
        await streams.delete(name);
        for (const count of [1, 2, 3]) {
          expect(await check(count)).toContain("it was lost, or a restore of it has not ended");
        }
      }
      await there.close();
    } finally {
      await target.dispose();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
