// SPDX-License-Identifier: MIT
// Goal: the program agent starts, stops and times programs as asked, and tells of each end once.
// Method: programs of a fake backend that end when the test says so, and a clock moved by hand.
import { describe, expect, it } from "vitest";
import type { Program } from "../../../src/experiment/model.ts";
import { ProgramAgent } from "../../../src/testbed/agents/program-agent.ts";
import type { ProgramEnded } from "../../../src/testbed/run-event.ts";
import { FakeClock } from "../record/fake-clock.ts";
import { FakeBackend, settle } from "./fake-backend.ts";

const at = { file: "a.ns", line: 1, column: 1 };
const base: Program = {
  name: "p",
  node: "n0",
  command: "run it",
  isStartCommand: false,
  directory: "/where",
  timeoutSeconds: 0,
  expectedExitCode: 0,
  at,
};

function setUp(part: Partial<Program> = {}) {
  const clock = new FakeClock();
  const backend = new FakeBackend(clock, ["n0"]);
  const ends: ProgramEnded[] = [];
  const starts: string[] = [];
  const agent = new ProgramAgent({
    backend,
    programs: [{ ...base, ...part }],
    clock,
    onStarted: ({ name, command }, us) => starts.push(`${us} ${name}: ${command}`),
    onEnded: (event) => ends.push(event),
  });
  return { clock, backend, agent, ends, starts };
}

describe("start()", () => {
  it("starts the configured command and completes with 0 when the exit code is as expected", async () => {
    const { clock, backend, agent, ends, starts } = setUp({ expectedExitCode: 3 });
    clock.advanceTo(50);
    const result = await agent.start("p", {});
    expect(result).toMatchObject({ firedMonotonicUs: 50, outcome: "done" });
    expect(starts).toEqual(["50 p: run it"]);
    expect(backend.processes[0]?.spec).toMatchObject({ command: "run it", directory: "/where" });
    expect(backend.processes[0]?.spec.stdout).toBe("/n0/p.out.1");
    expect(agent.active().map(({ name }) => name)).toEqual(["p"]);
    await backend.processes[0]?.end(3);
    expect(await result.done).toBe(0);
    expect(ends).toMatchObject([{ exitCode: 3, stopped: false, timedOut: false, startedUs: 50 }]);
    expect(agent.active()).toEqual([]);
  });

  it("leaves a node done when its program has run and ended", async () => {
    const { backend, agent } = setUp();
    expect(agent.isDone("n0")).toBe(false);
    const result = await agent.start("p", {});
    expect(agent.isDone("n0")).toBe(false);
    await backend.processes[0]?.end(0);
    await result.done;
    expect([agent.isDone("n0"), agent.isDone("n1")]).toEqual([true, false]);
  });

  it.each([
    [7, 7],
    ["SIGSEGV", 11],
  ])("completes with an error when it ends with %s", async (how, error) => {
    const { backend, agent } = setUp();
    const result = await agent.start("p", {});
    await backend.processes[0]?.end(how);
    expect(await result.done).toBe(error);
  });

  it("completes with an error when it ends with 0 and another code was expected", async () => {
    const { backend, agent } = setUp();
    const result = await agent.start("p", { expectedExitCode: 4 });
    await backend.processes[0]?.end(0);
    expect(await result.done).not.toBe(0);
  });

  it("takes what the event brings instead of what is configured", async () => {
    const { backend, agent } = setUp();
    await agent.start("p", { command: "other", directory: "/there" });
    expect(backend.processes[0]?.spec).toMatchObject({ command: "other", directory: "/there" });
  });

  it("is refused while the program runs or is being started", async () => {
    const { backend, agent, ends } = setUp();
    const both = await Promise.all([agent.start("p", {}), agent.start("p", {})]);
    expect(both.map(({ outcome }) => outcome)).toEqual(["done", "failed: it is still running"]);
    expect(await both[1]?.done).toBe(-1);
    await backend.processes[0]?.end(0);
    expect((await agent.start("p", {})).outcome).toBe("done");
    expect(ends).toHaveLength(1);
  });

  it("reports a program that cannot be started, without naming it twice", async () => {
    const { backend, agent, ends } = setUp();
    backend.startError = "p cannot be started: no such directory";
    const result = await agent.start("p", {});
    expect(result.outcome).toBe("failed: no such directory");
    expect(await result.done).toBe(-1);
    expect(ends).toMatchObject([{ startError: "no such directory", exitCode: null }]);
    expect(agent.active()).toEqual([]);
  });

  it("is refused for a program that nobody knows", async () => {
    const { agent } = setUp();
    expect((await agent.start("q", {})).outcome).toBe("failed: there is no program q");
    expect(agent.knows("q")).toBe(false);
  });
});

