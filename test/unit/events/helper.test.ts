// SPDX-License-Identifier: MIT
// Goal: what runs with the rights of a scheduler's user can neither hold up nor fill the daemon
// that asked for it. Method: real processes that do what such a user can make them do.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { runHelper } from "../../../src/events/launch/helper.ts";
import { defaultLaunchLimits } from "../../../src/events/launch/launch-limits.ts";
import { systemClock } from "../../../src/host/clock.ts";

const helper = (script: string, limits: Partial<typeof defaultLaunchLimits> = {}, input = "") =>
  runHelper({
    ...{ account: undefined, argv: ["sh", "-c", script], input, clock: systemClock },
    limits: { ...defaultLaunchLimits, ...limits },
  });
const givenUp = { code: null, stdout: "" };

describe("runHelper", () => {
  it("hands input on, and says what was printed and how it ended", async () => {
    expect(await helper("cat; exit 3", {}, "\u00e4\n")).toEqual({ code: 3, stdout: "\u00e4\n" });
  });

  it("helperBytesMax: as much is read, and one byte more is given up", async () => {
    const limits = { helperBytesMax: 1_000 };
    const full = await helper("head -c 1000 /dev/zero", limits);
    expect([full.code, full.stdout.length]).toEqual([0, 1_000]);
    expect(await helper("head -c 1001 /dev/zero; sleep 1000", limits)).toEqual(givenUp);
  });

  it("helperMs: one that is stopped, or waits for ever at a pipe, is given up", async () => {
    const directory = mkdtempSync(join(tmpdir(), "muster-helper-"));
    const limits = { helperMs: 100 };
    expect(await helper("kill -STOP $$", limits)).toEqual(givenUp);
    const pipe = join(directory, "pipe");
    expect(await helper(`mkfifo ${pipe}; cat >${pipe} && echo written`, limits)).toEqual(givenUp);
    rmSync(directory, { recursive: true });
  });

  it("says so when the command cannot be run", async () => {
    const argv = ["/nowhere/at/all"];
    const options = { account: undefined, argv, input: "", clock: systemClock };
    expect((await runHelper({ ...options, limits: defaultLaunchLimits })).code).toBe(127);
  });
});
