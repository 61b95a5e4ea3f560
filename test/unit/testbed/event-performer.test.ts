// SPDX-License-Identifier: MIT
// Goal: each event reaches the agent that serves its object, and says honestly what came of it.
import { describe, expect, it } from "vitest";
import type { AgendaEvent } from "../../../src/core/agenda/commands.ts";
import type { Program } from "../../../src/experiment/model.ts";
import { EarlierArgs } from "../../../src/testbed/agents/earlier-args.ts";
import { EventPerformer } from "../../../src/testbed/agents/event-performer.ts";
import type { ObjectAgent } from "../../../src/testbed/agents/performed.ts";
import { ProgramAgent } from "../../../src/testbed/agents/program-agent.ts";
import { FakeClock } from "../record/fake-clock.ts";
import { makeExperiment } from "../record/synthetic-run.ts";
import { FakeBackend } from "./fake-backend.ts";

const at = { file: "a.ns", line: 1, column: 1 };

function program(name: string, command: string, isStartCommand = false): Program {
  return {
    ...{ name, node: "n0", command, isStartCommand, directory: "", timeoutSeconds: 0 },
    ...{ expectedExitCode: 0, at },
  };
}

function setUp() {
  const clock = new FakeClock();
  const backend = new FakeBackend(clock, ["n0"]);
  const programs = [program("a", "do a"), program("b", "do b"), program("s", "inner", true)];
  const agent = new ProgramAgent({
    ...{ backend, programs, clock },
    onStarted: () => undefined,
    onEnded: () => undefined,
  });
  const groups = [{ name: "both", members: ["a", "b", "somelink"] }];
  const told: string[] = [];
  const record = (name: string): ObjectAgent => ({
    perform: async ({ event, args }, { token }) => {
      told.push(`${name} ${event} ${args} ${token}`);
      return { firedMonotonicUs: 0, outcome: "done", done: Promise.resolve(0) };
    },
  });
  const performer = new EventPerformer({
    experiment: makeExperiment({ programs, groups }),
    ...{ programs: agent, clock },
    simulator: record("simulator"),
    nodes: record("nodes"),
  });
  const perform = (object: string, type: string, event: string, args = "") =>
    performer.perform({ id: 0, object, type, event, args } satisfies AgendaEvent, { token: 7 });
  const commands = () => backend.processes.map(({ spec }) => spec.command);
  return { clock, backend, agent, perform, told, commands };
}

