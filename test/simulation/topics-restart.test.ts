// SPDX-License-Identifier: MIT
// Goal: topics outlive a core that dies at any moment: what was acknowledged is there once, in its
// order and as it was written, and nothing else is kept. Method: one scenario on an SQLite log with
// its messages beside it; the core is killed at every position of the log, before and after the
// append, and the files are opened again; a message that lost its entry, and files that do not
// belong together, are among what it must find.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, describe, expect, it } from "vitest";
import type { Command, Entry, LogEntry } from "../../src/core/command.ts";
import type { EdgeEffect } from "../../src/core/effect.ts";
import { resolveLimits } from "../../src/core/limits.ts";
import type { Log, LogReader } from "../../src/engine/log.ts";
import { SqliteLog } from "../../src/engine/sqlite-log.ts";
import { SqlitePayloads } from "../../src/engine/sqlite-payloads.ts";
import { systemClock } from "../../src/host/clock.ts";
import { Host } from "../../src/host/host.ts";
import { silentLogger } from "../../src/host/logger.ts";

const folder = mkdtempSync(join(tmpdir(), "muster-topics-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

const moments = ["before the append", "after the append"] as const;
type Moment = (typeof moments)[number];

/** Takes entries until the one at which the core dies; that one too, or not. */
class MortalLog implements Log {
  readonly durability: string;
  readonly #inner: Log;
  readonly #diesAt: number;
  readonly #moment: Moment;
  readonly dead: Promise<void>;
  #die: () => void = () => undefined;
  #appends = 0;

  constructor(inner: Log, diesAt: number, moment: Moment) {
    this.#inner = inner;
    this.durability = inner.durability;
    this.#diesAt = diesAt;
    this.#moment = moment;
    this.dead = new Promise((resolve) => {
      this.#die = resolve;
    });
  }

  append(entry: Entry): Promise<number> {
    this.#appends += 1;
    if (this.#appends < this.#diesAt) return this.#inner.append(entry);
    const isLast = this.#appends === this.#diesAt && this.#moment === "after the append";
    const done = isLast ? this.#inner.append(entry) : Promise.resolve(0);
    void done.then(this.#die);
    return new Promise(() => undefined);
  }

  read(from: number, deliver: (entries: readonly LogEntry[]) => void): LogReader {
    return this.#inner.read(from, (entries) => {
      // What is appended by the one who dies is not heard by him.
      const alive = entries.filter(({ sequence }) => sequence < this.#diesAt);
      if (alive.length > 0) deliver(alive);
    });
  }

  head(): Promise<number> {
    return this.#inner.head();
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}

interface Life {
  readonly host: Host;
  readonly log: MortalLog;
  readonly end: () => Promise<void>;
}

async function live(file: string, diesAt: number, moment: Moment): Promise<Life> {
  const clock = systemClock;
  const log = new MortalLog(SqliteLog.open({ file, nowUs: clock.nowUs }), diesAt, moment);
  const payloads = SqlitePayloads.open(`${file}.topics`);
  const limits = resolveLimits({ messageBytesMax: 100 });
  const host = new Host({ log, payloads, clock, limits, logger: silentLogger });
  const end = async (): Promise<void> => {
    host.abandon();
    await log.close();
    await payloads.close();
  };
  await host.start().catch(async (error: unknown) => {
    await end();
    throw error;
  });
  return { host, log, end };
}

/** Publishes one after the other, each when the one before is acknowledged. */
class Publisher {
  readonly #host: Host;
  readonly #answers = new Map<number, (effect: EdgeEffect) => void>();
  readonly #link: ReturnType<Host["connectEdge"]>;
  #connection = 0;

  constructor(host: Host) {
    this.#host = host;
    this.#link = host.connectEdge("publisher", {
      onEffects: (effects) => {
        for (const effect of effects) {
          if ("connection" in effect) this.#answers.get(effect.connection)?.(effect);
        }
      },
    });
  }

  async publish(topic: string, text: string): Promise<EdgeEffect> {
    const payload = await this.#host.topics.write(Buffer.from(text), "s");
    this.#connection += 1;
    const connection = this.#connection;
    const answer = new Promise<EdgeEffect>((resolve) => this.#answers.set(connection, resolve));
    this.submit({ kind: "publish", scope: "s", topic, connection, payload });
    return answer;
  }

  submit(command: Command): void {
    this.#link.submit(command);
  }
}

async function readAll(host: Host, topic: string): Promise<readonly string[]> {
  const texts: string[] = [];
  for (;;) {
    const after = texts.length;
    const found = await host.topics.read({ scope: "s", topic, after, bytesMax: 10 });
    if (found.length === 0) return texts;
    texts.push(...found.map((message) => Buffer.from(message).toString("utf8")));
  }
}

const messagesIn = (file: string): number => {
  const database = new DatabaseSync(`${file}.topics`);
  const row = database.prepare("SELECT count(*) AS count FROM messages").get();
  database.close();
  return Number(row?.["count"]);
};

/** The steps, and what was acknowledged of them. */
async function perform({ host }: Life, acknowledged: string[]): Promise<void> {
  const publisher = new Publisher(host);
  for (const [topic, text] of [
    ...[
      ["a", "a1"],
      ["b", "b1"],
      ["a", "a2 ü"],
    ],
    ["a", "too long ".repeat(20)],
    ...[
      ["b", ""],
      ["a", "a3"],
    ],
  ] as const) {
    const answer = await publisher.publish(topic ?? "", text ?? "");
    if (answer.kind === "published") acknowledged.push(`${topic}${answer.number}=${text}`);
  }
}

const whole = ["a1=a1", "b1=b1", "a2=a2 ü", "b2=", "a3=a3"];
const contents = async (host: Host): Promise<readonly string[]> => {
  const of = async (topic: string) =>
    (await readAll(host, topic)).map((text, index) => `${topic}${index + 1}=${text}`);
  return [...(await of("a")), ...(await of("b"))];
};

async function dieAt(position: number, moment: Moment) {
  files += 1;
  const file = join(folder, `log${files}`);
  const first = await live(file, position, moment);
  const acknowledged: string[] = [];
  const done = perform(first, acknowledged);
  await Promise.race([done, first.log.dead]);
  const known = [...acknowledged];
  await first.end();
  return { file, known };
}

describe("topics of a core that starts again from its log", () => {
  it("are all there when nothing happened", async () => {
    const { known } = await dieAt(1_000, "before the append");
    expect(known).toEqual(whole);
  });

  it.each(moments)(
    "hold what was acknowledged when it dies %s, at every position",
    async (moment) => {
      let deaths = 0;
      for (let position = 1; position <= 9; position += 1) {
        const { file, known } = await dieAt(position, moment);
        deaths += known.length < whole.length ? 1 : 0;
        const second = await live(file, 1_000, moment);
        const there = await contents(second.host);
        // Nothing that was acknowledged is lost, and at most the one that was under way is more.
        expect(there, `position ${position}`).toEqual(expect.arrayContaining(known));
        expect(there.length - known.length, `position ${position}`).toBeLessThanOrEqual(1);
        const answer = await new Publisher(second.host).publish("a", "next");
        const last = there.filter((one) => one.startsWith("a")).length;
        expect(answer).toMatchObject({ kind: "published", number: last + 1 });
        await second.end();
        // A message whose entry was lost is not kept.
        expect(messagesIn(file), `position ${position}`).toBe(there.length + 1);
      }
      process.stdout.write(`topics restart: ${deaths} deaths ${moment}\n`);
      expect(deaths).toBeGreaterThan(3);
    },
  );

  it("are gone with their scope, also from the file, and do not come back", async () => {
    const { file } = await dieAt(1_000, "before the append");
    const second = await live(file, 1_000, "before the append");
    const publisher = new Publisher(second.host);
    publisher.submit({ kind: "close-scope", scope: "s", error: 0 });
    expect(await publisher.publish("a", "anew")).toMatchObject({ kind: "published", number: 1 });
    await second.end();
    expect(messagesIn(file)).toBe(1);
    const third = await live(file, 1_000, "before the append");
    expect(await contents(third.host)).toEqual(["a1=anew"]);
    await third.end();
  });

  it("are missed when their file is, before anybody is served", async () => {
    const { file } = await dieAt(1_000, "before the append");
    for (const name of ["topics", "topics-wal", "topics-shm"]) {
      rmSync(`${file}.${name}`, { force: true });
    }
    await expect(live(file, 1_000, "before the append")).rejects.toThrow(
      /the log has messages up to \d+, its topics only up to 0; restore both together/,
    );
  });
});
