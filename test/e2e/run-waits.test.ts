// SPDX-License-Identifier: MIT
// Goal: what a file says about waiting happens: programs after others, barriers with members, what
// starts at a barrier, and what a barrier that is not crossed means. Method: files as people write
// them, run by `muster run`; what is looked at is what it leaves. Waits end by what they wait for;
// the only deadlines are those of barriers that are not to be crossed.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { modes } from "./nodes-support/harness.ts";
import { run, scratch, start, until } from "./support/command.ts";
import { type EndedRun, ended, readResult, readText } from "./support/experiment.ts";

function runYaml(
  text: string,
  argv: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<EndedRun> {
  const directory = scratch();
  const file = join(directory, "waits.yaml");
  writeFileSync(file, text);
  const out = join(directory, "out");
  const command = start("muster", ["run", file, "--out", out, ...argv], { env });
  return ended({ command, out, file });
}

const names = ({ result }: EndedRun): readonly string[] =>
  result.programs.map(({ name }) => name).toSorted();

function times({ result }: EndedRun, name: string): { started: number; ended: number } {
  const program = result.programs.find((one) => one.name === name);
  return { started: program?.startedUs ?? Number.NaN, ended: program?.endedUs ?? Number.NaN };
}

const whole = `
nodes: [a, b, c]
programs:
  setup: { node: a, command: "echo set up" }
  work: { node: [a, b, c], command: "emulab-sync -n ready", start: { after: setup } }
  measure: { node: a, command: "true", start: { when: barrier ready crossed, at: 700ms } }
  report: { node: b, command: "true", start: { after: [work, measure], when: barrier ready } }
barriers:
  ready: { members: [work], deadline: 60s }
`;

function expectWhole(ran: EndedRun): void {
  expect(ran.code).toBe(0);
  expect(ran.result.endedBy).toBe("idle");
  const [barrier, ...others] = ran.result.barriers;
  expect(others).toEqual([]);
  expect(barrier).toMatchObject({ name: "ready", kind: "roster", outcome: "crossed" });
  expect(barrier).toMatchObject({ expected: 3, missing: [] });
  expect(barrier?.participants.map(({ name, node }) => `${name} ${node}`).toSorted()).toEqual([
    ...["work-a a", "work-b b", "work-c c"],
  ]);
  for (const one of ["work-a", "work-b", "work-c"]) {
    expect(times(ran, one).started).toBeGreaterThanOrEqual(times(ran, "setup").ended);
    expect(times(ran, "report").started).toBeGreaterThanOrEqual(times(ran, one).ended);
  }
  const crossedUs = barrier?.crossedUs ?? Number.NaN;
  expect(times(ran, "measure").started).toBeGreaterThanOrEqual(crossedUs + 700_000);
  expect(times(ran, "report").started).toBeGreaterThanOrEqual(times(ran, "measure").ended);
}

describe.each(modes)("in %s mode", (mode) => {
  test("programs start after others and at a barrier, which its members meet at", async () => {
    expectWhole(await runYaml(whole, [], { MUSTER_NODES: mode }));
  });

  test("programs meet with the old client and a native one, by the door of the run", async () => {
    const ran = await runYaml(
      `
nodes: [a, b]
programs:
  old: { node: a, command: "emulab-sync -n all" }
  new: { node: b, command: "muster barrier wait all" }
barriers:
  all: { count: 2, deadline: 60s }
`,
      [],
      { MUSTER_NODES: mode },
    );
    expect(ran.code).toBe(0);
    expect(ran.result.barriers).toMatchObject([{ kind: "count", outcome: "crossed", expected: 2 }]);
    const came = ran.result.barriers[0]?.participants.map(({ name, node }) => `${name} ${node}`);
    expect(came?.toSorted()).toEqual(["anonymous, from a a", "new b"]);
  });
});

test("a native client is the member that its program is, early and late", async () => {
  const ran = await runYaml(`
nodes: [a, b]
programs:
  old: { node: a, command: "emulab-sync -n all" }
  new: { node: b, command: "muster barrier wait all && muster barrier wait all" }
  more: { node: b, command: "muster barrier wait some", start: { after: new } }
barriers:
  all: { members: [old, new], deadline: 60s }
  some: { members: [more], quorum: 100%, deadline: 60s }
`);
  expect(ran.code).toBe(0);
  const [all, some] = ran.result.barriers;
  expect(all?.participants.map(({ name, node }) => `${name} ${node}`).toSorted()).toEqual([
    ...["new b", "old a"],
  ]);
  expect(some?.participants).toMatchObject([{ name: "more", node: "b" }]);
});

test("the same with a scheduler of its own", async () => {
  expectWhole(await runYaml(whole, ["--split"]));
});

test("whoever does not come is named, its waiters hear it, and what waits for that starts", async () => {
  const ran = await runYaml(`
nodes: [a, b, c]
programs:
  come: { node: [a, b], command: "emulab-sync -n ready", expect: 240 }
  stay: { node: c, command: "true" }
  blame: { node: c, command: "echo late", start: { when: barrier ready timeout } }
  go: { node: c, command: "true", start: { when: barrier ready crossed } }
barriers:
  ready: { members: [a, b, c], deadline: 4s }
`);
  expect(ran.code).toBe(1);
  expect(ran.result.barriers).toMatchObject([
    { name: "ready", kind: "roster", outcome: "timeout", arrived: 2, missing: ["c"] },
  ]);
  expect(ran.result.barriers[0]?.participants.map(({ name }) => name).toSorted()).toEqual([
    ...["a", "b"],
  ]);
  expect(names(ran)).toEqual(["blame", "come-a", "come-b", "stay"]);
  expect(ran.stdout + ran.stderr).toContain("missing: c");
  expect(ran.text("report.html")).toMatch(/missing[^<]*(<[^>]*>)*[^<]*c/);
});

const late = (onFailure: string): string => `
nodes: [a, b]
programs:
  come: { node: a, command: "emulab-sync -n ready", expect: 240 }
  serve: { node: b, command: "sleep 300", start: 0s }
barriers:
  ready: { members: [a, b], deadline: 4s, onFailure: ${onFailure} }
events:
  - { when: barrier ready timeout, at: 200ms, target: serve, do: stop }
`;

test.each([
  ["fail", 1, "idle"],
  ["continue", 0, "idle"],
  ["stop", 1, "failure"],
])("onFailure: %s", async (policy, code, endedBy) => {
  const junit = join(scratch(), "junit.xml");
  const ran = await runYaml(late(policy), ["--junit", junit]);
  expect(readText(junit)).toContain(policy === "continue" ? 'failures="0"' : "timed out");
  expect([ran.code, ran.result.endedBy]).toEqual([code, endedBy]);
  expect(ran.result.barriers).toMatchObject([{ outcome: "timeout", missing: ["b"] }]);
  if (policy !== "stop") return;
  expect(ran.result.error?.code).toBe("BARRIER_FAILED");
  expect(ran.result.error?.message).toContain("barrier ready timed out; missing: b");
});

test("a member that dies fails its barrier at once, and is named with the reason", async () => {
  const ran = await runYaml(`
nodes: [a, b]
programs:
  come: { node: a, command: "emulab-sync -n ready", expect: 240 }
  die: { node: b, command: "exit 7" }
barriers:
  ready: { members: [come, die] }
`);
  expect(ran.code).toBe(1);
  expect(ran.result.barriers).toMatchObject([
    {
      outcome: "failed",
      missing: expect.arrayContaining([expect.stringMatching(/^die \(dead: .*7/)]),
    },
  ]);
  expect(ran.result.programs.find(({ name }) => name === "come")?.exitCode).toBe(240);
});

test("a member that ends without coming is dead, and the barrier's rule decides", async () => {
  const ran = await runYaml(`
nodes: [a, b]
programs:
  come: { node: a, command: "emulab-sync -n strict; test $? = 240 && emulab-sync -n lenient" }
  gone: { node: b, command: "true" }
barriers:
  strict: { members: [come, gone], onFailure: continue }
  lenient: { members: [come, gone], whenDead: shrink }
`);
  expect(ran.code).toBe(0);
  expect(ran.result.barriers).toMatchObject([
    { name: "strict", outcome: "failed" },
    { name: "lenient", outcome: "crossed", missing: [] },
  ]);
  // On a busy machine "come" is not there yet when "gone" is known to be dead, a second later.
  const missing = ran.result.barriers[0]?.missing.filter((who) => who !== "come");
  expect(missing).toEqual(["gone (dead: ended before the barrier was crossed)"]);
});

test("a part of the members crosses a quorum, and who comes later passes", async () => {
  const ran = await runYaml(`
nodes: [a, b, c]
programs:
  early: { node: [a, b], command: "emulab-sync -n some" }
  late: { node: c, command: "emulab-sync -n some", start: { when: barrier some crossed } }
barriers:
  some: { members: [a, b, c], quorum: 60%, deadline: 60s }
`);
  expect(ran.code).toBe(0);
  expect(ran.result.barriers).toMatchObject([
    { kind: "quorum", outcome: "crossed", expected: 2, arrived: 2 },
  ]);
});

test("programs that wait for one that failed never start; the run says so and ends", async () => {
  const ran = await runYaml(`
nodes: [a, b]
programs:
  serve: { node: b, command: "sleep 300" }
  setup: { node: a, command: "exit 3" }
  work: { node: [a, b], command: "true", start: { after: setup } }
  report: { node: a, command: "true", start: { after: work } }
`);
  expect(ran.code).toBe(1);
  expect(names(ran)).toEqual(["serve", "setup"]);
  expect(ran.result.error).toEqual({
    code: "DEPENDENCY",
    message: "work-a, work-b, report cannot start: setup on a exited with 3, expected 0",
  });
});

test("a run in which everybody waits for who cannot come is found, though events wait", async () => {
  const ran = await runYaml(`
nodes: [a, b]
programs:
  come: { node: a, command: "emulab-sync -n ready" }
  stay: { node: b, command: "true" }
  after: { node: b, command: "true", start: { after: come } }
barriers:
  ready: { members: [come, stay], whenDead: wait }
`);
  expect(ran.code).toBe(1);
  expect(ran.result.error?.code).toBe("BARRIER_STUCK");
  expect(ran.result.barriers).toMatchObject([
    { outcome: "cancelled", missing: ["stay (dead: ended before the barrier was crossed)"] },
  ]);
});

test("an experiment of a daemon waits in the same way, with its scheduler elsewhere", async () => {
  const state = join(scratch(), "state");
  const env = { MUSTER_STATE: state };
  const file = join(scratch(), "whole.yaml");
  writeFileSync(file, whole);
  try {
    const up = await run("muster", ["up", file], { env });
    expect([up.stderr, up.code]).toEqual(["", 0]);
    const out = join(state, "experiments/muster/whole/runs/1");
    await until("it has ended", () => existsSync(join(out, "result.json")));
    const result = readResult(out);
    expectWhole({ ...up, code: 0, out, file, result, text: () => "" });
  } finally {
    await run("muster", ["serve", "--stop"], { env });
  }
});

test("what is replayed waits anew, at barriers that are open again", async () => {
  const text = `
nodes: [a, b]
programs:
  setup: { node: a, command: "true" }
  work: { node: [a, b], command: "emulab-sync -n ready", start: { after: setup } }
  again:
    node: a
    command: "test -e $EXPDIR/was || { touch $EXPDIR/was; muster event replay $PID/$EID; }"
    start: { when: barrier ready }
  end: { node: b, command: "true", start: { when: barrier ready, at: 1s } }
barriers:
  ready: { members: [work], deadline: 60s }
`;
  const ran = await runYaml(text);
  expect(ran.result.barriers.map(({ generation, outcome }) => [generation, outcome])).toEqual([
    [1, "crossed"],
    [2, "crossed"],
  ]);
  expect(names(ran).filter((name) => name === "setup")).toHaveLength(2);
  expect(ran.code).toBe(0);
});
