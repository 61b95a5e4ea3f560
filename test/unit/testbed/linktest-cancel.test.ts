// SPDX-License-Identifier: MIT
// Goal: whoever ends a linktest ends every probe on every node, and nothing waits in between: the
// second that this may take is all the operating system's. Also a probe that was just being started
// ends, none is started afterwards, and another linktest can begin. Probes that cannot run are told
// of, with the reason. Method: the agent of a run with
// nodes whose programs end when the test says so, and a clock that stands still: what is done
// without it moving has waited for no timer.
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseNsFile } from "../../../src/experiment/index.ts";
import { untestable, type Verdict } from "../../../src/linktest/index.ts";
import { describeNotProbed, LinktestAgent } from "../../../src/testbed/linktest/linktest-agent.ts";
import { testBeforeTime } from "../../../src/testbed/linktest/test-before-time.ts";
import type { RunningNode } from "../../../src/testbed/nodes/index.ts";
import type { RunEventBody } from "../../../src/testbed/run-event.ts";
import { FakeClock } from "../record/fake-clock.ts";
import { FakeBackend, settle } from "./fake-backend.ts";

const source = `set ns [new Simulator]
set a [$ns node]
set b [$ns node]
set c [$ns node]
set d [$ns node]
set l [$ns duplex-link $a $b 10Mb 2ms DropTail]
set m [$ns duplex-link $c $d 10Mb 2ms DropTail]
$ns run
`;
const names = ["a", "b", "c", "d"];
const start = { id: 1, object: "linktest", type: "LINKTEST", event: "START", args: "STOPAT=4" };

let clock = new FakeClock();
let backend = new FakeBackend(clock, names);
let said: RunEventBody[] = [];
let agent: LinktestAgent;
let out = "";

beforeEach(() => {
  out = mkdtempSync(join(tmpdir(), "muster-linktest-cancel-"));
  mkdirSync(join(out, "proj"));
  clock = new FakeClock();
  backend = new FakeBackend(clock, names);
  for (const [name, node] of backend.nodes) {
    const address = { loopback: `127.0.0.${name.charCodeAt(0)}`, link: name < "c" ? "l" : "m" };
    backend.nodes.set(name, { ...node, addresses: [address] } as unknown as RunningNode);
  }
  said = [];
  const { experiment, diagnostics } = parseNsFile(source, { file: "x", pid: "p", eid: "e" });
  if (experiment === undefined) throw new Error(JSON.stringify(diagnostics));
  agent = new LinktestAgent({
    ...{ backend, clock, out, syncPort: 16534, told: () => ({ experiment, tables: {} }) },
    say: (body) => said.push(body),
    announce: () => undefined,
  });
});
afterEach(() => rmSync(out, { recursive: true, force: true }));

const killed = () => backend.processes.map(({ signals }) => signals.join());
const everywhere = names.map(() => "SIGKILL group");

/** The kernel has ended them. */
async function reap(): Promise<void> {
  for (const process of backend.processes) await process.end("SIGKILL");
  await settle();
}

/** The wish to end it; what it returns is not waited for before the probes are looked at. */
const wishes: readonly (readonly [string, () => unknown])[] = [
  ["a KILL event", () => agent.perform({ ...start, event: "KILL", args: "" })],
  ["the end of the run", () => agent.kill()],
  ["the last that a run does", () => agent.close()],
];

describe("the probes of a linktest", () => {
  it.each(wishes)(
    "are ended on all nodes by %s, before any time has passed",
    async (_how, wish) => {
      const { done } = await agent.perform(start);
      await settle();
      expect(backend.asked).toHaveLength(4);
      expect(killed()).toEqual(["", "", "", ""]);
      void wish();
      expect(killed()).toEqual(everywhere);
      await reap();
      expect(await done).toEqual({ error: 1, text: "the linktest was cancelled" });
      expect(said.at(-1)).toMatchObject({ type: "links-tested", isCancelled: true, verdicts: [] });
      // None was started afterwards, and no timer is left that would do anything.
      expect([backend.asked.length, clock.armed, clock.nowUs()]).toEqual([4, 0, 0]);
    },
  );

  it("are ended also when they were just being started", async () => {
    const held = Promise.withResolvers<void>();
    backend.hold = held.promise;
    const { done } = await agent.perform(start);
    await settle();
    expect([backend.asked.length, backend.processes.length]).toEqual([4, 0]);
    agent.kill();
    held.resolve();
    await settle();
    expect(killed()).toEqual(everywhere);
    await reap();
    expect(await done).toMatchObject({ error: 1 });
    expect(backend.asked).toHaveLength(4);
  });

  it("are ended together when one of a pair has ended, and those of others go on", async () => {
    const tested = agent.perform(start);
    await settle();
    await backend.processes[0]?.end(1);
    await settle();
    expect(killed()).toEqual(["", "SIGKILL group", "", ""]);
    agent.kill();
    await reap();
    await (await tested).done;
  });

  it("do not keep another linktest from beginning when they are gone", async () => {
    const first = await agent.perform(start);
    expect(await agent.perform(start)).toMatchObject({ outcome: "failed: a linktest is running" });
    await settle();
    agent.kill();
    await reap();
    await first.done;
    const second = await agent.perform(start);
    await settle();
    expect([second.outcome, backend.asked.length]).toEqual(["done", 8]);
    agent.kill();
    await reap();
    await second.done;
  });
});

