// SPDX-License-Identifier: MIT
// Goal: traffic of NS files flows between the nodes' addresses when its events say so, and the
// result accounts for every packet.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runBody } from "./support/experiment.ts";

const flow = (name: string, agent: string, sink: string): string => `
set ${name}src [new Agent/${agent}]
$ns attach-agent $n0 $${name}src
set ${name} [new Application/Traffic/CBR]
$${name} set packetSize_ 200
$${name} set interval_ 0.002
$${name} attach-agent $${name}src
set ${name}dst [new Agent/${sink}]
$ns attach-agent $n1 $${name}dst
$ns connect $${name}src $${name}dst
$ns at 0.2 "$${name} start"
$ns at 0.3 "$${name} set interval_ 0.001"
$ns at 0.5 "$${name} stop"
`;

test("UDP and TCP flows are sent while their events say so, and counted", async () => {
  const body = `
set n0 [$ns node]
set n1 [$ns node]
set link [$ns duplex-link $n0 $n1 10Mb 0ms DropTail]
tb-set-ip $n0 10.1.1.1
${flow("cbr0", "UDP", "Null")}
${flow("cbr1", "TCP", "TCPSink")}
`;
  // A shaped link may drop what a busy machine sends late and all at once.
  const { out, result } = await runBody(body, ["--links", "none"]);
  const traffic = result.traffic ?? [];
  expect(traffic.map(({ name, protocol }) => `${name} ${protocol}`)).toEqual([
    ...["cbr0 udp", "cbr1 tcp"],
  ]);
  for (const { sentPackets, sentBytes, receivedPackets } of traffic) {
    expect(sentPackets).toBeGreaterThan(0);
    expect([sentBytes, receivedPackets]).toEqual([sentPackets * 200, sentPackets]);
  }
  const outcomes = result.events.map(
    ({ object, event, outcome }) => `${object} ${event} ${outcome}`,
  );
  expect(outcomes.toSorted()).toEqual(
    ["MODIFY", "START", "STOP"]
      .flatMap((event) => [`cbr0 ${event} done`, `cbr1 ${event} done`])
      .sort(),
  );
  expect(readFileSync(join(out, "record.ndjson"), "utf8")).toContain('"traffic-ended"');
});

test("a console keeps what programs of its node printed between START and STOP", async () => {
  const body = `
set n0 [$ns node]
set n1 [$ns node]
set before [$n0 program-agent -command {echo before}]
set between [$n0 program-agent -command {echo between}]
set elsewhere [$n1 program-agent -command {echo elsewhere}]
set all [$ns event-sequence {
  $before run
  [$n0 console] start
  $between run
  $elsewhere run
  [$n0 console] stop first
}]
$ns at 0.1 "$all start"
`;
  const { result, text } = await runBody(body);
  expect(result.outcome).toBe("passed");
  expect(text("proj/logs/n0-console-first.log")).toMatch(/^==> between\.out\.\d+ <==\nbetween\n$/);
});
