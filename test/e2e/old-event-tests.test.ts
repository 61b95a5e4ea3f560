// SPDX-License-Identifier: MIT
// Goal: the experiments with which the old event system was tested run, and what they were to show
// holds. Method: their structure, with other names and a tenth of their times; no durations are
// asserted, only what happens, in which order, and what each event brings. [EMULAB-EVENTS 10]
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { RunResult } from "../../src/testbed/record/result-model.ts";
import { scratch, start } from "./support/command.ts";
import { type EndedRun, ended, runBody, writeExperiment } from "./support/experiment.ts";

/** A run of `body`, whose programs find `scripts` by their names in $EXPFILES. */
function runWith(scripts: Readonly<Record<string, string>>, body: string): Promise<EndedRun> {
  const directory = scratch();
  for (const [name, lines] of Object.entries(scripts)) writeFileSync(join(directory, name), lines);
  const file = writeExperiment(body, directory);
  const out = join(scratch(), "out");
  return ended({ command: start("muster", ["run", file, "--out", out]), out, file });
}

/** A source on `from` that sends to a sink on `to`. */
const flow = (name: string, protocol: "UDP" | "TCP", from: string, to: string): string => `
set ${name}src [new Agent/${protocol}]
$ns attach-agent $${from} $${name}src
set ${name} [new Application/Traffic/CBR]
$${name} set packetSize_ 100
$${name} set interval_ 0.01
$${name} attach-agent $${name}src
set ${name}dst [new Agent/${protocol === "UDP" ? "Null" : "TCPSink"}]
$ns attach-agent $${to} $${name}dst
$ns connect $${name}src $${name}dst`;

const linked = `
set n0 [$ns node]
set n1 [$ns node]
set link0 [$ns duplex-link $n0 $n1 10Mb 0ms DropTail]
set n2 [$ns node]
set link1 [$ns duplex-link $n1 $n2 10Mb 0ms DropTail]`;

/** What became of the events of an object, in the order in which they fired. */
function outcomesOf({ events }: RunResult, name: string): readonly string[] {
  return events
    .filter(({ object }) => object === name)
    .sort((a, b) => (a.firedUs ?? Infinity) - (b.firedUs ?? Infinity))
    .map(({ event, outcome }) => `${event} ${outcome.replace(/: .*/s, "")}`);
}

test("cbr: two flows, two programs, and links that fail and come back", async () => {
  const { result, code } = await runBody(`${linked}
${flow("cbr0", "UDP", "n0", "n1")}
${flow("cbr1", "TCP", "n1", "n2")}
set prog0 [$n0 program-agent -command "sleep 100"]
set prog1 [$n2 program-agent -command "sleep 100"]
$ns at 0.1 "$cbr0 start"
$ns at 0.5 "$link0 down"
$ns at 1.5 "$link0 up"
$ns at 2.0 "$cbr0 stop"
$ns at 2.1 "$cbr1 start"
$ns at 2.6 "$cbr1 stop"
$ns at 2.7 "$prog0 start"
$ns at 3.1 "$prog0 stop"
$ns at 3.2 "$prog1 start"
$ns at 3.6 "$prog1 stop"
$ns at 3.7 "$link1 down"
$ns at 3.8 "$link1 up"`);
  expect(code).toBe(0);
  for (const name of ["cbr0", "cbr1", "prog0", "prog1"]) {
    expect(outcomesOf(result, name)).toEqual(["START done", "STOP done"]);
  }
  for (const name of ["link0", "link1"]) {
    expect(outcomesOf(result, name)).toEqual(["DOWN done", "UP done"]);
  }
  const [cbr0, cbr1] = result.traffic ?? [];
  // What was sent while its link was down is lost, and nothing else.
  expect(cbr0?.receivedPackets).toBeGreaterThan(0);
  expect(cbr0?.receivedPackets).toBeLessThan(cbr0?.sentPackets ?? 0);
  expect(cbr1?.sentPackets).toBeGreaterThan(0);
  expect(cbr1?.receivedPackets).toBe(cbr1?.sentPackets);
  expect(result.traffic).toHaveLength(2);
});

test("traffic in a timeline that tevc starts: one flow, the other, then both at once", async () => {
  const { result, code, text } = await runWith(
    { script: "tevc -w -e $PID/$EID now tl run; echo $?\n" },
    `${linked}
${flow("udp", "UDP", "n0", "n1")}
${flow("tcp", "TCP", "n0", "n1")}
set tl [$ns event-timeline]
$tl at 0.2 "$udp start"
$tl at 0.4 "$udp stop"
$tl at 0.6 "$tcp start"
$tl at 0.8 "$tcp stop"
$tl at 1.0 "$udp start"
$tl at 1.0 "$tcp start"
$tl at 1.2 "$udp stop"
$tl at 1.2 "$tcp stop"
set user [$n0 program-agent -command {sh $EXPFILES/script}]
$ns at 0.1 "$user start"`,
  );
  expect(code).toBe(0);
  // -w: the timeline is over at its last event, and the exit code is its error.
  expect(text("nodes/n0/local/logs/user.out")).toBe("0\n");
  for (const name of ["udp", "tcp"]) {
    expect(outcomesOf(result, name)).toEqual([
      "START done",
      "STOP done",
      "START done",
      "STOP done",
    ]);
  }
  const [timeline] = result.events.filter(({ object }) => object === "tl");
  const planned = result.events.filter(({ object }) => object === "udp" || object === "tcp");
  const offsets = planned.map(({ plannedUs }) => (plannedUs ?? 0) - (timeline?.plannedUs ?? 0));
  const expected = [200, 400, 600, 800, 1_000, 1_000, 1_200, 1_200].map((ms) => ms * 1_000);
  expect(offsets.sort((a, b) => a - b)).toEqual(expected);
  for (const { sentPackets } of result.traffic ?? []) expect(sentPackets).toBeGreaterThan(0);
});

test("many programs, started with commands of their own and stopped by tevc", async () => {
  const count = 12;
  const numbers = Array.from({ length: count }, (_, at) => at).join(" ");
  const agents = Array.from({ length: count }, (_, at) => `set p${at} [$n${at % 3} program-agent]`);
  const each = (tevc: string): string => `for i in ${numbers}; do tevc ${tevc}; done\n`;
  const scripts = {
    begin: each('-e $PID/$EID now p$i start COMMAND="echo begun $i; exec sleep 100"'),
    end: each("-w -e $PID/$EID now p$i halt"),
  };
  const body = `${linked}
${agents.join("\n")}
set begin [$n0 program-agent -command {sh $EXPFILES/begin}]
set end [$n1 program-agent -command {sh $EXPFILES/end}]
set seq [$ns event-sequence]
$seq append "$begin run"
$seq append "$end run"
$ns at 0 "$seq start"`;
  const { result, code, text } = await runWith(scripts, body);
  expect(code).toBe(0);
  for (let at = 0; at < count; at += 1) {
    expect(text(`nodes/n${at % 3}/local/logs/p${at}.out`)).toBe(`begun ${at}\n`);
    expect(outcomesOf(result, `p${at}`)).toEqual(["START done", "HALT done"]);
  }
});
