// SPDX-License-Identifier: MIT
// Goal: what a server is told of limits gets into its log, once, and from then on the log decides
// for all of its servers, whatever they are told, also at every replay; a log that older builds
// share waits for them, and what they have written is judged alike at every start. Method: hosts of
// one log in memory under virtual time.
import { describe, expect, it } from "vitest";
import type { Command, Entry, LogEntry } from "../../../src/core/command.ts";
import { type CoreLimits, resolveLimits } from "../../../src/core/limits.ts";
import { coreVersionMax, toldLimitsVersion } from "../../../src/core/version.ts";
import { LogError } from "../../../src/engine/log.ts";
import { MemoryLog } from "../../../src/engine/memory-log.ts";
import { Host } from "../../../src/host/host.ts";
import { describeLimits } from "../../../src/host/limit-teller.ts";
import { VirtualClock } from "../../../src/testing/virtual-clock.ts";

const second = 1_000_000;

class Servers {
  readonly clock = new VirtualClock();
  readonly log = new MemoryLog({ nowUs: () => this.clock.nowUs() });
  readonly entries: LogEntry[] = [];
  #lives = 100;

  constructor() {
    this.log.read(1, (entries) => this.entries.push(...entries));
  }

  /** A server that was told these, alone on the log when it has no name. */
  async start(told: Partial<CoreLimits>, server?: string) {
    const lines: string[] = [];
    const host = new Host({
      ...{ log: this.log, clock: this.clock, limits: resolveLimits(told), toldLimits: told },
      logger: { log: (level, message) => void lines.push(`${level}: ${message}`) },
      newIncarnation: () => {
        this.#lives += 1;
        return this.#lives;
      },
      ...(server === undefined ? {} : { server }),
    });
    const starting = host.start();
    starting.catch(() => undefined);
    await this.clock.pass(10_000);
    await starting;
    const settled = host.limitsTold();
    await this.clock.pass(10_000);
    await settled;
    return { host, lines, text: () => describeLimits(host.toldLimits.rows) };
  }

  async end({ host }: { readonly host: Host }): Promise<void> {
    const closing = host.close();
    await this.clock.pass(10_000);
    await closing;
  }

  async append(...entries: readonly Entry[]): Promise<void> {
    for (const entry of entries) await this.log.append(entry);
  }

  /** Commands about limits that are in the log. */
  get told(): readonly Command[] {
    return this.entries
      .flatMap(({ entry }) => entry.batches)
      .flatMap(({ commands }) => commands)
      .filter(({ kind }) => kind === "limits" || kind === "version");
  }
}

/** Of a build that knows nothing of limits in the log: `wait` more come to a barrier. */
function oldEntries(server: string | undefined, waits: number): readonly Entry[] {
  const edge = server === undefined ? "session/x" : `server/${server}`;
  const life = { edge, incarnation: 7 };
  const attach: Command =
    server === undefined
      ? { kind: "attach", leaseUs: 3_000 * second }
      : { kind: "attach", as: "server", leaseUs: 10 * second, offers: toldLimitsVersion - 1 };
  const place = { scope: "s", barrier: "b", who: { address: "x" }, error: 0 };
  const commands: Command[] = [attach, { kind: "version", version: toldLimitsVersion - 1 }];
  for (let connection = 1; connection <= waits; connection += 1) {
    commands.push({ kind: "count-wait", ...place, connection });
  }
  const batches = [{ ...life, number: 1, commands }];
  return [{ format: 1, ...(server === undefined ? {} : { server: life }), batches }];
}

const waiting = ({ host }: { readonly host: Host }): number =>
  host.describe("s").barriers[0]?.arrived ?? 0;