describe("a start while the program runs (fault 23)", () => {
  it("completes with -1 and leaves the run its settings, its token and its completion", async () => {
    const { backend, agent, ends } = setUp();
    const first = await agent.start("p", { expectedExitCode: 2 }, { token: 7 });
    const second = await agent.start("p", { expectedExitCode: 5 }, { token: 8 });
    expect(await second.done).toBe(-1);
    await backend.processes[0]?.end(2);
    expect(await first.done).toBe(0);
    expect(ends).toMatchObject([{ token: 7, expectedExitCode: 2 }]);
  });
});

describe("settings", () => {
  it("of an event hold for later runs, those of a refused event do not", async () => {
    const { backend, agent } = setUp();
    await agent.start("p", { command: "other", directory: "" });
    await agent.start("p", { command: "refused" });
    await backend.processes[0]?.end(0);
    await agent.start("p", {});
    expect(backend.processes[1]?.spec).toMatchObject({ command: "other", directory: "" });
  });

  it("of modify() hold from the next run on", async () => {
    const { backend, agent, ends } = setUp();
    const first = await agent.start("p", {});
    expect(agent.modify("p", { command: "later", expectedExitCode: 1 }).outcome).toBe("done");
    await backend.processes[0]?.end(0);
    expect(await first.done).toBe(0);
    const second = await agent.start("p", {});
    expect(backend.processes[1]?.spec.command).toBe("later");
    await backend.processes[1]?.end(1);
    expect(await second.done).toBe(0);
    expect(ends.map(({ expectedExitCode }) => expectedExitCode)).toEqual([0, 1]);
  });

  it("of modify() hold for planned starts too, which carry the command of the file", async () => {
    const { backend, agent } = setUp();
    const planned = { command: base.command };
    await agent.load("p", planned);
    agent.modify("p", { command: "later" });
    await agent.start("p", planned);
    await backend.processes[0]?.end(0);
    await agent.start("p", { command: "once" });
    await backend.processes[1]?.end(0);
    await agent.start("p", planned);
    await backend.processes[2]?.end(0);
    agent.modify("p", planned);
    await agent.start("p", planned);
    const commands = backend.processes.map(({ spec }) => spec.command);
    expect(commands).toEqual(["later", "once", "later", base.command]);
  });

  it("do not make what was loaded before run", async () => {
    const { backend, agent } = setUp();
    await agent.load("p", {});
    agent.modify("p", { command: "later" });
    await agent.start("p", {});
    expect(backend.prepared.map(({ state }) => state)).toEqual(["discarded"]);
    expect(backend.processes[0]?.spec.command).toBe("later");
  });

  it("that name a shell or variables reach the node", async () => {
    const { backend, agent } = setUp({ shell: "csh", environment: [["A", "1"]] });
    await agent.start("p", {});
    expect(backend.processes[0]?.spec).toMatchObject({ shell: "csh", environment: { A: "1" } });
  });
});

describe("retire(), replace() and reload()", () => {
  it("run what is new, and stop and forget what has retired", async () => {
    const { backend, agent, ends } = setUp();
    agent.replace([base, { ...base, name: "q", command: "new" }]);
    await agent.start("q", {});
    expect(backend.processes[0]?.spec.command).toBe("new");
    const retired = agent.retire(new Set(["q", "nobody"]));
    await settle();
    expect(backend.processes[0]?.signals).toEqual(["SIGTERM group"]);
    await backend.processes[0]?.end("SIGTERM");
    expect(await retired).toEqual(new Set(["q"]));
    expect([agent.knows("q"), agent.knows("p")]).toEqual([false, true]);
    expect(ends).toMatchObject([{ name: "q", stopped: true }]);
  });

  it("let a program run on that is still there, and take its new configuration for the next run", async () => {
    const { backend, agent } = setUp();
    await agent.start("p", {});
    await agent.reload([{ ...base, command: "new" }]);
    expect(backend.processes[0]?.signals).toEqual([]);
    await backend.processes[0]?.end(0);
    await agent.start("p", {});
    expect(backend.processes[1]?.spec.command).toBe("new");
  });
});

