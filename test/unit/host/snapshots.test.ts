// SPDX-License-Identifier: MIT
// Goal: a follower of a log makes snapshots when they are due, never lets anything be cut that is
// not stored whole, and a host that begins with them is where it would be after the whole log, its
// kept effects among that (F1, F2, H3, K2). Method: follower, keeper and host in this process, on a
// log in memory and on a file, with snapshots in memory that can be damaged.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, describe, expect, it } from "vitest";
import type { Command, Entry } from "../../../src/core/command.ts";
import { resolveLimits } from "../../../src/core/limits.ts";
import { Service } from "../../../src/core/service.ts";
import { MemoryLog } from "../../../src/engine/memory-log.ts";
import { sequenceOf } from "../../../src/engine/snapshots.ts";
import { SqliteLog, SqliteLogFollower } from "../../../src/engine/sqlite-log.ts";
import { sleep, systemClock } from "../../../src/host/clock.ts";
import { EffectStore } from "../../../src/host/effect-store.ts";
import { followLog } from "../../../src/host/follow-log.ts";
import { Host } from "../../../src/host/host.ts";
import type { SnapshotSource } from "../../../src/host/host-options.ts";
import { silentLogger } from "../../../src/host/logger.ts";
import { type FollowerNews, SnapshotFollower } from "../../../src/host/snapshot-follower.ts";
import { type Following, SnapshotKeeper } from "../../../src/host/snapshot-keeper.ts";
import { loadNewest } from "../../../src/host/snapshot-text.ts";
import { MemorySnapshots } from "../../../src/testing/memory-snapshots.ts";
import { ManualClock } from "../syncd/harness.ts";

