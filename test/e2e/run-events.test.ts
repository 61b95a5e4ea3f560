// SPDX-License-Identifier: MIT
// Goal: programs of a run send events with the old command, wait for their end and are told what is
// refused; what is planned in sequences and groups happens. Method: real runs in which a program is
// a script of tevc; its output is what a user would see. [EMULAB-EVENTS 8 session B, 10 single]
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type CommandOptions, scratch, start } from "./support/command.ts";
import { ended, startRun, writeExperiment } from "./support/experiment.ts";

/** What `script` prints in a run in which it is a program, beside those of `body`. */
async function runScript(script: string, body: string, env: CommandOptions["env"] = {}) {
  const directory = scratch();
  writeFileSync(join(directory, "script"), `E=$PID/$EID\n${script}\n`);
  const user = `set user [$n1 program-agent -command {sh $EXPFILES/script}]
$ns at 0.1 "$user start"`;
  const nodes = "set n0 [$ns node]\nset n1 [$ns node]";
  const file = writeExperiment([nodes, body, user].join("\n"), directory);
  const out = join(scratch(), "out");
  const command = start("muster", ["run", file, "--out", out], { env });
  const run = await ended({ command, out, file });
  expect(run.stderr).toBe("");
  return { text: run.text, result: run.result, printed: run.text("nodes/n1/local/logs/user.out") };
}

const programs = `
set p [$n0 program-agent -command "exit 3" -expected-exit-code 3]
set q [$n0 program-agent -command "exit 5" -expected-exit-code 5]
set l0 [$ns duplex-link $n0 $n1 10Mb 0ms DropTail]
set s [$ns event-sequence {
  $p run
  $p run
}]
set g [new EventGroup $ns]
$g add $p
$g add $q`;

test("session B: tevc in a program of the run, with and without waiting", async () => {
  const { printed, result } = await runScript(
    `tevc -e $E now p start; echo sent $?
tevc -w -e $E now q run COMMAND='exit 9'; echo run $?
tevc -w -e $E now q start COMMAND='sleep 0.2; exit 7'; echo start $?
tevc -w -e $E now s run; echo sequence $?
tevc -w -e $E now g run; echo group $?
tevc -w -e $E +1 q run; echo later $?
tevc -w -e $E now l0 down; echo link $?
tevc -e $E now nobody start; echo unknown $?
tevc -w -e $E now nobody start; echo unknown-waits $?`,
    programs,
  );
  expect(printed.split("\n")).toEqual([
    ...["sent 0", "run 9", "start 7", "sequence 0", "group 7", "later 7", "link 0"],
    ...["unknown 0", "unknown-waits 255", ""],
  ]);
  const link = result.events.find(({ object }) => object === "l0");
  expect(link?.outcome).toBe("done");
  const later = result.events
    .filter(({ object, event }) => object === "q" && event === "RUN")
    .at(-1);
  expect(later?.firedUs).toBeGreaterThanOrEqual(later?.plannedUs ?? Infinity);
});

test("a strict sender is told at once what is refused, and what is meant perhaps", async () => {
  const { text } = await runScript(
    `MUSTER_TEVC_STRICT=1 tevc -e $E now pp start
MUSTER_TEVC_STRICT=1 tevc -e $E now p reboot
MUSTER_TEVC_STRICT=1 tevc -w -e $E now l0 down; echo link $?`,
    `set l0 [$ns duplex-link $n0 $n1 10Mb 0ms DropTail]
set prog [$n0 program-agent -command true]\nset p [$n0 program-agent -command true]`,
  );
  expect(text("nodes/n1/local/logs/user.err").split("\n")).toEqual([
    expect.stringContaining("there is no object pp; did you mean p?"),
    expect.stringContaining("p is a PROGRAM and knows no REBOOT"),
    "",
  ]);
});

test("RUN of a program that runs is refused with 255 at once, and what runs goes on", async () => {
  const { printed, result } = await runScript(
    `tevc -e $E now q start COMMAND='exec sh -c "until test -e $EXPDIR/told; do sleep 0.1; done; exit 6"'
tevc -w -t 20 -e $E now q run; echo second $?; touch $EXPDIR/told`,
    programs,
  );
  expect(printed).toBe("second 255\n");
  expect(result.programs.find(({ name }) => name === "q")?.exitCode).toBe(6);
});

test("the bus is found by its name where the node has its own hosts file", async () => {
  const script = "unset MUSTER_EVENTS; tevc -w -e $E now q run COMMAND='exit 9'; echo run $?";
  const { printed } = await runScript(script, programs);
  expect(printed).toBe("run 9\n");
});

test("nodes by environment reach it, too", async () => {
  const script = "tevc -w -e $E now q run COMMAND='exit 9'; echo run $?";
  const { printed } = await runScript(script, programs, { MUSTER_NODES: "environment" });
  expect(printed).toBe("run 9\n");
});

test("image-test/single: a sequence at 0.0 of two programs", async () => {
  const run = await ended(
    startRun(`set n0 [$ns node]
set prog_simple [$n0 program-agent -dir /tmp -command {touch $EXPDIR/prog_simple-ok}]
set prog_env [$n0 program-agent -command {touch $EXPDIR/testenv-$PID-$EID}]
set both [$ns event-sequence {
  $prog_simple run
  $prog_env run
}]
$ns at 0.0 "$both start"`),
  );
  expect(run.result.outcome).toBe("passed");
  const [pid, eid] = run.result.experiment.split("/");
  expect(existsSync(join(run.out, "proj/prog_simple-ok"))).toBe(true);
  expect(existsSync(join(run.out, `proj/testenv-${pid}-${eid}`))).toBe(true);
});

test("a planned MODIFY of a command holds for the planned and the sent runs after it", async () => {
  const { printed } = await runScript(
    "sleep 1; tevc -w -e $E now p run; cat $(ls -tr /local/logs/p.out.*)",
    `set p [$n1 program-agent -command {echo old}]
$ns at 0.2 "$p run"
$ns at 0.4 "$p set -command {echo new}"
$ns at 0.6 "$p run"`,
  );
  expect(printed).toBe("old\nnew\nnew\n");
});
