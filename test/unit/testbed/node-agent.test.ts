// SPDX-License-Identifier: MIT
// Goal: node events complete for each node by itself with what came of them; nodes do not wait for
// each other, and two events for one node do. Method: restarts that end when the test says so, then
// the real restart on nodes without processes.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Program } from "../../../src/experiment/model.ts";
import { NodeAgent } from "../../../src/testbed/agents/node-agent.ts";
import { ProgramAgent } from "../../../src/testbed/agents/program-agent.ts";
import type { NodeBoot } from "../../../src/testbed/node-boot.ts";
import { NodeChanges } from "../../../src/testbed/node-changes.ts";
import { NodeRestarter } from "../../../src/testbed/restart-node.ts";
import type { ProgramEnded } from "../../../src/testbed/run-event.ts";
import { FakeClock } from "../record/fake-clock.ts";
import { makeExperiment } from "../record/synthetic-run.ts";
import { FakeBackend, settle } from "./fake-backend.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "muster-node-agent-"));
  mkdirSync(join(directory, "proj"));
  for (const name of ["n0", "n1"]) {
    mkdirSync(join(directory, "nodes", name, "local/logs"), { recursive: true });
  }
});
afterEach(() => rmSync(directory, { recursive: true }));

const logs = () => ({
  experiment: join(directory, "proj"),
  nodesDirectory: join(directory, "nodes"),
  nodes: ["n0", "n1"],
});

const event = (object: string, what: string, args = "") => ({
  ...{ id: 0, object, type: "NODE", event: what, args },
});

describe("NodeAgent", () => {
  function setUp() {
    const under: { readonly node: string; readonly files: string; end: (why?: string) => void }[] =
      [];
    const restarted: string[] = [];
    const agent = new NodeAgent({
      ...{ clock: new FakeClock(), changes: new NodeChanges(), logs },
      restarter: {
        refusal: (node) => (node === "no" ? "there is no node no" : undefined),
        restart: ({ node, files }) =>
          new Promise((resolve, reject) => {
            const end = (why?: string): void =>
              why === undefined ? resolve() : reject(new Error(why));
            under.push({ node, files, end });
          }),
      },
      onRestarted: (node) => restarted.push(node),
    });
    const perform = (object: string, what: string, args = "") =>
      agent.perform(event(object, what, args), { token: 5 });
    return { agent, perform, under, restarted };
  }

  it("restarts nodes beside each other, and one node again only afterwards (fault 16)", async () => {
    const { perform, under, restarted } = setUp();
    const first = await perform("n0", "REBOOT");
    await perform("n0", "RELOAD");
    await perform("n1", "REBOOT");
    await settle();
    expect(under).toMatchObject([
      { node: "n0", files: "keep" },
      { node: "n1", files: "keep" },
    ]);
    under[0]?.end();
    expect(await first.done).toEqual({ error: 0, text: "" });
    await settle();
    expect(under[2]).toMatchObject({ node: "n0", files: "empty" });
    expect(restarted).toEqual(["n0"]);
  });

  it("completes with -1 and why, and leaves it in a file of the node (fault 19)", async () => {
    const { perform, under } = setUp();
    const { done } = await perform("n0", "REBOOT");
    await settle();
    under[0]?.end("it has no name spaces");
    const text = "n0 was not restarted: it has no name spaces";
    expect(await done).toEqual({ error: -1, text });
    expect(readFileSync(join(directory, "proj/logs/n0/node-control.5"), "utf8")).toBe(`${text}\n`);
  });

  it("completes with -1 when the node may not be restarted", async () => {
    const { perform, under } = setUp();
    const { done, outcome } = await perform("no", "REBOOT");
    expect(outcome).toBe("failed: no was not restarted: there is no node no");
    expect(await done).toBe(-1);
    const control = join(directory, "proj/logs/no/node-control.5");
    expect(readFileSync(control, "utf8")).toBe("no was not restarted: there is no node no\n");
    expect(under).toEqual([]);
  });

  it.each([
    ["SNAPSHOT", "IMAGE=i", /have no images/],
    ["RELOAD", "IMAGE=i", /have no images/],
    ["SETDEST", "X=1 Y=2 SPEED=1", /do not move/],
  ])("refuses %s %s", async (what, args, why) => {
    const result = await setUp().perform("n0", what, args);
    expect(result.outcome).toMatch(why);
    expect(await result.done).toBe(-1);
  });
});