describe("a linktest whose probes cannot run", () => {
  it("warns of what nobody knows, with the reasons, and has tested nothing", async () => {
    const { done } = await agent.perform({ ...start, args: "STOPAT=1" });
    await settle();
    // Others are started meanwhile, as each pair is tried twice.
    for (const process of backend.processes) await process.end(64);
    expect(backend.processes).toHaveLength(8);
    const text = expect.stringMatching(/^nothing was tested: the probe on /);
    expect(await done).toEqual({ error: -1, text });
    expect(said).toContainEqual(expect.objectContaining({ type: "links-tested" }));
    const warnings = said.filter((one) => one.type === "message" && one.level === "warning");
    expect(warnings).toHaveLength(2);
    for (const warning of warnings) {
      expect(warning).toMatchObject({
        text: expect.stringMatching(
          /^linktest: 2 of 4 checks could not be made: the probe on [abcd]/,
        ),
      });
    }
  });

  it("tells few reasons of many, and none of what was only untestable", () => {
    const verdicts = Array.from({ length: 6 }, (_, at): Verdict => {
      const edge = { from: `n${at}`, to: "a", link: "l" } as Verdict["edge"];
      return untestable("loss", edge, `reason ${at >> 1}`);
    });
    const told = (notProbed: readonly Verdict[]) =>
      describeNotProbed({ verdicts, notProbed, isCancelled: false });
    expect(told([])).toEqual([]);
    expect(told(verdicts.slice(0, 3))).toEqual([
      "linktest: 2 of 6 checks could not be made: reason 0",
      "linktest: 1 of 6 checks could not be made: reason 1",
    ]);
    const all = verdicts.map((one, at) => ({ ...one, why: `reason ${at}` }));
    expect(told(all).slice(2)).toEqual([
      "linktest: 1 of 6 checks could not be made: reason 2",
      "linktest: 3 more reasons are in verdicts.json",
    ]);
  });
});

describe("the verdicts of a linktest", () => {
  it("are in a file of each test of a run, which it names, and the last ones in another", async () => {
    const read = (name: string): unknown =>
      JSON.parse(readFileSync(join(out, "linktest", name), "utf8"));
    const first = await agent.perform({ ...start, args: "STOPAT=1" });
    await settle();
    for (const process of backend.processes) await process.end(64);
    await first.done;
    expect(read("verdicts.json")).toHaveLength(4);
    const second = await agent.perform(start);
    await settle();
    agent.kill();
    await reap();
    await second.done;
    expect(["verdicts-1.json", "verdicts-2.json", "verdicts.json"].map(read)).toEqual([
      ...[expect.objectContaining({ length: 4 }), [], []],
    ]);
    const texts = said.flatMap((one) => (one.type === "message" ? [one.text] : []));
    expect(texts.filter((text) => text.includes("begins: at least"))).toEqual([
      expect.stringContaining("; verdicts go to linktest/verdicts-1.json"),
      expect.stringContaining("; verdicts go to linktest/verdicts-2.json"),
    ]);
  });
});

describe("a linktest before time 0 that somebody else runs", () => {
  it("is told when the run ends, and what it says becomes a warning", async () => {
    const ended = Promise.withResolvers<void>();
    const warnings: string[] = [];
    let [isServed, isTold] = [false, false];
    const testing = testBeforeTime({
      run: {
        linktestLevel: 3,
        testLinks: (level, signal) =>
          new Promise((resolve) => {
            expect([level, isServed]).toEqual([3, true]);
            signal.addEventListener("abort", () => {
              isTold = true;
              resolve("it was ended");
            });
          }),
      },
      ...{ linktest: agent, ended: ended.promise },
      serve: async () => {
        isServed = true;
      },
      onWarning: (text) => warnings.push(text),
    });
    await settle();
    expect(isTold).toBe(false);
    ended.resolve();
    await testing;
    expect([isTold, warnings, backend.asked]).toEqual([true, ["it was ended"], []]);
  });
});
