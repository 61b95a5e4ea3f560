// SPDX-License-Identifier: MIT
// Goal: real servers and brokers that are killed, stopped and cut off keep what they promised, as
// far as a short run shows; a server that breaks a promise is found by it; and no process of a run
// is left, however it ends. Method: `npm run chaos` itself, with a fixed seed; a copy of the built
// program with one line changed; kill -9 of the run; `--bare`.
import { cpSync, globSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { sleep, systemClock } from "../../src/host/clock.ts";
import { Command, repository, scratch } from "./support/command.ts";

const runMsMax = 900_000;

function chaos(args: readonly string[], env: Readonly<Record<string, string>> = {}): Command {
  const main = join(repository, "chaos/main.ts");
  const load = ["--lanes", "6", "--rate", "150"];
  return new Command(join(repository, "bin/node"), [main, ...load, ...args], { env });
}

/** Programs that have been started with this in their command line. */
function processesOf(text: string): readonly string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(text);
      } catch {
        return false; // It has ended meanwhile.
      }
    });
}

async function keepsPromises(): Promise<void> {
  const faults = "kill-server,kill-scheduler,kill-broker,stop-client,kill-client";
  const run = chaos(["--minutes", "3", "--seed", "2", "--faults", faults]);
  const { code, stdout } = await run.ended;
  expect([code, stdout]).toEqual([0, expect.stringContaining("chaos: 0 violations")]);
  const figure = (row: string): number =>
    Number(new RegExp(`^\\| ${row} \\| (\\d+) \\|$`, "m").exec(stdout)?.[1]);
  expect(figure("operations that were answered")).toBeGreaterThan(200);
  expect(figure("events that fired")).toBeGreaterThan(20);
  expect(figure("operations of the HTTP door that were answered")).toBeGreaterThan(50);
  expect(
    figure("times that requests with an id were asked again, at the next server"),
  ).toBeGreaterThan(5);
  expect(figure("waits of clients that may be killed, and crossed")).toBeGreaterThan(5);
  expect(figure("operations asked again later than an id is known")).toBe(0);
  expect(figure("faults injected")).toBeGreaterThan(5);
}

/** A server that tells a publisher another number than the readers. */
async function findsBrokenPromise(): Promise<void> {
  const folder = scratch();
  const dist = join(folder, "dist");
  for (const part of ["dist", "bin", "package.json"]) {
    cpSync(join(repository, part), join(folder, part), { recursive: true });
  }
  symlinkSync(join(repository, "node_modules"), join(folder, "node_modules"));
  const [part = ""] = globSync(join(dist, "programs/part-effect-store-*.js"));
  const right = readFileSync(part, "utf8");
  const wrong = right.replace("number: topic.last", "number: Math.max(1, topic.last - 1)");
  expect(wrong).not.toBe(right);
  writeFileSync(part, wrong);
  const none = ["--minutes", "0.1", "--faults", "none"];
  const { code, stdout } = await chaos([...none, "--dist", dist]).ended;
  expect([code, stdout]).toEqual([
    1,
    expect.stringMatching(/- \*\*(doubled|order)\*\* at `chaos\/lane-/),
  ]);
}

async function leavesNothing(): Promise<void> {
  const folder = scratch();
  const run = chaos(["--minutes", "5"], { TMPDIR: folder });
  await run.prints(/\d+ operations/);
  expect(processesOf(folder).length).toBeGreaterThan(5);
  run.child.kill("SIGKILL");
  await run.ended;
  while (processesOf(folder).length > 0) await sleep(systemClock, 50);
}

/** Without Muster, and without a fault, brokers keep what they say. */
async function judgesBrokers(): Promise<void> {
  const none = ["--bare", "--minutes", "0.1", "--faults", "none"];
  const { code, stdout } = await chaos(none).ended;
  expect([code, stdout]).toEqual([0, expect.stringContaining("The stream holds what it said.")]);
}

// Beside each other, because most of it is waiting.
it(
  "a run under faults keeps promises, finds broken ones, and leaves nothing when it is killed",
  async () => {
    await Promise.all([keepsPromises(), findsBrokenPromise(), leavesNothing(), judgesBrokers()]);
  },
  runMsMax,
);
