// SPDX-License-Identifier: MIT
// Goal: whatever moment a performer is killed at, its successor does nothing a second time, and
// says `unknown` where it cannot know (D7). Method: a performer that stops at each step in turn; a
// successor with the same directory.
import { appendFileSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Program } from "../../../src/experiment/model.ts";
import { ActionJournal } from "../../../src/testbed/agents/action-journal.ts";
import { ProgramAgent } from "../../../src/testbed/agents/program-agent.ts";
import { FakeClock } from "../record/fake-clock.ts";
import { FakeBackend } from "./fake-backend.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "muster-journal-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const open = (): ActionJournal<{ error: number }> => new ActionJournal(join(directory, "journal"));

/** One life of a performer, which is killed after so many steps. @returns what it reported. */
async function live(steps: number, act: () => void) {
  const journal = open();
  if (steps < 1) return undefined;
  const begun = await journal.begin("7");
  if (begun.kind !== "first") return begun.kind === "done" ? begun.result : "unknown";
  if (steps < 2) return undefined;
  act();
  if (steps < 3) return undefined;
  await journal.finish("7", { error: 3 });
  return steps < 4 ? undefined : { error: 3 };
}

describe("an action of a performer that is killed", () => {
  const lives = [0, 1, 2, 3, 4];
  it.each(lives.flatMap((first) => lives.map((second) => [first, second] as const)))(
    "after %i steps, and again after %i, is done at most once, and never reported wrongly",
    async (first, second) => {
      let times = 0;
      const act = (): void => {
        times += 1;
      };
      await live(first, act);
      await live(second, act);
      const reported = await live(4, act);
      expect(times).toBeLessThanOrEqual(1);
      if (reported === "unknown") expect([first, second]).not.toEqual([0, 0]);
      else expect([times, reported]).toEqual([1, { error: 3 }]);
      // Reporting is stable.
      expect(await live(4, act)).toEqual(reported);
    },
  );

  it("that was killed while it wrote the result is unknown", async () => {
    await open().begin("7");
    appendFileSync(join(directory, "journal", "7"), '{"error"');
    expect(await open().begin("7")).toEqual({ kind: "unknown" });
  });
});

describe("begin()", () => {
  it("lets exactly one of many that ask at once go first", async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => open().begin("7")));
    expect(answers.filter(({ kind }) => kind === "first")).toHaveLength(1);
  });

  it("keeps ids apart, and within its directory", async () => {
    const ids = ["..", ".", "a/b", "../a", "%2E%2E", "a%2Fb"];
    for (const id of ids) expect(await open().begin(id)).toEqual({ kind: "first" });
    expect(readdirSync(join(directory, "journal"))).toHaveLength(ids.length);
    expect(readdirSync(directory)).toEqual(["journal"]);
    expect(statSync(join(directory, "journal")).mode & 0o777).toBe(0o700);
  });

  it("fails when the journal cannot be written, so that nothing is done", async () => {
    writeFileSync(join(directory, "journal"), "");
    await expect(open().begin("7")).rejects.toThrow();
  });
});

describe("an agent with a journal", () => {
  const program: Program = {
    ...{ name: "p", node: "n0", command: "x", isStartCommand: false, directory: "" },
    ...{ timeoutSeconds: 0, expectedExitCode: 0, at: { file: "", line: 1, column: 1 } },
  };

  function newAgent() {
    const clock = new FakeClock();
    const backend = new FakeBackend(clock, ["n0"]);
    const nobody = (): void => undefined;
    const agent = new ProgramAgent({
      ...{ backend, clock, programs: [program], onStarted: nobody, onEnded: nobody },
      journal: join(directory, "journal"),
    });
    return { agent, backend };
  }

  it("starts once for a token, whoever repeats it while it runs and afterwards", async () => {
    const { agent, backend } = newAgent();
    const [first, again] = await Promise.all([
      agent.start("p", {}, { token: 5 }),
      agent.start("p", {}, { token: 5 }),
    ]);
    await backend.processes[0]?.end(3);
    expect([await first?.done, await again?.done]).toEqual([3, 3]);
    const later = await newAgent().agent.start("p", {}, { token: 5 });
    expect([later.outcome, later.firedMonotonicUs, await later.done]).toEqual(["done", 0, 3]);
    expect(backend.processes).toHaveLength(1);
  });

  it("whose predecessor was killed while the program ran reports unknown, and starts nothing", async () => {
    await newAgent().agent.start("p", {}, { token: 5 });
    const { agent, backend } = newAgent();
    const repeated = await agent.start("p", {}, { token: 5 });
    expect(repeated.outcome).toMatch(/^unknown: /);
    expect(await repeated.done).toBe(-1);
    expect(backend.asked).toEqual([]);
    await agent.start("p", {}, { token: 6 });
    expect(backend.asked).toEqual(["p"]);
  });

  it("starts nothing when the journal cannot be written", async () => {
    writeFileSync(join(directory, "journal"), "");
    const { agent, backend } = newAgent();
    const result = await agent.start("p", {}, { token: 5 });
    expect(result.outcome).toMatch(/^failed: it was not started: its journal /);
    expect([await result.done, backend.asked]).toEqual([-1, []]);
  });
});