describe("NodeRestarter", () => {
  const program = (name: string, node: string, isStartCommand: boolean): Program => ({
    ...{ name, node, command: `do ${name}`, isStartCommand, directory: "", timeoutSeconds: 0 },
    ...{ expectedExitCode: 0, at: { file: "a.ns", line: 1, column: 1 } },
  });

  function setUp() {
    const clock = new FakeClock();
    const logsOf = (node: string) => join(directory, "nodes", node, "local/logs");
    const backend = new FakeBackend(clock, ["n0", "n1"], logsOf);
    const programs = [
      program("n0_startcmd", "n0", true),
      program("web", "n0", false),
      program("n1_startcmd", "n1", true),
    ];
    const ended: ProgramEnded[] = [];
    const agent = new ProgramAgent({
      ...{ backend, programs, clock },
      onStarted: () => undefined,
      onEnded: (one) => ended.push(one),
    });
    const experiment = makeExperiment({
      nodes: ["n0", "n1"].map((name) => ({
        ...{ name, osName: "", hardwareType: "", failureAction: "fatal" as const },
        at: { file: "a.ns", line: 1, column: 1 },
      })),
      programs,
    });
    const booted: string[] = [];
    const boot: NodeBoot = {
      bootMore: async (nodes) => {
        for (const { name } of nodes) booted.push(name);
      },
      tell: () => undefined,
      nameOthers: async () => [],
      stop: () => undefined,
    };
    const warnings: string[] = [];
    const restarter = new NodeRestarter({
      ...{ backend, programs: agent, traffic: undefined, logs },
      boot: () => boot,
      told: () => ({ experiment: { ...experiment, syncServer: "n1" }, tables: undefined }),
      planNode: (_, name) => ({ name, links: [] }),
      isEnding: () => false,
      onWarning: (_, text) => warnings.push(text),
    });
    return { backend, agent, restarter, booted, ended, warnings };
  }

  it("N1 stops what runs there, boots it, and starts its start command with the token", async () => {
    const { backend, agent, restarter, booted, ended } = setUp();
    for (const name of ["n0_startcmd", "web", "n1_startcmd"]) await agent.start(name, {});
    const [first, second, other] = backend.processes;
    const restart = restarter.restart({ node: "n0", files: "keep", token: 77 });
    await settle();
    expect([first?.signals, second?.signals, other?.signals]).toEqual([
      ...[["SIGTERM group"], ["SIGTERM group"], []],
    ]);
    // Meanwhile nothing starts there.
    const refusal = await agent.start("web", {});
    expect(refusal.outcome).toBe("failed: its node n0 is being restarted");
    await first?.end("SIGTERM");
    await second?.end("SIGTERM");
    await restart;
    expect(booted).toEqual(["n0"]);
    expect(ended.map(({ name, stopped }) => [name, stopped])).toEqual([
      ["n0_startcmd", true],
      ["web", true],
    ]);
    expect(backend.processes.slice(3).map(({ spec }) => spec.name)).toEqual(["n0_startcmd"]);
    expect(backend.processes[3]?.spec.stdout).toMatch(/n0_startcmd\.out\.77$/);
    expect((await agent.start("web", {})).outcome).toBe("done");
  });

  it("removes logs at RELOAD when they are copied, and keeps them at REBOOT", async () => {
    const original = join(directory, "nodes/n0/local/logs/a.out");
    writeFileSync(original, "a");
    await setUp().restarter.restart({ node: "n0", files: "keep", token: 1 });
    expect(readFileSync(original, "utf8")).toBe("a");
    const { restarter, warnings } = setUp();
    await restarter.restart({ node: "n0", files: "empty", token: 2 });
    expect(() => readFileSync(original)).toThrow("ENOENT");
    expect(readFileSync(join(directory, "proj/logs/n0/local/logs/a.out"), "utf8")).toBe("a");
    expect(warnings).toEqual([]);
  });

  it("N2 leaves a node gone that does not come back, and its programs say so", async () => {
    const { backend, agent, restarter } = setUp();
    backend.startError = "no room";
    const wish = { node: "n0", files: "keep", token: 1 } as const;
    await expect(restarter.restart(wish)).rejects.toThrow("no room");
    backend.startError = undefined;
    expect((await agent.start("web", {})).outcome).toBe("failed: there is no node n0");
  });

  it("refuses the node of the sync server, and one that is not there", () => {
    const { restarter } = setUp();
    expect(restarter.refusal("n0")).toBeUndefined();
    expect(restarter.refusal("n1")).toMatch(/sync server is on n1/);
    expect(restarter.refusal("n9")).toBe("there is no node n9");
  });
});
