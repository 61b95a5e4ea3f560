// SPDX-License-Identifier: MIT
// Goal: a linktest finds each of the faults that a shaper can have behind its back, in the
// direction where it is, and nothing wrong with the link beside them. [proofs.md 8] Method: a run
// with shaped links whose shaping is changed by events, which a linktest knows nothing of: it
// compares with the file.
import { expect, test } from "vitest";
import { runBody } from "./support/experiment.ts";

const isRoot = process.getuid?.() === 0;
/** The machine of `npm run test:netem` says: netem. */
const shapedBy = process.env["MUSTER_TEST_LINKS"] ?? "delay-node";
const names = ["honest", "slow", "late", "lossy", "swapped", "free"] as const;

const links = names
  .map(
    (name) => `set ${name}-a [$ns node]
set ${name}-b [$ns node]
set ${name} [$ns duplex-link \${${name}-a} \${${name}-b} 2Mb 5ms DropTail]`,
  )
  .join("\n");

/** What nobody told the linktest; the old tools of a node tell the shaper. */
const faults = [
  "slow MODIFY BANDWIDTH=1900",
  "late-late-a MODIFY DELAY=9",
  "lossy-lossy-b MODIFY PLR=0.1",
  "swapped-swapped-a MODIFY DELAY=5 BANDWIDTH=1000",
  "swapped-swapped-b MODIFY DELAY=15 BANDWIDTH=2000",
  "free CLEAR",
];

const body = `${links}
tb-set-link-loss $lossy 0.05
tb-set-link-simplex-params $swapped \${swapped-a} 15ms 2Mb 0
tb-set-link-simplex-params $swapped \${swapped-b} 5ms 1Mb 0
set faults [\${honest-a} program-agent -command "${faults
  .map((fault) => `tevc -e muster/test now ${fault}`)
  .join(" && ")}"]
set steps [$ns event-sequence {
  $faults run
  $ns linktest -stopat 4
}]
$ns at 0 "$steps run"`;

test.skipIf(!isRoot)("each fault of a shaper is found, where it is", async () => {
  const { result, stderr } = await runBody(body, ["--links", shapedBy]);
  // What a busy machine has lost on the way is said to be that, which is neither good nor bad.
  const found = result.links.map(({ name, from, verdict: told, why: all = [] }) => {
    const why = all.filter((text) => !/the machine was too busy|the probe is at fault/.test(text));
    const verdict = told === "untestable" && why.length === 0 ? "ok" : told;
    const stages = why.map((text) => text.split(":")[0]).sort();
    return `${name} ${from.slice(-1)} ${[verdict, ...stages].join(" ")}`;
  });
  expect(found, stderr).toEqual([
    ...["honest a ok", "honest b ok"],
    ...["slow a bad bandwidth", "slow b bad bandwidth"],
    ...["late a bad latency", "late b ok"],
    ...["lossy a ok", "lossy b bad loss"],
    ...["swapped a bad bandwidth latency", "swapped b bad bandwidth latency"],
    ...["free a bad bandwidth latency", "free b bad bandwidth latency"],
  ]);
  expect(result.outcome).toBe("failed");
});
