// SPDX-License-Identifier: MIT
// Goal: a start that is planned for an instant happens then, once, or is taken back; whatever else
// is done to the program meanwhile.
// Method: as in program-agent.test.ts; triggers are descriptors of a file, which show what was
// written to them.
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Program } from "../../../src/experiment/model.ts";
import { ProgramAgent, type ProgramResult } from "../../../src/testbed/agents/program-agent.ts";
import { FakeClock } from "../record/fake-clock.ts";
import { FakeBackend, settle } from "./fake-backend.ts";

const program: Program = {
  ...{ name: "p", node: "n0", command: "run it", isStartCommand: false, directory: "" },
  ...{ timeoutSeconds: 0, expectedExitCode: 0, at: { file: "a.ns", line: 1, column: 1 } },
};

let directory: string;
let descriptor: number;
let clock: FakeClock;
let backend: FakeBackend;
let agent: ProgramAgent;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "muster-planned-"));
  descriptor = openSync(join(directory, "trigger"), "w");
  clock = new FakeClock();
  backend = new FakeBackend(clock, ["n0"]);
  backend.trigger = { descriptor, text: "go\n" };
  const nobody = (): void => undefined;
  agent = new ProgramAgent({
    ...{ backend, clock, programs: [program], onStarted: nobody, onEnded: nobody },
  });
});

afterEach(() => {
  closeSync(descriptor);
  rmSync(directory, { recursive: true });
});

const written = (): string => readFileSync(join(directory, "trigger"), "utf8");
const states = (): readonly string[] => backend.prepared.map(({ state }) => state);

/** Asks for a start and lets it be armed. */
async function plan(dueUs: number, token: number, command?: string) {
  const args = command === undefined ? {} : { command };
  const planned: { result?: ProgramResult } = {};
  void agent.start("p", args, { dueUs, token }).then((result) => {
    planned.result = result;
  });
  await settle();
  return planned;
}

describe("a planned start", () => {
  it("writes the trigger at the instant and reports that instant", async () => {
    const planned = await plan(500, 4);
    expect(written()).toBe("");
    expect(agent.isDone("n0")).toBe(false);
    clock.advanceTo(499);
    await settle();
    expect([written(), planned.result]).toEqual(["", undefined]);
    clock.advanceTo(900);
    await settle();
    expect(written()).toBe("go\n");
    expect(planned.result).toMatchObject({ firedMonotonicUs: 500, outcome: "done" });
    expect(states()).toEqual(["released"]);
    await backend.processes[0]?.end(0);
    expect(await planned.result?.done).toBe(0);
    expect(agent.isDone("n0")).toBe(true);
  });

  it("that is past starts at once", async () => {
    clock.advanceTo(900);
    const planned = await plan(500, 4);
    expect(planned.result).toMatchObject({ firedMonotonicUs: 900, outcome: "done" });
  });

  it("without a trigger starts at the instant too", async () => {
    backend.trigger = undefined;
    const planned = await plan(500, 4);
    clock.advanceTo(500);
    await settle();
    expect(planned.result).toMatchObject({ firedMonotonicUs: 500, outcome: "done" });
    expect(states()).toEqual(["started"]);
  });

  it("of a program that runs until then starts", async () => {
    await agent.start("p", {});
    const planned = await plan(500, 4);
    await backend.processes[0]?.end(0);
    clock.advanceTo(500);
    await settle();
    expect(planned.result?.outcome).toBe("done");
    expect(backend.processes).toHaveLength(2);
  });

  it("of a program that still runs then is refused, with a completion of its own", async () => {
    const run = await agent.start("p", {}, { token: 3 });
    const planned = await plan(500, 4);
    clock.advanceTo(500);
    await settle();
    expect(planned.result?.outcome).toBe("failed: it is still running");
    expect(await planned.result?.done).toBe(-1);
    await backend.processes[0]?.end(0);
    expect(await run.done).toBe(0);
  });

  it("finds the program running when another start came in between", async () => {
    const planned = await plan(500, 4);
    expect((await agent.start("p", {}, { token: 5 })).outcome).toBe("done");
    clock.advanceTo(500);
    await settle();
    expect(planned.result?.outcome).toBe("failed: it is still running");
    expect(written()).toBe("");
    expect(backend.processes).toHaveLength(1);
  });

  it("is of what modify() said in between", async () => {
    const planned = await plan(500, 4);
    agent.modify("p", { command: "other" });
    clock.advanceTo(500);
    await settle();
    expect(planned.result?.outcome).toBe("done");
    expect(states()).toEqual(["discarded"]);
    expect(backend.processes.map(({ spec }) => spec.command)).toEqual(["other"]);
  });
});

describe("two planned starts of one program", () => {
  it.each([
    ["the same instant", 500],
    ["another", 600],
  ])("at %s: the first runs, the second is refused", async (_what, second) => {
    const both = [await plan(500, 4), await plan(second, 5)];
    clock.advanceTo(700);
    await settle();
    expect(both.map(({ result }) => result?.outcome)).toEqual([
      ...["done", "failed: it is still running"],
    ]);
    expect(written()).toBe("go\n");
  });
});

describe("revoke()", () => {
  it("takes the start back, and leaves the program loaded for the next", async () => {
    const planned = await plan(500, 4);
    expect(agent.revoke("p", 4)).toBe("cancelled");
    await settle();
    expect(planned.result?.outcome).toBe("cancelled");
    clock.advanceTo(700);
    expect([written(), states()]).toEqual(["", ["loaded"]]);
    await agent.start("p", {});
    expect(states()).toEqual(["started"]);
  });

  it("of what was started, refused or never asked for changes nothing", async () => {
    await plan(500, 4);
    clock.advanceTo(500);
    await settle();
    expect([agent.revoke("p", 4), agent.revoke("p", 9), agent.revoke("q", 1)]).toEqual([
      ...[undefined, undefined, undefined],
    ]);
    expect(agent.active()).toHaveLength(1);
  });
});

it("the end of the run refuses what is armed and gives up what is loaded", async () => {
  const planned = await plan(500, 4);
  agent.beginEnd();
  await settle();
  expect(planned.result?.outcome).toBe("failed: the run is ending");
  clock.advanceTo(700);
  expect([written(), states(), clock.armed]).toEqual(["", ["discarded"], 0]);
});

describe("a planned start on another machine", () => {
  beforeEach(() => {
    backend.trigger = undefined;
    backend.aheadUs = 30;
  });

  it("is asked for ahead of its instant, and has started at it", async () => {
    const planned = await plan(500, 4);
    clock.advanceTo(469);
    await settle();
    expect(states()).toEqual(["loaded"]);
    clock.advanceTo(470);
    await settle();
    expect(states()).toEqual(["asked for 500"]);
    expect(planned.result).toMatchObject({ outcome: "done", firedMonotonicUs: 500 });
  });

  it("is taken back as long as it has not been asked for, and never guessed", async () => {
    await plan(500, 4);
    clock.advanceTo(400);
    expect(agent.revoke("p", 4)).toBe("cancelled");
    await plan(600, 5);
    clock.advanceTo(570);
    expect(agent.revoke("p", 5)).not.toBe("cancelled");
    await settle();
    expect(backend.asked).toEqual(["p"]);
  });
});