describe("a server that is told limits", () => {
  it("says them in the entry that raises the log, and later only what is not so", async () => {
    const servers = new Servers();
    const first = await servers.start({ scopesMax: 5, edgesMax: 50 });
    expect(servers.told).toEqual([
      { kind: "version", version: coreVersionMax, limits: { scopesMax: 5, edgesMax: 50 } },
    ]);
    await servers.end(first);
    const again = await servers.start({ scopesMax: 5 });
    expect([servers.told.length, again.text()]).toEqual([1, "scopesMax=5, edgesMax=50"]);
    await servers.end(again);
    const usual = { waitersPerBarrierMax: 100_000 };
    const other = await servers.start({ scopesMax: 5, edgesMax: 60, ...usual });
    expect(servers.told.slice(1)).toEqual([{ kind: "limits", limits: { edgesMax: 60 } }]);
    expect([other.host.limits.edgesMax, other.lines]).toEqual([60, []]);
    await servers.end(other);
    // Nothing said is nothing changed; what is said is said, also when it is the default.
    const silent = await servers.start({});
    expect([silent.text(), servers.told.length]).toEqual(["scopesMax=5, edgesMax=60", 2]);
    await servers.end(silent);
    const last = await servers.start({ scopesMax: 1_000 });
    expect(last.host.limits.scopesMax).toBe(1_000);
    await servers.end(last);
  });

  it("says them for all servers of the log; the last one wins, and the others are told once", async () => {
    const servers = new Servers();
    const a = await servers.start({ waitersPerBarrierMax: 1 }, "a");
    const b = await servers.start({}, "b");
    const c = await servers.start({ waitersPerBarrierMax: 2, scopesMax: 9 }, "c");
    await servers.clock.pass(60 * second);
    for (const { host, text } of [a, b, c]) {
      expect(text()).toBe(
        "waitersPerBarrierMax=2 (set by server c), scopesMax=9 (set by server c)",
      );
      expect([host.limits.waitersPerBarrierMax, host.digest()]).toEqual([2, a.host.digest()]);
    }
    const now =
      "warn: the limits of the log are now waitersPerBarrierMax=2 (set by server c), scopesMax=9 (set by server c)";
    expect(a.lines).toEqual([
      `${now}; this server was told waitersPerBarrierMax=1, which holds no more`,
    ]);
    expect([b.lines, c.lines]).toEqual([[now], []]);
    for (const { host } of [a, b, c]) host.abandon();
  });

  it("does not start when the log has others that do not go with them", async () => {
    const servers = new Servers();
    const a = await servers.start({ topicBytesPerScopeMax: 170, messageBytesMax: 100 }, "a");
    const refused = await servers.start({ messageBytesMax: 200 }, "b").catch((error) => error);
    expect(refused).toBeInstanceOf(LogError);
    const held =
      "messageBytesMax=100 (set by server a), topicBytesPerScopeMax=170 (set by server a)";
    const wrong = "a message must fit in its scope";
    expect(String(refused)).toContain(
      `--limit messageBytesMax=200: ${wrong}; the log has ${held}: give both`,
    );
    a.host.abandon();
  });

  it("waits while a server of an older build lives, and says so", async () => {
    const servers = new Servers();
    await servers.append(...oldEntries("old", 0));
    const a = await servers.start({ scopesMax: 5 }, "a");
    const why = `the log is of version ${toldLimitsVersion - 1} until no server of an older build lives`;
    const what = "--limit scopesMax=5 holds in this server only until then";
    const advice = "start all with the same, or they judge differently";
    expect(a.lines).toEqual([`warn: ${why}; ${what}: ${advice}`]);
    const b = await servers.start({ edgesMax: 60 }, "b");
    expect([a.text(), servers.told.filter(({ kind }) => kind === "limits")]).toEqual(["", []]);
    expect([a.host.limits.scopesMax, b.host.limits.scopesMax]).toEqual([5, 1_000]);
    // The lease of the old one ends; the first of the others raises the log, and says its own.
    await servers.clock.pass(15 * second);
    for (const { text, host } of [a, b]) {
      expect(text()).toBe("scopesMax=5 (set by server a), edgesMax=60 (set by server b)");
      expect(host.digest()).toBe(a.host.digest());
    }
    for (const { host } of [a, b]) host.abandon();
  });
});

describe("a log of an older build", () => {
  it("is judged at every start by what the first start of this one was told", async () => {
    const servers = new Servers();
    await servers.append(...oldEntries(undefined, 4));
    const first = await servers.start({ waitersPerBarrierMax: 2 });
    expect(waiting(first)).toBe(2);
    await servers.end(first);
    for (const told of [{}, { waitersPerBarrierMax: 1 }, { waitersPerBarrierMax: 9 }]) {
      const again = await servers.start(told);
      expect(waiting(again)).toBe(2);
      await servers.end(again);
    }
    const last = await servers.start({});
    expect(last.host.limits.waitersPerBarrierMax).toBe(9);
    await servers.end(last);
  });

  it("is judged by the defaults when nothing was said then", async () => {
    const servers = new Servers();
    await servers.append(...oldEntries(undefined, 4));
    const first = await servers.start({});
    await servers.end(first);
    const again = await servers.start({ waitersPerBarrierMax: 1 });
    expect(waiting(again)).toBe(4);
    await servers.end(again);
  });
});
