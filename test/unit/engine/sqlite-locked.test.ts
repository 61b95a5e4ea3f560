// SPDX-License-Identifier: MIT
// Goal: a file that another program has locked is said to be so, with what to do, and loses
// nothing: what could not be written meanwhile is written once when the lock is gone. Method: a
// second connection that keeps a transaction open, as sqlite3 does.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, it } from "vitest";
import { resolveLimits } from "../../../src/core/limits.ts";
import { SqliteLog } from "../../../src/engine/sqlite-log.ts";
import { systemClock } from "../../../src/host/clock.ts";
import { Host } from "../../../src/host/host.ts";
import { wait } from "../../../src/testing/core-driver.ts";

let folder = "";
let other: DatabaseSync | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "muster-locked-"));
});
afterEach(() => {
  other?.close();
  rmSync(folder, { recursive: true, force: true });
});

const open = (): SqliteLog =>
  SqliteLog.open({ file: join(folder, "log"), nowUs: systemClock.nowUs, mayBeRead: true });

function lock(how = ""): DatabaseSync {
  other = new DatabaseSync(join(folder, "log"));
  if (how !== "") other.exec(how);
  other.exec("BEGIN IMMEDIATE");
  return other;
}

it("that nobody else may read is refused at the start, with who may have it", async () => {
  await open().close();
  lock("PRAGMA locking_mode = EXCLUSIVE");
  expect(open).toThrow(
    /log is in use by another Muster; stop it, .*; or another program, sqlite3 perhaps, has locked it/,
  );
  other?.close();
  other = undefined;
  await open().close();
});

it("is waited for by who serves: what came meanwhile counts once, and the log says why", async () => {
  const lines: string[] = [];
  const logger = { log: (_level: string, line: string) => void lines.push(line) };
  const log = open();
  const host = new Host({ log, clock: systemClock, limits: resolveLimits(), logger });
  await host.start();
  const link = host.connectEdge("e", { onEffects: () => undefined });
  const locked = lock();
  link.submit(wait(1));
  const until = async (isTrue: () => boolean): Promise<void> => {
    while (!isTrue()) await new Promise<void>((resolve) => setImmediate(resolve));
  };
  await until(() => lines.length > 0);
  expect(lines.join()).toMatch(/another program has locked .*\/log; end what it does there/);
  expect(host.describe("s").barriers).toEqual([]);
  locked.exec("ROLLBACK");
  await until(() => host.describe("s").barriers.length > 0);
  expect(host.describe("s").barriers).toMatchObject([{ arrived: 1, count: -1 }]);
  await host.close();
  await log.close();
});