const folder = mkdtempSync(join(tmpdir(), "muster-follower-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const limits = resolveLimits();
const bounds = { snapshotEntriesMax: 10, snapshotBytesMax: 1_000_000 };

/** A session that makes and crosses a barrier with each of its entries. */
class Session {
  #number = 0;

  next(commands: readonly Command[] = []): Entry {
    this.#number += 1;
    const first: readonly Command[] = this.#number === 1 ? [{ kind: "attach" }] : [];
    const place = { scope: "s", barrier: `b${this.#number}`, who: { address: "a" }, error: 0 };
    const meets: readonly Command[] = [
      { kind: "count-wait", ...place, connection: this.#number * 2 },
      { kind: "count-init", ...place, connection: this.#number * 2 + 1, count: 1, waits: false },
    ];
    const all = [...first, ...meets, ...commands];
    const batch = { edge: "session", incarnation: 7, number: this.#number, commands: all };
    return { format: 1, batches: [batch] };
  }
}

/** The log as it is, and a follower of it. */
async function follow(snapshots: MemorySnapshots, log = new MemoryLog({ nowUs: () => 0 })) {
  const news: FollowerNews[] = [];
  const options = { log, snapshots, limits, bounds, onNews: (one: FollowerNews) => news.push(one) };
  const follower = new SnapshotFollower(options);
  await follower.start();
  return { log, news, follower };
}

type Asked = Pick<SnapshotFollower, "check">;

/** One that no other snapshot has. */
async function damageOwnPart(snapshots: MemorySnapshots, sequence: number): Promise<void> {
  const listed = (await snapshots.list()).flatMap((one) =>
    "manifest" in one ? [one.manifest] : [],
  );
  const others = listed.flatMap((one) => (one.sequence === sequence ? [] : one.parts));
  const own = listed.find((one) => one.sequence === sequence)?.parts ?? [];
  const part = own.find((hash) => !others.includes(hash));
  if (part === undefined) throw new Error(`nothing of ${sequence} is its own`);
  snapshots.parts.set(part, "{}");
}

const made = (news: readonly FollowerNews[]) => news.filter(({ kind }) => kind === "made");
const untilMade = async (news: readonly FollowerNews[], count: number): Promise<void> => {
  while (made(news).length < count) await sleep(systemClock, 1);
};

/** What a host has that begins with these. */
async function load(snapshots: MemorySnapshots) {
  const [core, store] = [new Service(limits), new EffectStore()];
  const refused: string[] = [];
  await loadNewest(snapshots, { core, store }, (message) => refused.push(message));
  return { core, store, refused };
}

describe("SnapshotFollower", () => {
  it("makes one each so many entries, and lets what is before the older of two be cut", async () => {
    const { log, news, follower } = await follow(new MemorySnapshots());
    const session = new Session();
    const counts: number[] = [];
    for (let entry = 1; entry <= 30; entry += 1) {
      await log.append(session.next());
      if (entry % 10 === 0) await untilMade(news, entry / 10);
      counts.push(made(news).length);
    }
    // Not at the entry before.
    expect([counts[8], counts[9], counts[18], counts[19]]).toEqual([0, 1, 1, 2]);
    expect(news).toMatchObject([
      { kind: "made", sequence: 10, cutThrough: 0 },
      { kind: "made", sequence: 20, cutThrough: 10 },
      { kind: "made", sequence: 30, cutThrough: 20 },
    ]);
    await follower.stop();
  });

  it("lets one that is damaged push out none that is whole, and says so (Z3)", async () => {
    const snapshots = new MemorySnapshots();
    const { log, news, follower } = await follow(snapshots);
    const session = new Session();
    for (let entry = 1; entry <= 30; entry += 1) {
      await log.append(session.next());
      if (entry % 10 === 0) await untilMade(news, entry / 10);
      if (entry === 20) await damageOwnPart(snapshots, 20);
    }
    expect((await snapshots.list()).map(sequenceOf)).toEqual([30, 10]);
    const warning = "the snapshot at entry 20 is dropped: a part is damaged";
    expect(news.slice(2)).toMatchObject([
      { kind: "warning", message: warning },
      { kind: "made", sequence: 30, cutThrough: 10 },
    ]);
    await damageOwnPart(snapshots, 30);
    expect((await load(snapshots)).core.sequence).toBe(10);
    await follower.stop();
  });

  it("makes one each so many bytes", async () => {
    const { log, news, follower } = await follow(new MemorySnapshots());
    const nodes = ["x".repeat(1_000_000)];
    await log.append(new Session().next([{ kind: "open-scope", scope: "s", nodes }]));
    await untilMade(news, 1);
    expect(news).toMatchObject([{ sequence: 1 }]);
    await follower.stop();
  });

  it("goes on from a snapshot with the same effects kept as after the whole log", async () => {
    const snapshots = new MemorySnapshots();
    const { log, news, follower } = await follow(snapshots);
    const [session, core, store] = [new Session(), new Service(limits), new EffectStore()];
    for (let entry = 1; entry <= 20; entry += 1) {
      // It has had what it was told by then.
      const seen = { kind: "seen", edge: "session", incarnation: 7, sequence: 12 } as const;
      await log.append(session.next(entry === 15 ? [seen] : []));
      await untilMade(news, Math.trunc(entry / 10));
    }
    await follower.stop();
    const loaded = await load(snapshots);
    log.read(1, (entries) => {
      for (const entry of entries) {
        const { addressed } = core.apply(entry);
        store.keep(
          { edge: "session", incarnation: 7 },
          entry.sequence,
          addressed.map(({ effect }) => effect),
        );
        if (entry.sequence === 15) store.drop({ edge: "session", incarnation: 7 }, 12);
      }
    });
    await sleep(systemClock, 0);
    expect(loaded.core.digest()).toBe(core.digest());
    expect(loaded.store.dump()).toEqual(store.dump());
    const kept = loaded.store.after({ edge: "session", incarnation: 7 }, 0);
    expect(kept.map(({ sequence }) => sequence)).toEqual([13, 14, 15, 16, 17, 18, 19, 20]);
  });

  it("writes anew with the next one what was lost of what it wrote before, and tells of none that is not whole (F1)", async () => {
    const snapshots = new MemorySnapshots();
    const { log, news, follower } = await follow(snapshots);
    const session = new Session();
    const scopes: readonly Command[] = [{ kind: "open-scope", scope: "quiet", nodes: ["n"] }];
    for (let entry = 1; entry <= 10; entry += 1) await log.append(session.next(scopes));
    await untilMade(news, 1);
    const before = snapshots.written;
    for (const [hash, text] of snapshots.parts) {
      if (text.includes("quiet")) snapshots.parts.set(hash, "damaged");
    }
    for (let entry = 1; entry <= 10; entry += 1) await log.append(session.next());
    await untilMade(news, 2);
    expect((await load(snapshots)).refused).toEqual([]);
    // The rest, the scope that has changed, and with them the quiet one: no index names it without.
    expect(snapshots.written - before).toBe(3);
    // From here on it takes nothing.
    snapshots.write = () => Promise.resolve(0);
    for (let entry = 1; entry <= 10; entry += 1) await log.append(session.next());
    while (news.length < 3) await sleep(systemClock, 1);
    expect(news[2]).toEqual({
      kind: "warning",
      message: expect.stringContaining("no snapshot was made, and the log is not cut"),
    });
    expect((await load(snapshots)).core.sequence).toBe(20);
    await follower.stop();
  });
});

describe("followLog()", () => {
  it("ends when told to while what it opens does not answer, and closes it when it does", async () => {
    const [stopped, answers] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const closed = Promise.withResolvers<string>();
    const snapshots = new MemorySnapshots();
    snapshots.close = async () => closed.resolve("closed");
    const news: FollowerNews[] = [];
    const ended = followLog({
      ...{ limits, bounds, onNews: (one) => news.push(one), stopped: stopped.promise },
      openSnapshots: () => answers.promise.then(() => snapshots),
      openLog: async () => expect.unreachable("it was told to end"),
      onFollowing: () => expect.unreachable("it was told to end"),
    });
    stopped.resolve();
    await ended;
    answers.resolve();
    expect(await closed.promise).toBe("closed");
    expect(news).toEqual([]);
  });
});

describe("SnapshotKeeper", () => {
  it("cuts nothing while the older of two is not whole, says and counts it, and cuts behind the next", async () => {
    const file = join(folder, "kept");
    const log = SqliteLog.open({ file, nowUs: systemClock.nowUs, mayBeRead: true });
    const snapshots = new MemorySnapshots();
    const lines: string[] = [];
    let uncut = 0;
    /** Every server is beyond the snapshot at this entry. */
    const reached = new Map<number, () => void>();
    const keeper = new SnapshotKeeper({
      log,
      logger: { log: (level, line) => void lines.push(`${level}: ${line}`) },
      host: {
        ...{ clock: systemClock, isShared: true, makesSnapshots: true },
        noteUncut: () => {
          uncut += 1;
        },
        tellSnapshot: (sequence, cut) => void reached.set(sequence, cut),
      },
      follow: (onNews) => {
        const [stopped, started] = [Promise.withResolvers<void>(), Promise.withResolvers<Asked>()];
        const ended = followLog({
          ...{ limits, bounds, onNews, stopped: stopped.promise },
          openSnapshots: async () => snapshots,
          openLog: async () => SqliteLogFollower.open(file, systemClock),
          onFollowing: started.resolve,
        });
        const check = (through: number) =>
          void started.promise.then((follower) => follower.check(through));
        return { stop: () => stopped.resolve(), ended, check };
      },
    });
    const session = new Session();
    const goOn = async (sequence: number): Promise<void> => {
      while ((await log.head()) < sequence) await log.append(session.next());
      while (!reached.has(sequence)) await sleep(systemClock, 1);
    };
    const first = async (): Promise<number> => {
      await log.append(session.next());
      const database = new DatabaseSync(file, { readOnly: true });
      const row = database.prepare("SELECT min(sequence) AS first FROM entries").get();
      database.close();
      return Number(row?.["first"]);
    };
    await goOn(10);
    await goOn(20);
    await damageOwnPart(snapshots, 10);
    reached.get(20)?.();
    while (uncut === 0) await sleep(systemClock, 1);
    expect(lines.at(-1)).toBe(
      "warn: the log is not cut behind entry 10: the snapshot at entry 10 cannot be read back: a part is damaged",
    );
    expect(await first()).toBe(1);
    // Also when the other one is lost as well.
    const parts = new Map(snapshots.parts);
    await damageOwnPart(snapshots, 20);
    expect((await load(snapshots)).core.sequence).toBe(0);
    for (const [hash, text] of parts) snapshots.parts.set(hash, text);
    await goOn(30);
    reached.get(30)?.();
    while ((await first()) !== 21) await sleep(systemClock, 1);
    expect(uncut).toBe(1);
    await keeper.close();
    await log.close();
  });

  it("says once that nothing can be followed, then ever more rarely, and anew what is new", async () => {
    const clock = new ManualClock();
    const lines: string[] = [];
    let isLost = true;
    const follow = (onNews: (news: FollowerNews) => void): Following => {
      const { promise: ended, resolve: stop } = Promise.withResolvers<void>();
      lose = () => {
        onNews({ kind: "lost", message: "no JetStream" });
        stop();
      };
      if (isLost) queueMicrotask(lose);
      return { stop, ended, check: () => undefined };
    };
    let lose: () => void = () => undefined;
    const keeper = new SnapshotKeeper({
      ...{ log: {}, follow, logger: { log: (_, line) => void lines.push(line) } },
      host: {
        ...{ clock, isShared: false, makesSnapshots: true },
        ...{ noteUncut: () => undefined, tellSnapshot: () => undefined },
      },
    });
    const pass = async (seconds: number): Promise<void> => {
      for (let second = 0; second < seconds; second += 1) {
        for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
        clock.advance(1_000);
      }
    };
    const text = "no snapshots for now: no JetStream";
    await pass(60);
    expect(lines).toEqual([text]);
    await pass(240);
    expect(lines).toEqual([text, `${text} (for 1 min now)`, `${text} (for 3 min now)`]);
    isLost = false;
    await pass(200);
    lose();
    expect(lines.slice(3)).toEqual([text]);
    await keeper.close();
  });
});

describe("a start", () => {
  const withThree = async () => {
    const snapshots = new MemorySnapshots();
    const { log, news, follower } = await follow(snapshots);
    const session = new Session();
    for (let entry = 1; entry <= 30; entry += 1) {
      await log.append(session.next());
      await untilMade(news, Math.trunc(entry / 10));
    }
    await follower.stop();
    return { snapshots, log };
  };

  it("takes the one before when the newest is damaged, and says so; none, the whole log", async () => {
    const { snapshots } = await withThree();
    expect((await load(snapshots)).core.sequence).toBe(30);
    const [newest, older] = await snapshots.list();
    if (!newest || !older || !("manifest" in newest && "manifest" in older))
      throw new Error("none");
    const only = newest.manifest.parts.find((part) => !older.manifest.parts.includes(part)) ?? "";
    snapshots.parts.set(only, "{}");
    const second = await load(snapshots);
    expect(second.core.sequence).toBe(20);
    expect(second.refused).toEqual([
      expect.stringMatching(
        /^the snapshot at entry 30 is not taken: .*; trying the one before it$/,
      ),
    ]);
    snapshots.manifests.set(20, "nothing");
    const none = await load(snapshots);
    expect([none.core.sequence, none.core.digest()]).toEqual([0, new Service(limits).digest()]);
    const last = "there is none before it: the log is read from its beginning, where that was not";
    expect(none.refused).toEqual([
      expect.stringMatching(/entry 30 is not taken: .*; trying the one before it$/),
      expect.stringContaining(`entry 20 is not taken: it is damaged; ${last}`),
    ]);
  });

  it("does not take a state whose digest is another one", async () => {
    const { snapshots } = await withThree();
    const [newest] = await snapshots.list();
    if (!newest || !("manifest" in newest)) throw new Error("none");
    await snapshots.write({ ...newest.manifest, digest: "0".repeat(32) }, new Map());
    const { core, refused } = await load(snapshots);
    expect(core.sequence).toBe(20);
    expect(refused).toEqual([expect.stringContaining("its digest is")]);
  });

  it("of a log that was cut needs a snapshot, and says so when there is none", async () => {
    const file = join(folder, "cut");
    const log = SqliteLog.open({ file, nowUs: systemClock.nowUs, mayBeRead: true });
    const reader = SqliteLogFollower.open(file, systemClock);
    const snapshots = new MemorySnapshots();
    const news: FollowerNews[] = [];
    const follower = new SnapshotFollower({
      ...{ log: reader, snapshots, limits, bounds, onNews: (one) => news.push(one) },
    });
    await follower.start();
    const session = new Session();
    for (let entry = 1; entry <= 20; entry += 1) {
      await log.append(session.next());
      if (entry % 10 === 0) await untilMade(news, entry / 10);
    }
    await log.trim(10);
    await log.append(session.next());
    await follower.stop();
    await reader.close();
    const source: SnapshotSource = {
      load: async (into) => void (await loadNewest(snapshots, into, () => undefined)),
    };
    const parts = { log, clock: systemClock, limits, logger: silentLogger };
    const host = new Host({ ...parts, snapshots: source });
    await host.start();
    expect(host.lastBatch("session", 7)).toBe(21);
    expect(host.keptFor({ edge: "session", incarnation: 7 }, 0)).toHaveLength(21);
    host.abandon();
    snapshots.manifests.clear();
    await expect(new Host({ ...parts, snapshots: source }).start()).rejects.toThrow(
      "entries 1 to 10 of the log have been cut away, and no snapshot stands for them",
    );
    await log.close();
  });
});
