// SPDX-License-Identifier: MIT
// Goal: a start whose log was replaced under it is begun anew, a bounded number of times, and no
// other failure is. Method: starts that fail as told.
import { describe, expect, it } from "vitest";
import { openAnew, openTriesMax } from "../../../src/cli/commands/open-anew.ts";
import { LogError } from "../../../src/engine/log.ts";

const replaced = new LogError("another one", { definite: true, isReplaced: true });

/** @returns how often it was opened, what came of it, and what was said between */
async function play(failures: readonly Error[]): Promise<readonly [number, unknown, unknown[]]> {
  const left = [...failures];
  const said: unknown[] = [];
  let opened = 0;
  const open = async (): Promise<string> => {
    opened += 1;
    const failure = left.shift();
    if (failure !== undefined) throw failure;
    return "open";
  };
  const outcome = await openAnew(open, (why) => void said.push(why)).catch((error) => error);
  return [opened, outcome, said];
}

describe("openAnew()", () => {
  it("opens once what can be opened", async () => {
    expect(await play([])).toEqual([1, "open", []]);
  });

  it("opens again what was replaced, and says why", async () => {
    expect(await play([replaced, replaced])).toEqual([3, "open", [replaced, replaced]]);
  });

  it("gives up when it is replaced again and again", async () => {
    const all = Array.from({ length: openTriesMax }, () => replaced);
    const [opened, outcome, said] = await play(all);
    expect([opened, outcome, said]).toEqual([openTriesMax, replaced, all.slice(1)]);
  });

  it.each([
    new LogError("cut", { definite: true, isCut: true }),
    new LogError("away", { definite: false }),
    new Error("a fault of ours"),
  ])("fails at once behind '$message'", async (error) => {
    expect(await play([error])).toEqual([1, error, []]);
  });
});