describe("perform()", () => {
  it.each(["START", "RUN"])("completes %s when the program ends", async (event) => {
    const { backend, perform } = setUp();
    const performed = await perform("b", "PROGRAM", event);
    expect(performed.outcome).toBe("done");
    await backend.processes[0]?.end(5);
    expect(await performed.done).toBe(5);
  });

  it("runs what COMMAND says, to the end of the line", async () => {
    const { perform, commands } = setUp();
    await perform("a", "PROGRAM", "START", "DIR={/x y} COMMAND=echo 'COMMAND=no' && DIR=1");
    expect(commands()).toEqual(["echo 'COMMAND=no' && DIR=1"]);
  });

  it("takes the wrapper off a start command, and only the wrapper", async () => {
    const wrapped = (inner: string) => `COMMAND=(${inner} ; /usr/local/etc/emulab/startcmddone $?)`;
    const { perform, commands, backend } = setUp();
    for (const args of [wrapped("inner"), "", wrapped("another")]) {
      await perform("s", "PROGRAM", "START", args);
      await backend.processes.at(-1)?.end(0);
    }
    expect(commands()).toEqual([
      ...["inner", "inner", "(another ; /usr/local/etc/emulab/startcmddone $?)"],
    ]);
  });

  it("RELOAD of a node's program agent ends what runs there, and brings the file back", async () => {
    const { backend, perform, commands } = setUp();
    await perform("a", "PROGRAM", "MODIFY", "COMMAND=other");
    await perform("a", "PROGRAM", "START");
    const reloaded = await perform("__n0_program-agent", "PROGRAM", "RELOAD");
    expect(reloaded.outcome).toBe("done");
    expect(backend.processes[0]?.signals).toEqual(["SIGTERM group"]);
    // Nothing is started there before it is over.
    const early = await perform("b", "PROGRAM", "START");
    expect(early.outcome).toMatch(/^failed: /);
    await backend.processes[0]?.end("SIGTERM");
    expect(await reloaded.done).toEqual({ error: 0, text: "" });
    await perform("a", "PROGRAM", "START");
    expect(commands()).toEqual(["other", "do a"]);
    const other = await perform("__n0_program-agent", "PROGRAM", "START");
    expect(other.outcome).toMatch(/^ignored: /);
  });

  it("completes a START that failed with its error", async () => {
    const { perform, agent } = setUp();
    await agent.start("b", {});
    const result = await perform("b", "PROGRAM", "START");
    expect(result.outcome).toBe("failed: it is still running");
    expect(await result.done).toBe(-1);
  });

  it("hands events of the simulator and of nodes to their agents, with the token", async () => {
    const { perform, told } = setUp();
    await perform("ns", "SIMULATOR", "MESSAGE", "half way");
    await perform("n0", "NODE", "REBOOT");
    expect(told).toEqual(["simulator MESSAGE half way 7", "nodes REBOOT  7"]);
  });

  it("says that nobody tests links where nobody does, and never that they passed", async () => {
    const result = await setUp().perform("linktest", "LINKTEST", "START", "STARTAT=1 STOPAT=3");
    expect(result.outcome).toMatch(/^ignored: no agent serves LINKTEST START/);
  });

  it.each([
    ["l0", "LINK", "DOWN"],
    ["cbr", "TRAFGEN", "START"],
    ["a", "PROGRAM", "EXPLODE"],
  ])("ignores %s %s %s, and says so", async (object, type, event) => {
    const { perform, commands } = setUp();
    const result = await perform(object, type, event);
    expect(result.outcome).toMatch(/^ignored: /);
    expect(await result.done).toBe(0);
    expect(commands()).toEqual([]);
  });

  it("keeps what MODIFY brings for the next start", async () => {
    const { perform, commands } = setUp();
    expect((await perform("a", "PROGRAM", "MODIFY", "COMMAND=other")).outcome).toBe("done");
    await perform("a", "PROGRAM", "START");
    expect(commands()).toEqual(["other"]);
  });

  it("completes HALT when the program has ended, at once when it does not run", async () => {
    const { perform, backend } = setUp();
    expect(await (await perform("a", "PROGRAM", "HALT")).done).toBe(0);
    await perform("a", "PROGRAM", "START");
    const halt = await perform("a", "PROGRAM", "HALT");
    expect(backend.processes[0]?.signals).toEqual(["SIGTERM group"]);
    await backend.processes[0]?.end("SIGTERM");
    expect(await halt.done).toBe(0);
  });

  it("sends the signal that KILL names, TERM without one", async () => {
    const { perform, backend } = setUp();
    await perform("a", "PROGRAM", "START");
    await perform("a", "PROGRAM", "KILL", "SIGNAL=hup");
    await perform("a", "PROGRAM", "KILL");
    await perform("a", "PROGRAM", "STOP");
    expect(backend.processes[0]?.signals).toEqual([
      ...["SIGHUP process", "SIGTERM process", "SIGTERM group"],
    ]);
  });
});

describe("EarlierArgs", () => {
  it("makes what said only the command of its time say that of now", () => {
    const earlier = new EarlierArgs();
    const now = program("a", "do it better");
    expect(earlier.renew(now, "COMMAND=do a")).toBe("COMMAND=do a");
    earlier.add([program("a", "do a"), program("b", "do b")]);
    earlier.add([program("a", "do a again")]);
    expect(earlier.renew(now, "COMMAND=do a")).toBe("COMMAND=do it better");
    expect(earlier.renew(now, "COMMAND=do a again")).toBe("COMMAND=do it better");
    for (const other of ["COMMAND=do b", "DIR=/x COMMAND=do a", ""]) {
      expect(earlier.renew(now, other)).toBe(other);
    }
  });
});
