// SPDX-License-Identifier: MIT
// Goal: `muster run --split` does what a run in one process does, with the scheduler as a process
// of its own, of another user where root says so; a scheduler that is killed is started again and
// loses nothing and repeats nothing, and one that stands still holds up no end. Method: real runs
// of one file in both ways, compared; kill -9 of the scheduler while events are due, and SIGSTOP;
// /proc/PID/status of it, for two accounts made for this file.
import { chmodSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { shutdownMsMax } from "../../src/boss/limits.ts";
import type { RunResult } from "../../src/testbed/record/result-model.ts";
import { gidOf, idOf, makeAccounts, type TestAccounts } from "./support/accounts.ts";
import { scratch, start, until } from "./support/command.ts";
import {
  ended,
  readRecord,
  readText,
  runBody,
  type StartedRun,
  schedulersOf,
  sh,
  startRun,
  writeExperiment,
} from "./support/experiment.ts";

const isRoot = process.getuid?.() === 0;

/**
 * A program's end, a sequence, a failure and its report, a request of a program, a swap-out. What a
 * program is asked for follows the end of what it did before, also on a busy machine.
 */
const body = `set n0 [$ns node]
set n1 [$ns node]
set p [$n0 program-agent -command "true"]
set q [$n1 program-agent -command "exit 3" -expected-exit-code 3]
set u [$n1 program-agent -command {${sh("tevc -w -e $PID/$EID now p run; echo p $?")}}]
set l [$ns duplex-link $n0 $n1 10Mb 0ms DropTail]
set s [$ns event-sequence {
  $q run
  $p run
  $p run
  $u run
}]
$ns at 0.0 "$p start"
$ns at 0.2 "$s start"
$ns at 0.4 "$l down"
$ns at swapout "$p start"`;

/** What is the same in every run of it. */
function outline({ events, programs, outcome, endedBy, error }: RunResult) {
  const named = events.map(({ object, event, outcome: what }) => `${object} ${event} ${what}`);
  const ends = programs.map(({ name, node, exitCode }) => `${name} ${node} ${exitCode}`);
  return { outcome, endedBy, error, events: named.sort(), programs: ends.sort() };
}

const messagesOf = (out: string): string[] =>
  readRecord(out)
    .filter(({ type }) => type === "message")
    .map(({ text }) => String(text));

describe("muster run --split", () => {
  test("comes out as in one process: events, programs, warnings, requests of programs", async () => {
    const split = await runBody(body, ["--split"]);
    const one = await runBody(body);
    expect(outline(split.result)).toEqual(outline(one.result));
    expect(split.result.events.filter(({ object }) => object === "p")).toHaveLength(5);
    for (const { plannedUs, firedUs, latenessUs } of split.result.events) {
      expect((firedUs ?? 0) - (plannedUs ?? 0)).toBe(latenessUs);
    }
    expect(messagesOf(split.out).filter((text) => text.includes("failed with error"))).toEqual(
      messagesOf(one.out).filter((text) => text.includes("failed with error")),
    );
    const printed = "nodes/n1/local/logs/u.out";
    expect([split.text(printed), one.text(printed)]).toEqual(["p 0\n", "p 0\n"]);
    // When a step of the sequence is over is the machine's affair.
    const withoutTimes = (text: string): string[] =>
      text
        .split("\n")
        .map((row) => row.split(",").slice(2).join(","))
        .sort();
    const recorded = "proj/logs/events";
    expect(withoutTimes(split.text(recorded))).toEqual(withoutTimes(one.text(recorded)));
    expect(split.text("scheduler/event-sched.log")).toContain("scheduling the events of");
    expect(schedulersOf(split)).toEqual([]);
  });

  test("a scheduler that is killed goes on where it was: each event fires once", async () => {
    const count = 12;
    const lines = Array.from({ length: count }, (_, at) => {
      const program = `set p${at} [$n0 program-agent -command {${sh(`echo run >>$EXPDIR/logs/ran${at}`)}}]`;
      return `${program}\n$ns at ${0.4 * at} "$p${at} start"`;
    });
    const run = startRun(["set n0 [$ns node]", ...lines].join("\n"), ["--split"]);
    const { command, out } = run;
    const log = join(out, "scheduler/event-sched.log");
    const begins = (): number => readText(log).split("scheduling the events of").length - 1;
    for (const [kill, event] of ["program p1 on", "program p5 on"].entries()) {
      await until("an event has fired", () => command.stdout.includes(event));
      const [scheduler] = schedulersOf(run);
      if (scheduler === undefined) throw new Error("there is no scheduler");
      process.kill(scheduler, "SIGKILL");
      await until("it was started again", () => begins() === kill + 2);
    }
    const { result, code, stdout } = await ended(run);
    expect({ code, outcome: result.outcome, error: result.error }).toEqual({
      ...{ code: 0, outcome: "passed", error: null },
    });
    const names = Array.from({ length: count }, (_, at) => `p${at} START done`);
    const fired = result.events.map(
      ({ object, event, outcome }) => `${object} ${event} ${outcome}`,
    );
    expect(fired.sort()).toEqual(names.sort());
    for (let at = 0; at < count; at += 1) {
      expect(readText(join(out, `proj/logs/ran${at}`))).toBe("run\n");
    }
    expect(stdout).toContain("the scheduler was ended by SIGKILL; it is started again in 1 s");
  });

  test("one that does not answer is waited for once, and its run ends in time", async () => {
    const lines = ["set n0 [$ns node]", 'set p [$n0 program-agent -command "true"]'];
    const more = ['$ns at 0.1 "$p start"', '$ns at 900 "$p start"', '$ns at swapout "$p start"'];
    const run = startRun([...lines, ...more].join("\n"), ["--split"]);
    const { command } = run;
    await until("the first has fired", () => /program p on n0 exited/.test(command.stdout));
    const [scheduler] = schedulersOf(run);
    if (scheduler === undefined) throw new Error("there is no scheduler");
    process.kill(scheduler, "SIGSTOP");
    const beganMs = performance.now();
    command.child.kill("SIGTERM");
    const { result, stdout } = await ended(run);
    // What a daemon that ends has for it; else it cuts the run off, without a result.
    expect(performance.now() - beganMs).toBeLessThan(shutdownMsMax);
    expect(result.endedBy).toBe("interrupt");
    expect(stdout).toContain("the scheduler has not answered for 15 s; nothing more is waited for");
    expect(schedulersOf(run)).toEqual([]);
  });

  test("obeys muster event: pause, resume, list, cancel, replay", async () => {
    const run = startRun(
      ["set n0 [$ns node]", 'set p [$n0 program-agent -command "true"]']
        .concat('$ns at 0.1 "$p start"', '$ns at 800 "$p start"', '$ns at 900 "$p start"')
        .join("\n"),
      ["--split"],
    );
    const { command, out } = run;
    const name = "muster/test";
    const event = async (...argv: readonly string[]): Promise<string> => {
      const [word = "", ...rest] = argv;
      const server = readText(join(out, "proj/tbdata/eventserver")).trim();
      const where = ["--server", server, "--key", join(out, "proj/tbdata/eventkey")];
      const asked = await start("muster", ["event", word, name, ...rest, ...where]).ended;
      expect([argv, asked.code, asked.stderr]).toEqual([argv, 0, ""]);
      return asked.stdout;
    };
    await until("the first has fired", () => /program p on n0 exited/.test(command.stdout));
    expect(await event("pause")).toContain("paused at");
    expect(await event("resume")).toContain("resumed at");
    const ids = [...(await event("ls")).matchAll(/^(\d+) +\+(\d+)/gm)];
    expect(ids.map(([, , at]) => at)).toEqual(["800", "900"]);
    expect(await event("replay")).toContain("replayed");
    const programs = (): number => command.stdout.split("program p on n0 exited").length - 1;
    await until("it has fired again", () => programs() === 2);
    for (const [, id = ""] of [...(await event("ls")).matchAll(/^(\d+) +\+(\d+)/gm)]) {
      expect(await event("cancel", id)).toContain("cancelled");
    }
    expect(await event("ls")).toContain("no event is planned");
    expect(await event("send", "ns", "SWAPOUT")).toContain("accepted");
    const { result, code } = await ended(run);
    expect([code, result.outcome, result.endedBy]).toEqual([0, "passed", "terminate"]);
  });

  test("a run that is killed leaves no scheduler", async () => {
    const run = startRun(`${body}\n$ns at 60 "$p start"`, ["--split"]);
    await run.command.prints(/s START (fired|\d+ ms late)/);
    expect(schedulersOf(run)).toHaveLength(1);
    run.command.child.kill("SIGKILL");
    await until("its scheduler has ended", () => schedulersOf(run).length === 0);
  });

  test("refuses a user without --split before anything starts", async () => {
    const argv = ["run", writeExperiment(body), "--scheduler-user", "nobody"];
    const { code, stderr } = await start("muster", argv).ended;
    expect(code).toBe(64);
    expect(stderr).toContain("--scheduler-user says whom the scheduler of --split runs as");
  });

  describe.skipIf(!isRoot)("as root", () => {
    let accounts: TestAccounts;
    beforeAll(() => {
      accounts = makeAccounts();
    });
    afterAll(() => accounts.remove());

    /** A run whose results others can reach. */
    function startAs(user: string, text: string): StartedRun {
      const directory = scratch();
      chmodSync(directory, 0o755);
      const file = writeExperiment(text);
      const out = join(directory, "out");
      const argv = ["run", file, "--out", out, "--split", "--scheduler-user", user];
      return { command: start("muster", argv), out, file };
    }

    test("the scheduler is a process of the user, with nothing of root's", async () => {
      for (const user of [accounts.owner, accounts.other]) {
        const run = startAs(user, `${body}\n$ns at 3 "$p start"`);
        await run.command.prints(/s START (fired|\d+ ms late)/);
        const [scheduler = 0] = schedulersOf(run);
        const status = readFileSync(`/proc/${scheduler}/status`, "utf8");
        const [uid, gid] = [idOf("-u", user), gidOf(accounts.projectGroup)];
        expect(status).toContain(`\nUid:\t${Array(4).fill(uid).join("\t")}\n`);
        expect(status).toContain(`\nGid:\t${Array(4).fill(gid).join("\t")}\n`);
        expect(/^Groups:\t(.*?) *$/m.exec(status)?.[1]).toBe(String(gid));
        expect(status).toMatch(/^CapPrm:\t0+$/m);
        expect(status).toMatch(/^CapEff:\t0+$/m);
        const { result } = await ended(run);
        expect(result.outcome).toBe("passed");
        const log = join(run.out, "scheduler/tbdata/event-sched.sqlite");
        expect(statSync(log)).toMatchObject({ uid, gid });
      }
    });

    test("a scheduler of another user that is killed goes on, too", async () => {
      const run = startAs(accounts.owner, `${body}\n$ns at 3 "$p start"`);
      await run.command.prints(/s START (fired|\d+ ms late)/);
      const [before = 0] = schedulersOf(run);
      process.kill(before, "SIGKILL");
      // What starts it has its command line, and becomes the owner before it becomes the scheduler.
      const owner = idOf("-u", accounts.owner);
      const isOwners = (pid: number): boolean =>
        statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid === owner;
      await until("another of the owner runs", () =>
        schedulersOf(run).some((pid) => pid !== before && isOwners(pid)),
      );
      const { result } = await ended(run);
      expect(result.outcome).toBe("passed");
      expect(result.events.filter(({ object }) => object === "p")).toHaveLength(6);
    });

    test("refuses root and who is not there", async () => {
      for (const user of ["root", "mt-none"]) {
        const { code, stderr } = await startAs(user, body).command.ended;
        expect(code).toBe(64);
        expect(stderr).toMatch(/never runs as root|no user mt-none/);
      }
    });
  });
});
