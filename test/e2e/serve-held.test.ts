// SPDX-License-Identifier: MIT
// Goal: a daemon that has had an experiment with events holds what it held before it, however the
// experiment, its scheduler or those who asked it for events ended: no descriptor, socket, thread
// or child is kept. Method: one daemon, one experiment after the other; /proc/PID of the daemon.
import { execFileSync } from "node:child_process";
import { readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { childrenOf, identifyProcess } from "../../src/events/launch/process-identity.ts";
import { type Command, run, scratch, start, until } from "./support/command.ts";
import { readText } from "./support/experiment.ts";

const file = `set ns [new Simulator]
source tb_compat.tcl
set n [$ns node]
set p [$n program-agent -command {exec sh -c 'echo ran >>$EXPDIR/logs/ran'}]
set q [$n program-agent -command {exec sleep 1000}]
set r [$n program-agent -command {exec sh -c 'echo waited for >>$EXPDIR/logs/ran; sleep 1000'}]
$ns at 0.1 "$p start"
$ns at 0.2 "$q start"
$ns at 900 "$p start"
$ns run
`;

let folder = "";
let daemon: Command;
const options = () => ({
  env: { MUSTER_STATE: join(folder, "state"), MUSTER_NODES: "environment" },
});

async function ok(...argv: readonly string[]): Promise<void> {
  const { code, stderr } = await run("muster", argv, options());
  expect([argv[0], code, stderr]).toEqual([argv[0], 0, ""]);
}

const place = (): string => join(folder, "state/evsched/muster_exp.pid");
const supervisor = (): number => Number.parseInt(readText(place()), 10) || 0;
const scheduler = (): number => childrenOf(supervisor())[0]?.pid ?? 0;
const isRunning = (pid: number): boolean => pid !== 0 && identifyProcess(pid) !== undefined;
/** Lives of the experiment. */
let number = 0;
const ran = (): string => join(folder, `state/experiments/muster/exp/runs/${number}/proj/logs/ran`);

/** What a process holds: kinds of descriptors, files by name, threads, children. */
function heldBy(pid: number): Held {
  const held: Record<string, number> = {};
  const count = (what: string): void => {
    held[what] = (held[what] ?? 0) + 1;
  };
  for (const name of readdirSync(`/proc/${pid}/fd`)) count(kindOf(`/proc/${pid}/fd/${name}`));
  for (const _ of readdirSync(`/proc/${pid}/task`)) count("thread");
  for (const _ of childrenOf(pid)) count("child");
  return held;
}

type Held = Readonly<Record<string, number>>;

/** Of each kind as few as either has; what one of them lacks was not there for good. */
function smaller(first: Held, second: Held): Held {
  const kinds = Object.keys(first).filter((what) => what in second);
  return Object.fromEntries(
    kinds.map((what) => [what, Math.min(first[what] ?? 0, second[what] ?? 0)]),
  );
}

/** `socket:[4711]` is a socket; the number means nothing. */
function kindOf(path: string): string {
  try {
    return readlinkSync(path).replace(/:\[\d+\]$/, "");
  } catch {
    return "gone";
  }
}

interface Way {
  readonly title: string;
  /** While the experiment is active, its first events have fired and one is planned. */
  readonly act: () => Promise<void>;
}

const ways: readonly Way[] = [
  {
    title: "a program had put pipes where the daemon reads",
    async act() {
      const tbdata = join(dirname(ran()), "../tbdata");
      for (const name of ["eventserver", "eventkey"]) {
        rmSync(join(tbdata, name));
        execFileSync("mkfifo", [join(tbdata, name)]);
      }
      await ok("status", "exp");
    },
  },
  { title: "down", act: async () => undefined },
  {
    title: "its scheduler was killed",
    async act() {
      const first = scheduler();
      process.kill(first, "SIGKILL");
      await until("another one runs", () => scheduler() !== first && isRunning(scheduler()));
    },
  },
  {
    title: "its supervisor was killed",
    async act() {
      const first = supervisor();
      process.kill(first, "SIGKILL");
      await until("another one watches", () => supervisor() !== first && isRunning(scheduler()));
    },
  },
  {
    title: "its time was stopped and begun again",
    async act() {
      for (const action of ["pause", "resume", "replay"]) await ok("event", action, "exp");
    },
  },
  {
    title: "who waited for an event was killed",
    async act() {
      const wait = start("muster", ["event", "send", "exp", "r", "START", "--wait"], options());
      await until("it is under way", () => readText(ran()).includes("waited for"));
      wait.child.kill("SIGKILL");
      await wait.ended;
    },
  },
  {
    title: "everything of it was killed at once",
    async act() {
      const all = [...childrenOf(daemon.pid).map(({ pid }) => pid), supervisor(), scheduler()];
      for (const pid of new Set(all)) if (isRunning(pid)) process.kill(pid, "SIGKILL");
    },
  },
];

/** One life of the experiment, in which this is done. */
async function live(act: () => Promise<void>): Promise<void> {
  await ok("up", join(folder, "exp.ns"), "--eid", "exp");
  number += 1;
  await until("the first events have fired", () => readText(ran()).includes("ran"));
  await act();
  await run("muster", ["down", "exp"], options());
  await until("its scheduler is gone", () => supervisor() === 0);
}

/** What the daemon holds more than that, when it has had the time to let go. */
async function kept(before: Held): Promise<readonly string[]> {
  const more = (): readonly string[] => {
    const now = heldBy(daemon.pid);
    const kinds = Object.keys(now).filter((what) => (now[what] ?? 0) > (before[what] ?? 0));
    return kinds.map((what) => `${what}: ${before[what] ?? 0}, then ${now[what]}`);
  };
  await until("it holds nothing more", () => more().length === 0).catch(() => undefined);
  return more();
}

afterEach(async () => {
  await run("muster", ["serve", "--stop"], options());
});

// One daemon for all: what one of the ways left behind would be there for good.
test("a daemon holds what it held before an experiment with events, however it ended", async () => {
  folder = scratch();
  writeFileSync(join(folder, "exp.ns"), file);
  daemon = start("muster", ["serve"], options());
  await daemon.prints(/keeping the experiments/);
  // What is opened once, for good. A connection of who asked last may still be closing, so the
  // smaller of what two lives leave is what a daemon holds.
  await live(async () => undefined);
  const once = heldBy(daemon.pid);
  await live(async () => undefined);
  const before = smaller(once, heldBy(daemon.pid));
  for (const { title, act } of ways) {
    await live(act);
    expect([title, await kept(before)]).toEqual([title, []]);
  }
});
