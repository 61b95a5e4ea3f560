// SPDX-License-Identifier: MIT
// Goal: whatever breaks, nobody is released early, everybody hears once, nothing hangs. Method:
// fixed seeds through the simulator: the shipped core, logs, links and sync servers under virtual
// time. That it finds mistakes when there are some: mutants.test.ts.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { runSimulate } from "../../src/cli/commands/simulate.ts";
import { Random } from "../../src/core/random.ts";
import { noLogFaults } from "../../src/testing/delaying-log.ts";
import { Network, noNetworkFaults } from "../../src/testing/network.ts";
import { faultNames, simulate } from "../../src/testing/simulator.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { VirtualProcess } from "../../src/testing/virtual-process.ts";

const operations = 400;

describe("simulate()", () => {
  it("gives the same run to the last line when the seed is the same", async () => {
    for (const seed of [1, 27]) {
      const runs = [];
      for (let run = 0; run < 2; run += 1) {
        const lines: string[] = [];
        const result = await simulate({ seed, operations, onLine: (line) => lines.push(line) });
        runs.push({ result, lines });
      }
      expect(runs[0]?.lines.length).toBeGreaterThan(operations);
      expect(runs[1]).toEqual(runs[0]);
    }
  });

  it("gives another run when the seed is another", async () => {
    const [one, two] = [
      await simulate({ seed: 1, operations: 50 }),
      await simulate({ seed: 2, operations: 50 }),
    ];
    expect(one.digest).not.toBe(two.digest);
  });

  it("has no fault unless asked, and then answers everybody who stays", async () => {
    expect(
      Object.values({ ...noLogFaults, ...noNetworkFaults }).every((value) => value === 0),
    ).toBe(true);
    const { problems, faults, crossings } = await simulate({ seed: 5, operations, faults: [] });
    expect({ problems, faults }).toEqual({ problems: [], faults: [] });
    expect(crossings).toBeGreaterThan(10);
  });

  it.each(faultNames)("holds under %s alone", async (fault) => {
    for (const seed of [101, 102]) {
      const { problems, crossings } = await simulate({ seed, operations, faults: [fault] });
      expect(problems, `seed ${seed}`).toEqual([]);
      expect(crossings).toBeGreaterThan(0);
    }
  });

  it("holds for thirty seeds with the faults they draw", async () => {
    const coverage = new Set<string>();
    for (let seed = 1; seed <= 30; seed += 1) {
      const result = await simulate({ seed, operations });
      expect(result.problems, `seed ${seed}`).toEqual([]);
      for (const key of result.coverage.keys()) coverage.add(key);
    }
    // Every fault that strikes at an instant has struck while parties waited, and while the core
    // was away.
    for (const fault of [
      "cut-link",
      "hold-link",
      "crash-core",
      "kill-edge",
      "stop-edge",
      "set-clock",
    ]) {
      expect([...coverage]).toContain(`${fault}/waiting`);
      if (fault !== "crash-core") expect([...coverage]).toContain(`${fault}/core-down`);
    }
  });
});

/** Keeps what is printed. */
function createIo() {
  return {
    out: "",
    stdout(text: string): void {
      this.out += text;
    },
    stderr: () => undefined,
  };
}

describe("runSimulate()", () => {
  it("prints figures, and lines with a legend when verbose", async () => {
    const io = createIo();
    const plain = { servers: 1, fault: [], workers: 1, shrink: false, progress: false };
    const what = { core: true, lines: false, json: false };
    const argv = { seed: 3, seeds: 2, ops: 50, verbose: true, ...what, ...plain };
    expect(await runSimulate(argv, io)).toBe(0);
    expect(io.out).toContain("# SECONDS WHO WHAT");
    expect(io.out).toContain("run faults:");
    expect(io.out).toMatch(/2 seeds, \d+ clients, \d+ answered, \d+ crossings, .* 0 seeds failed/);
    const [, covered, lines] = io.out.match(/core\/barriers\/count\.ts (\d+)\/(\d+)/) ?? [];
    expect(Number(covered)).toBeGreaterThan(0);
    expect(Number(covered)).toBeLessThanOrEqual(Number(lines));
    io.out = "";
    await runSimulate({ ...argv, verbose: false, json: true }, io);
    expect(JSON.parse(io.out)).toMatchObject({ seeds: 2, failed: [] });
    io.out = "";
    await runSimulate({ ...argv, seeds: 1, verbose: false }, io);
    expect(io.out).toMatch(/^1 seed, /);
    io.out = "";
    await runSimulate({ ...argv, core: false, lines: true, seeds: 1, verbose: false }, io);
    expect(io.out).toMatch(/lines of the shipped files gone through: \d+\/\d+ in \d+ files\n/);
    expect(io.out).toMatch(/^ {2}host\/host\.ts [1-9]\d*\/\d+$/m);
    expect(io.out).not.toMatch(/testing|node_modules/);
  });

  it("prints what its page shows", async () => {
    const io = createIo();
    const plain = { servers: 5, fault: [], workers: 1, shrink: false, progress: false };
    const what = { core: false, lines: false, json: false, verbose: false };
    expect(await runSimulate({ seed: 1, seeds: 1, ops: 200, ...what, ...plain }, io)).toBe(0);
    const page = readFileSync("docs/internals/simulator.md", "utf8").replaceAll(/\s+/g, " ");
    expect(page).toContain(io.out.trim().replaceAll(/\s+/g, " "));
  });
});