describe("load()", () => {
  it("makes the start one of the program that was loaded, once", async () => {
    const { backend, agent, starts } = setUp();
    await agent.load("p", { command: "other" });
    await agent.load("p", { command: "other" });
    expect(starts).toEqual([]);
    expect(agent.active()).toEqual([]);
    await agent.start("p", { command: "other" });
    expect(backend.prepared.map(({ state }) => state)).toEqual(["started"]);
    await backend.processes[0]?.end(0);
    await agent.start("p", { command: "other" });
    expect(starts).toHaveLength(2);
    expect(backend.prepared).toHaveLength(1);
  });

  it.each([
    ["command", { command: "another" }],
    ["directory", { directory: "/elsewhere" }],
  ])("is given up when the start is of another %s", async (_what, args) => {
    const { backend, agent } = setUp();
    await agent.load("p", {});
    await agent.start("p", args);
    expect(backend.prepared.map(({ state }) => state)).toEqual(["discarded"]);
    expect(backend.processes[0]?.spec).toMatchObject(args);
  });

  it("that failed leaves the start to say why", async () => {
    const { backend, agent, ends } = setUp();
    backend.startError = "no luck";
    await agent.load("p", {});
    expect(ends).toEqual([]);
    expect((await agent.start("p", {})).outcome).toBe("failed: no luck");
    expect(ends).toHaveLength(1);
  });

  it("leaves nothing loaded at the end of the run, and loads nothing after it", async () => {
    const { backend, agent } = setUp();
    await agent.load("p", {});
    agent.beginEnd();
    await agent.load("p", {});
    await settle();
    expect(backend.prepared.map(({ state }) => state)).toEqual(["discarded"]);
  });
});

describe("a time limit", () => {
  it("ends the program, with SIGKILL when SIGTERM does not", async () => {
    const { clock, backend, agent, ends } = setUp({ timeoutSeconds: 5 });
    await agent.start("p", {});
    clock.advanceTo(4_999_000);
    expect(backend.processes[0]?.signals).toEqual([]);
    clock.advanceTo(5_000_000);
    expect(backend.processes[0]?.signals).toEqual(["SIGTERM group"]);
    clock.advanceTo(7_000_000);
    expect(backend.processes[0]?.signals).toEqual(["SIGTERM group", "SIGKILL group"]);
    await backend.processes[0]?.end("SIGKILL");
    expect(ends).toMatchObject([{ timedOut: true, stopped: false, signal: "SIGKILL" }]);
    expect(clock.armed).toBe(0);
  });

  it("leaves no timer behind when the program is faster", async () => {
    const { clock, backend, agent } = setUp({ timeoutSeconds: 5 });
    await agent.start("p", {});
    await backend.processes[0]?.end(0);
    expect(clock.armed).toBe(0);
  });

  it("of many days is not taken for one that is over", async () => {
    const delays: number[] = [];
    const { clock, agent } = setUp({ timeoutSeconds: 1e9 });
    const after = clock.after.bind(clock);
    clock.after = (delayMs, callback) => {
      delays.push(delayMs);
      return after(delayMs, callback);
    };
    await agent.start("p", {});
    // More than this makes the timer of the platform fire at once.
    expect(delays).toEqual([2 ** 31 - 1]);
  });
});

describe("stop(), kill() and the end of the run", () => {
  it("stop() asks the group to end, and what ends then is not judged", async () => {
    const { backend, agent, ends } = setUp();
    await agent.start("p", {});
    const result = agent.stop("p");
    expect(result.outcome).toBe("done");
    await backend.processes[0]?.end("SIGTERM");
    expect(await result.done).toBe(0);
    expect(ends).toMatchObject([{ stopped: true, signal: "SIGTERM" }]);
    expect(agent.stop("p").outcome).toBe("failed: it is not running");
  });

  it.each(["usr1", "SIGUSR1", "Usr1"])("kill() sends %s to the process alone", async (name) => {
    const { backend, agent } = setUp();
    await agent.start("p", {});
    expect(agent.kill("p", name).outcome).toBe("done");
    expect(backend.processes[0]?.signals).toEqual(["SIGUSR1 process"]);
  });

  it("kill() is what the sender wants: who dies of that signal is not judged, of another is", async () => {
    const { backend, agent, ends } = setUp();
    for (const signal of ["SIGKILL", "SIGSEGV"]) {
      const run = await agent.start("p", {});
      agent.kill("p", "KILL");
      await backend.processes.at(-1)?.end(signal);
      expect(await run.done).toBe(signal === "SIGKILL" ? 9 : 11);
    }
    expect(ends).toMatchObject([{ stopped: true }, { stopped: false }]);
  });

  it("halt() of an idle program is done at once", async () => {
    const { agent } = setUp();
    const result = agent.halt("p");
    expect([result.outcome, await result.done]).toEqual(["done", 0]);
  });

  it("halt() completes when the program has ended, and leaves the run its own completion", async () => {
    const { backend, agent } = setUp();
    const run = await agent.start("p", {});
    const halt = agent.halt("p");
    await backend.processes[0]?.end("SIGTERM");
    expect([await run.done, await halt.done]).toEqual([15, 0]);
  });

  it("stop() reaches a program that is just being started", async () => {
    const { backend, agent } = setUp();
    let release: () => void = () => undefined;
    backend.hold = new Promise((resolve) => {
      release = resolve;
    });
    const starting = agent.start("p", {});
    expect(agent.stop("p").outcome).toBe("done");
    release();
    await starting;
    await settle();
    expect(backend.processes[0]?.signals).toEqual(["SIGTERM group"]);
  });

  it("kill() refuses a signal that does not exist", async () => {
    const { backend, agent } = setUp();
    await agent.start("p", {});
    expect(agent.kill("p", "NONE").outcome).toMatch(/^failed: there is no signal NONE; use /);
    expect(backend.processes[0]?.signals).toEqual([]);
  });

  it("stopAll() waits for what was just being started, and stops it", async () => {
    const { backend, agent, ends } = setUp();
    let release: () => void = () => undefined;
    backend.hold = new Promise((resolve) => {
      release = resolve;
    });
    const starting = agent.start("p", {});
    let stopped = false;
    const all = agent.stopAll().then(() => {
      stopped = true;
    });
    release();
    await starting;
    await settle();
    expect(backend.processes[0]?.signals).toEqual(["SIGTERM group"]);
    expect(stopped).toBe(false);
    await backend.processes[0]?.end("SIGTERM");
    await all;
    expect(ends).toMatchObject([{ stopped: true }]);
  });

  it("beginEnd() starts nothing more, and judges nobody who ends afterwards", async () => {
    const { backend, agent, ends } = setUp();
    await agent.start("p", {});
    agent.beginEnd();
    await backend.processes[0]?.end(240);
    expect(ends).toMatchObject([{ stopped: true, exitCode: 240 }]);
    expect((await agent.start("p", {})).outcome).toBe("failed: the run is ending");
    expect(backend.processes).toHaveLength(1);
  });
});

