// SPDX-License-Identifier: MIT
// Goal: what the linktest of a swap-in finds is told in a few lines, and neither it nor one on ops
// keeps anybody for longer than its limits say, or says more. Method: small scripts in the place
// of linktest_control and linktest.proxy; a clock that the test moves.
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BossError } from "../../../src/boss/boss-error.ts";
import type { ExperimentRow } from "../../../src/boss/database.ts";
import {
  linktestExtraMs,
  linktestOutputBytesMax,
  swapInLinktestSeconds,
} from "../../../src/boss/limits.ts";
import { OpsLinktest } from "../../../src/boss/ops-linktest.ts";
import { linktestAtSwapIn } from "../../../src/boss/swap-in-linktest.ts";
import { identifyProcess } from "../../../src/events/launch/process-identity.ts";
import { FakeClock } from "../record/fake-clock.ts";

/** Of a busy machine. */
const patient = { timeout: 60_000 };
let folder = "";
let clock = new FakeClock();
const cancel = () => new AbortController();
const said = (): string => join(folder, "said");

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "muster-swap-in-"));
  clock = new FakeClock();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function script(body: string): string {
  const path = join(folder, "command");
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}

const test = (body: string, signal = cancel().signal) =>
  linktestAtSwapIn({ command: script(body), state: "/s", clock })(
    { pid: "p", eid: "e" },
    3,
    signal,
  );

describe("the linktest of a swap-in", () => {
  it("is linktest_control with the limit of the old system, and mail", async () => {
    const text = await test('echo "$*"; exit 1');
    expect(text).toBe("linktest at swap-in: it exited with 1\n-l 3 -t 600 -m --state /s p e");
  });

  it("is not told of when nothing is wrong, and by what it has found when something is", async () => {
    expect(await test("echo fine")).toBeUndefined();
    const found =
      "echo begins; echo 'Loss error: a to b'; echo; echo 'Latency error: c'; echo ends";
    expect(await test(`${found}; exit 2`)).toBe(
      "linktest at swap-in: it exited with 2\nLoss error: a to b\nLatency error: c",
    );
  });

  it("says as much as its limit, and not a byte more", async () => {
    const print = (bytes: number): string => `head -c ${bytes} /dev/zero`;
    expect(await test(print(linktestOutputBytesMax))).toBeUndefined();
    expect(await test(print(linktestOutputBytesMax + 1))).toContain("it printed more than");
  });

  it("ends with its swap-in, and with its time", async () => {
    const body = `echo $$ >${said()}.part; mv ${said()}.part ${said()}; exec sleep 1000`;
    const swapIn = cancel();
    const ended = test(body, swapIn.signal);
    await expect.poll(() => existsSync(said()), patient).toBe(true);
    swapIn.abort();
    expect(await ended).toBeUndefined();
    const late = test("exec sleep 1000");
    const limitMs = 1_000 * swapInLinktestSeconds + 2 * linktestExtraMs;
    clock.advanceTo(1_000 * limitMs - 1);
    expect(clock.armed).toBe(1);
    clock.advanceTo(1_000 * limitMs);
    expect(await late).toContain("it had not ended after 660 s");
  });
});

describe("a linktest on ops that does not end in its time", () => {
  it("is cut off, and nothing of it stays", async () => {
    const place = { host: "ops", user: "root", port: 22 };
    const proxy = script(`echo $$ >&2; echo $$; trap 'exit 0' TERM; while :; do sleep 0.05; done`);
    const ops = new OpsLinktest({ shell: "", place, proxy, pathOf: () => "/x", clock });
    let pid = "";
    const row = { pid: "p", eid: "e", swapper: "ann" } as ExperimentRow;
    const tested = ops.run(row, {
      ...{ level: 1, timeoutSeconds: 5, reportOnly: false, signal: cancel().signal },
      onOutput: (_stream, text) => {
        pid = text.trim();
      },
    });
    await expect.poll(() => pid, patient).not.toBe("");
    clock.advanceTo(1_000 * (5_000 + linktestExtraMs) - 1);
    expect(clock.armed).toBe(1);
    clock.advanceTo(1_000 * (5_000 + linktestExtraMs));
    const error: unknown = await tested.catch((why: unknown) => why);
    expect(error).toBeInstanceOf(BossError);
    expect(error).toMatchObject({ code: "OPS", message: /did not end the linktest in time/ });
    await expect.poll(() => identifyProcess(Number(pid)), patient).toBeUndefined();
  });
});
