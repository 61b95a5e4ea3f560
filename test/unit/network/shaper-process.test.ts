// SPDX-License-Identifier: MIT
// Goal: it is told apart whether a delay node cannot be had here, or was only too slow or was
// ended: the first leaves links unshaped, the second ends the run. Method: a process that is none,
// a clock of our own.
import type { ChildProcess } from "node:child_process";
import { EventEmitter } from "node:events";
import { PassThrough } from "node:stream";
import { expect, it, vi } from "vitest";
import { DelayNodeBackend } from "../../../src/network/delay-node/delay-node-backend.ts";
import { ShaperProcess } from "../../../src/network/delay-node/shaper-process.ts";
import { type NamespaceCommands, NetworkError } from "../../../src/network/link-backend.ts";
import { networkTimes } from "../../../src/network/network-limits.ts";
import { lackOf } from "../../../src/testbed/nodes/node-mode.ts";
import { FakeClock } from "../record/fake-clock.ts";

const open = { kind: "open", address: "10.0.0.1", peerAddress: "10.0.0.2", port: 1 } as const;

function fakeChild() {
  const pipes = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() };
  return Object.assign(new EventEmitter(), { ...pipes, pid: 1, kill: () => true });
}

function startFake(threads = 1) {
  const child = fakeChild();
  const clock = new FakeClock();
  const spawn = (): ChildProcess => child as unknown as ChildProcess;
  return { child, clock, shaper: new ShaperProcess({ clock, threads, pace: "nap", spawn }) };
}

const problemOf = async (asked: Promise<unknown>): Promise<string> =>
  await asked.then(() => "none", lackOf);

it("ends the run over a delay node that is too slow to start or to answer", async () => {
  const { clock, shaper } = startFake();
  const [started, answered] = [shaper.started(), shaper.ask(0, open)].map(problemOf);
  clock.advanceTo(networkTimes.startMs * 1_000);
  const cannot = "the network of the nodes cannot be made: the delay node";
  await Promise.all([
    expect(started).rejects.toThrow(`${cannot} has not started in 20 s: the machine may be`),
    expect(answered).rejects.toThrow(`${cannot} does not answer (open): the machine may be`),
  ]);
});

it("ends the run over a delay node that somebody ends", async () => {
  const { child, shaper } = startFake();
  const started = problemOf(shaper.started());
  child.emit("exit", null, "SIGKILL");
  await expect(started).rejects.toThrow("the delay node has ended (SIGKILL)");
});

it("gives up a delay node that says nothing any more, and only such a one", async () => {
  const { child, clock, shaper } = startFake();
  let failed = "";
  void shaper.failed.then((why) => {
    failed = why;
  });
  const report = { kind: "report", thread: 0, atUs: 0, packets: 0, lagMaxUs: 0, lagMeanUs: 0 };
  const more = { lagMaxAtUs: 0, unseenMaxUs: 0, late: 0, strange: 0, unsent: 0 };
  const hear = async () => {
    child.stdout.write(`${JSON.stringify({ ...report, ...more })}\n`);
    await vi.waitFor(() => expect(shaper.silentSeconds).toBe(0));
  };
  // Whose threads have not started is waited for elsewhere; nor does it count that this one stood.
  clock.advanceTo(100_000_000);
  await hear();
  clock.advanceTo(clock.nowUs() + 3_000_000);
  expect(shaper.silentSeconds).toBe(3);
  await hear();
  clock.advanceTo(clock.nowUs() + 14_000_000);
  expect([shaper.silentSeconds, failed]).toEqual([14, ""]);
  const asked = problemOf(shaper.ask(0, open));
  clock.advanceTo(clock.nowUs() + 1_000_000);
  await expect(asked).rejects.toThrow("it had said nothing for 15 s, and was given up");
  expect(failed).toContain("its links carry nothing any more");
  expect(clock.armed).toBe(0);
});

it("is what a command has failed by that needs it", async () => {
  const [child, clock] = [fakeChild(), new FakeClock()];
  const commands: NamespaceCommands = {
    hub: { pid: 1 },
    enter: () => [],
    spawn: () => child as unknown as ChildProcess,
    ip: () => {
      child.emit("exit", null, "SIGKILL");
      return Promise.reject(new NetworkError("no device matches name"));
    },
    run: () => Promise.resolve(""),
  };
  child.stdout.write('{"kind":"ready"}\n');
  const backend = new DelayNodeBackend({ commands, clock, seed: 1, threads: 1 });
  await expect(problemOf(backend.attach([], new Map()))).rejects.toThrow(
    "the network of the nodes cannot be made: the delay node has ended (SIGKILL)",
  );
});

it("does without links where the delay node cannot be", async () => {
  const { child, shaper } = startFake();
  const [started, answered] = [shaper.started(), shaper.ask(0, open)].map(problemOf);
  child.stdout.write('{"kind":"answer","id":1,"error":"no sockets here"}\n');
  expect(await answered).toBe("the delay node refuses: no sockets here");
  child.emit("exit", 1, null);
  expect(await started).toContain("the delay node has ended (exit status 1)");
  expect(lackOf(new NetworkError("ethtool: not found"))).toBe("ethtool: not found");
  expect(lackOf(new Error("ENOENT"))).toBe("ENOENT");
});

it("says of several threads how the worst of them is, and what they lost together", async () => {
  const { child, shaper } = startFake(2);
  const report = { kind: "report", atUs: 0, packets: 10, lagMeanUs: 0, unseenMaxUs: 0, strange: 0 };
  const rows = [
    { thread: 0, lagMaxUs: 900, lagMaxAtUs: 1, late: 0, unsent: 1 },
    { thread: 1, lagMaxUs: 5_000, lagMaxAtUs: 2, late: 3, unsent: 2 },
    { thread: 0, lagMaxUs: 40, lagMaxAtUs: 3, late: 0, unsent: 0 },
  ];
  for (const row of rows) child.stdout.write(`${JSON.stringify({ ...report, ...row })}\n`);
  await vi.waitUntil(() => shaper.health.packets === 30);
  expect(shaper.health).toMatchObject({ lagMaxUs: 5_000, lagMaxAtUs: 2, late: 3, dropped: 3 });
  expect(shaper.health.lagRecentUs).toBe(5_000);
  child.stdout.write(`${JSON.stringify({ ...report, ...rows[2], thread: 1 })}\n`);
  await vi.waitUntil(() => shaper.health.packets === 40);
  expect(shaper.health).toMatchObject({ lagMaxUs: 5_000, lagRecentUs: 40 });
});