describe("retire() and replace()", () => {
  it("stop what runs, whose end nobody judges, and let the new one start", async () => {
    const { backend, agent, ends } = setUp();
    await agent.start("p", {});
    const retired = agent.retire(new Set(["p", "other"]));
    await settle();
    expect(backend.processes[0]?.signals).toEqual(["SIGTERM group"]);
    expect((await agent.start("p", {})).outcome).toBe("failed: there is no program p");
    await backend.processes[0]?.end("SIGTERM");
    expect([...(await retired)]).toEqual(["p"]);
    expect(ends).toMatchObject([{ name: "p", stopped: true, signal: "SIGTERM" }]);
    agent.replace([{ ...base, command: "run another" }]);
    expect(agent.isDone("n0")).toBe(false);
    await agent.start("p", {});
    expect(backend.processes[1]?.spec).toMatchObject({ command: "run another" });
  });

  it("throw away what is loaded, and wait for what is just being started", async () => {
    const { backend, agent } = setUp();
    await agent.load("p", {});
    await agent.retire(new Set(["p"]));
    await settle();
    expect(backend.prepared.map(({ state }) => state)).toEqual(["discarded"]);
    agent.replace([base]);
    const { promise, resolve } = Promise.withResolvers<void>();
    backend.hold = promise;
    const starting = agent.start("p", {});
    const retired = agent.retire(new Set(["p"]));
    resolve();
    await starting;
    await settle();
    expect(backend.processes[0]?.signals).toEqual(["SIGTERM group"]);
    await backend.processes[0]?.end("SIGTERM");
    expect([...(await retired)]).toEqual(["p"]);
  });
});

describe("supersede()", () => {
  const other = { ...base, command: "run another" };

  it("lets who waits for the end wait for that of the next run (G1)", async () => {
    const { backend, agent, ends } = setUp();
    const { done } = await agent.start("p", {});
    let error: number | undefined;
    void done.then((value) => {
      error = value;
    });
    const superseding = agent.supersede(new Set(["p"]), new Set(["p"]));
    await backend.processes[0]?.end("SIGTERM");
    expect(await superseding).toEqual(new Set(["p"]));
    agent.replace([other]);
    await settle();
    expect(error).toBeUndefined();
    expect(ends).toMatchObject([{ stopped: true }]);
    await agent.start("p", {});
    expect(backend.processes[1]?.spec.command).toBe("run another");
    await backend.processes[1]?.end(3);
    expect(await done).toBe(3);
  });

  it("tells success who waits for what does not run again", async () => {
    for (const again of [new Set<string>(), new Set(["p"])]) {
      const { backend, agent } = setUp();
      const { done } = await agent.start("p", {});
      const superseding = agent.supersede(new Set(["p"]), again);
      await backend.processes[0]?.end("SIGTERM");
      await superseding;
      agent.replace([]);
      expect(await done).toBe(0);
    }
  });
});
