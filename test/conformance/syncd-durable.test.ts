// SPDX-License-Identifier: MIT
// Goal: a sync server with `--log sqlite:FILE` keeps what it has acknowledged over kill -9.
// Method: the programs themselves, as processes.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { runSync, runSyncd, startSyncd } from "../unit/syncd/programs.ts";

const folder = mkdtempSync(join(tmpdir(), "muster-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("a count outlives kill -9; a waiter that lost its connection does not", async () => {
  // Mutants: the memory log in place of the file (the count is lost); old incarnations live on (the
  // lost waiter stays counted, and one of the two below is released too early or never).
  const log = `sqlite:${join(folder, "barriers.log")}`;
  const first = await startSyncd(["--log", log]);
  const at = (port: number, ...args: string[]) =>
    runSync(["-s", "127.0.0.1", "-p", String(port), "-n", "durable", ...args]);
  expect((await at(first.port, "-a", "-i", "2").ended).code).toBe(0);
  const lost = at(first.port);
  await first.program.said(/waiter .*count 1/);
  await first.program.end("SIGKILL");
  expect((await lost.ended).code).toBe(76);

  const second = await startSyncd(["--log", log]);
  const waiter = at(second.port);
  await second.program.said(/waiter/);
  expect(waiter.isOver).toBe(false);
  const other = at(second.port);
  expect((await waiter.ended).code).toBe(0);
  expect((await other.ended).code).toBe(0);
  await second.program.end();
});

test("an unknown or a damaged log is one sentence and status 1", async () => {
  const unknown = await runSyncd(["-d", "--log", "paper"]).ended;
  expect(unknown.code).toBe(1);
  expect(unknown.stderr).toContain("there is no log 'paper'; give memory or sqlite:FILE");
  const damaged = join(folder, "damaged");
  writeFileSync(damaged, "not a database, whatever its name says\n".repeat(100));
  const end = await runSyncd(["-d", "--log", `sqlite:${damaged}`]).ended;
  expect(end.code).toBe(1);
  expect(end.stderr).toContain("is damaged or not a Muster log");
});