describe("VirtualClock", () => {
  it("after() fires in order of instants, then of setting, and not once cancelled", async () => {
    const clock = new VirtualClock();
    const fired: string[] = [];
    const note = (name: string) => () => void fired.push(`${name}@${clock.elapsedUs}`);
    clock.after(2, note("b"));
    clock.after(1, note("a"));
    clock.after(2, note("c"));
    clock.after(1, note("never"))();
    const startUs = clock.elapsedUs;
    await clock.pass(5_000);
    expect(fired).toEqual([`a@${startUs + 1000}`, `b@${startUs + 2000}`, `c@${startUs + 2000}`]);
    expect(clock.elapsedUs).toBe(startUs + 5_000);
  });

  it("pass() lets promises and streams finish before the next instant", async () => {
    const clock = new VirtualClock();
    const network = new Network({ clock, random: new Random(1), faults: {} });
    const { client, server } = network.connect();
    let got = "";
    server.on("data", (chunk: Buffer) => {
      got += chunk.toString();
    });
    client.write("hello");
    await clock.pass(0);
    expect(got).toBe("hello");
  });
});

describe("VirtualProcess", () => {
  it("holds what falls due while it is stopped, and drops it when killed", async () => {
    const clock = new VirtualClock();
    const process = new VirtualProcess(clock);
    const fired: string[] = [];
    process.clock.after(1, () => void fired.push("late"));
    process.stop();
    await clock.pass(10_000);
    expect(fired).toEqual([]);
    process.resume();
    expect(fired).toEqual(["late"]);
    process.clock.after(1, () => void fired.push("never"));
    process.kill();
    await clock.pass(10_000);
    expect(fired).toEqual(["late"]);
  });
});

describe("Network", () => {
  it("N1 keeps the order of bytes whatever the delays, and loses what is on its way at a cut", async () => {
    const clock = new VirtualClock();
    const random = new Random(7);
    const network = new Network({ clock, random, faults: { delayMsMax: 50, pieces: 0.5 } });
    const pipe = network.connect();
    let got = "";
    pipe.server.on("data", (chunk: Buffer) => {
      got += chunk.toString();
    });
    const sent = Array.from({ length: 100 }, (_, index) => `<${index}>`);
    for (const text of sent) {
      pipe.client.write(text);
      await clock.pass(1_000);
    }
    await clock.pass(100_000);
    expect(got).toBe(sent.join(""));
    pipe.client.write("lost");
    const closed: string[] = [];
    pipe.client.on("close", () => void closed.push("client"));
    pipe.server.on("close", () => void closed.push("server"));
    pipe.cut();
    await clock.pass(100_000);
    expect([got, closed.length]).toEqual([sent.join(""), 2]);
  });

  it("N2 a partition holds back and loses nothing", async () => {
    const clock = new VirtualClock();
    const network = new Network({ clock, random: new Random(7), faults: {} });
    const pipe = network.connect();
    let got = "";
    pipe.server.on("data", (chunk: Buffer) => {
      got += chunk.toString();
    });
    pipe.partition();
    pipe.client.write("a");
    pipe.client.write("b");
    await clock.pass(1_000_000);
    expect(got).toBe("");
    pipe.heal();
    await clock.pass(0);
    expect(got).toBe("ab");
  });
});
