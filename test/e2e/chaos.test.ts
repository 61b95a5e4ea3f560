// SPDX-License-Identifier: MIT
// Goal: real servers and brokers that are killed, stopped and cut off keep what they promised, as
// far as a short run shows; a server that breaks a promise is found by it; and no process of a run
// is left, however it ends. Method: `npm run chaos` itself, with a fixed seed; a copy of the built
// program with one line changed; kill -9 of the run.
import { cpSync, globSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { sleep, systemClock } from "../../src/host/clock.ts";
import { Command, repository, scratch } from "./support/command.ts";

const runMsMax = 300_000;

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

it(
  "real faults lose, double and release nothing early",
  async () => {
    const faults = "kill-server,cut-server-back,kill-broker,stop-server,stop-client";
    const run = chaos(["--minutes", "0.7", "--seed", "1", "--faults", faults]);
    const { code, stdout } = await run.ended;
    expect([code, stdout]).toEqual([0, expect.stringContaining("chaos: 0 violations")]);
    const figure = (row: string): number =>
      Number(new RegExp(`^\\| ${row} \\| (\\d+) \\|$`, "m").exec(stdout)?.[1]);
    expect(figure("operations that were answered")).toBeGreaterThan(200);
    expect(figure("faults injected")).toBeGreaterThan(2);
  },
  runMsMax,
);

it(
  "a server that tells a publisher another number than the readers is found",
  async () => {
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
    const { code, stdout } = await chaos(["--minutes", "0.1", "--faults", "none", "--dist", dist])
      .ended;
    expect([code, stdout]).toEqual([
      1,
      expect.stringMatching(/- \*\*doubled\*\* at `chaos\/lane-/),
    ]);
  },
  runMsMax,
);

it(
  "no process is left when a run is killed",
  async () => {
    const folder = scratch();
    const run = chaos(["--minutes", "5"], { TMPDIR: folder });
    await run.prints(/\d+ operations/);
    expect(processesOf(folder).length).toBeGreaterThan(5);
    run.child.kill("SIGKILL");
    await run.ended;
    while (processesOf(folder).length > 0) await sleep(systemClock, 50);
  },
  runMsMax,
);
