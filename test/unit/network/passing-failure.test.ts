// SPDX-License-Identifier: MIT
// Goal: a program that was killed, or that had no memory, process or descriptor to be had, is never
// taken for one that this machine lacks; what is lacking still is. Method: words of real kernels
// and shells, and programs that kill themselves.
import { describe, expect, it, test } from "vitest";
import { newRunId } from "../../../src/host/ids.ts";
import { probeBackends } from "../../../src/network/choose-backend.ts";
import { NetworkError } from "../../../src/network/link-backend.ts";
import { RunNamespaceCommands } from "../../../src/network/namespace-commands.ts";
import { networkTime } from "../../../src/network/network-time.ts";
import { describeFailure, isPassingFailure } from "../../../src/network/passing-failure.ts";
import { lackOf } from "../../../src/testbed/nodes/node-mode.ts";
import { FakeClock } from "../record/fake-clock.ts";

const failed = (said: string, status: number | null = 1, signal: string | null = null) => {
  return { status, signal, said };
};

test.each([
  ["the kernel's end of a program", failed("", null, "SIGKILL")],
  ["a shell whose program got it", failed("Killed", 137)],
  ["anybody's end of a program", failed("", null, "SIGTERM")],
  ["a shell whose program got that", failed("Terminated", 143)],
  ["a program that crashed", failed("Segmentation fault", 139)],
  ["unshare whose child got it", failed("unshare: sigprocmask unblock failed: Invalid argument")],
  ["no process to be had, in a shell", failed("sh: 1: Cannot fork", 2)],
  ["no process to be had", failed("spawn nsenter EAGAIN", null)],
  ["no memory to be had", failed("RTNETLINK answers: Cannot allocate memory", 2)],
  ["no descriptor to be had", failed("EMFILE: too many open files, open '/tmp/x'", null)],
])("%s is passing", (_what, program) => {
  expect(isPassingFailure(program)).toBe(true);
});

test.each([
  ["ip: not found", 127],
  ["Error: Specified qdisc kind is unknown.", 2],
  ["unshare: unshare failed: Operation not permitted", 1],
  ["unshare: unshare failed: No space left on device", 1],
  ["RTNETLINK answers: Operation not supported", 2],
  ["spawn unshare ENOENT", null],
  ["a status that is no signal's", 255],
  ["Bad system call", 159],
])("what this machine lacks is not: %s", (said, status) => {
  expect(isPassingFailure(failed(said, status))).toBe(false);
  expect(describeFailure(failed(said, status))).toBe(said);
});

it("names the signal", () => {
  expect(describeFailure(failed("Terminated", 143))).toBe(
    "a program was killed (SIGTERM); see who uses kill here, and run it again",
  );
});

const killed = /a program was killed \(SIGKILL\); see whether memory ran out \(dmesg\), and run it/;

it("is no answer to who can shape links here", async () => {
  const dies = probeBackends(["sh", "-c", "kill -s KILL $$", "--"]);
  await expect(dies).rejects.toThrow(killed);
});

describe.skipIf(process.getuid?.() !== 0)("a command in a namespace that is killed", () => {
  const own = { pid: process.pid };
  const clock = new FakeClock();
  const interrupt = new AbortController();
  const commands = new RunNamespaceCommands({
    ...{ runId: newRunId(), hub: process.pid, asUser: false },
    ...{ clock, interrupt: interrupt.signal },
  });

  it("ends what is set up", async () => {
    const error: unknown = await commands
      .run(own, ["sh", "-c", "kill -s KILL $$"])
      .catch((why: unknown) => why);
    expect(error).toBeInstanceOf(NetworkError);
    expect(() => lackOf(error)).toThrow(killed);
  });

  // `sleep` has the pipes of the shell that waits for it.
  const lasting = ["sh", "-c", "sleep 1000; true"];

  it("is one that takes too long", async () => {
    const asked = commands.run(own, lasting);
    clock.advanceTo(networkTime.commandMs * 1_000);
    const error: unknown = await asked.catch((why: unknown) => why);
    expect(() => lackOf(error)).toThrow("a program has not ended in 300 s, and was killed; run it");
  });

  it("is one that an interrupt finds, and none that is begun later", async () => {
    const asked = commands.run(own, lasting);
    interrupt.abort();
    await expect(asked).rejects.toThrow(killed);
    expect(await commands.run(own, ["echo", "later"])).toBe("later\n");
    expect(clock.armed).toBe(0);
  });

  it("is a lack when it has failed by itself", async () => {
    const error: unknown = await commands
      .run(own, ["sh", "-c", "echo no such thing >&2; exit 2"])
      .catch((why: unknown) => why);
    expect(lackOf(error)).toMatch(/no such thing$/);
  });
});
