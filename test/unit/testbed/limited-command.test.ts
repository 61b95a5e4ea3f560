// SPDX-License-Identifier: MIT
// Goal: a command ends, whatever it does, and what it printed is kept up to the limit; no shell
// reads its words. Method: real commands, with a clock by hand for their time.
import { existsSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { runLimited } from "../../../src/testbed/agents/limited-command.ts";
import { FakeClock } from "../record/fake-clock.ts";

const running = (words: readonly string[], part: { bytes?: number; input?: string } = {}) => {
  const clock = new FakeClock();
  const interrupt = new AbortController();
  const output = runLimited({
    ...{ words, clock, directory: "/", environment: { PATH: "/usr/bin:/bin" }, msMax: 1_000 },
    ...{ outputBytesMax: part.bytes ?? 100, input: part.input ?? "", interrupt: interrupt.signal },
  });
  return { clock, interrupt, output };
};

it("keeps what it prints to both streams, and takes words as they are", async () => {
  expect(await running(["echo", "$HOME;", "`id`"]).output).toEqual({
    ...{ text: "$HOME; `id`\n", problem: undefined },
  });
  expect((await running(["sh", "-c", "echo e >&2"]).output).text).toBe("e\n");
  expect((await running(["cat"], { input: "read" }).output).text).toBe("read");
});

it("keeps the limit of bytes, and says of one more that it is left out", async () => {
  expect(await running(["printf", "12345"], { bytes: 5 }).output).toEqual({
    ...{ text: "12345", problem: undefined },
  });
  expect(await running(["printf", "123456"], { bytes: 5 }).output).toEqual({
    ...{ text: "12345", problem: "it printed more than 5 bytes" },
  });
});

it.each([
  [["sh", "-c", "exit 3"], "it exited with 3"],
  [["sh", "-c", "kill -9 $$"], "it was ended by SIGKILL"],
  [["/no/such/program"], /ENOENT/],
])("says of %j why it failed", async (words, problem) => {
  expect((await running(words).output).problem).toMatch(problem);
});

it("ends it when its time is over, with what it has started", async () => {
  const { clock, output } = running(["sh", "-c", "echo begun; sleep 1000 & sleep 1000"]);
  clock.advanceTo(999_999);
  clock.advanceTo(1_000_000);
  expect((await output).problem).toBe("it had not ended after 1 s");
  expect(clock.armed).toBe(0);
});

it("does not wait for who has left its group and keeps its output open", async () => {
  const folder = mkdtempSync(join(tmpdir(), "limited-command-"));
  const file = join(folder, "pid");
  const script = 'echo $$ >"$1.new"; mv "$1.new" "$1"; exec sleep 1000';
  // Its end ends the group: it must not come before the other one has left that.
  const leave = 'setsid --fork sh -c "$2" sh "$1"; until test -e "$1"; do sleep 0.01; done';
  const { clock, output } = running(["sh", "-c", leave, "sh", file, script]);
  while (!existsSync(file)) await new Promise(setImmediate);
  const pid = Number(readFileSync(file, "utf8"));
  rmSync(folder, { recursive: true });
  clock.advanceTo(1_000_000);
  try {
    expect((await output).problem).toBe("it had not ended after 1 s");
    // Still there, with both streams: only letting go of them has ended the wait.
    expect(readlinkSync(`/proc/${pid}/fd/1`)).toMatch(/^(?:pipe|socket):/);
  } finally {
    process.kill(pid, "SIGKILL");
  }
});

it("ends it when the run is interrupted", async () => {
  const { interrupt, output } = running(["sleep", "1000"]);
  interrupt.abort();
  expect((await output).problem).toBe("the run was interrupted");
});
