// SPDX-License-Identifier: MIT
// Goal: a linktest finds each of the faults that a shaper can have behind its back, in the
// direction where it is, and nothing wrong with the link beside them; a loss that is doubled as
// often as is stated. [proofs.md 8] Method: runs with shaped links whose shaping is changed by
// events, which a linktest knows nothing of: it compares with the file.
import { expect, test } from "vitest";
import { linktestLimits } from "../../src/linktest/index.ts";
import { lowerTail } from "../../src/linktest/statistics.ts";
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
  "lossy-lossy-b MODIFY PLR=0.15",
  "swapped-swapped-a MODIFY DELAY=5 BANDWIDTH=1000",
  "swapped-swapped-b MODIFY DELAY=15 BANDWIDTH=2000",
  "free CLEAR",
];

/** Tells the shaper by the node, and has links tested. */
const stepsFrom = (node: string, told: readonly string[], level: number): string => {
  const words = told.map((fault) => `tevc -e muster/test now ${fault}`).join(" && ");
  return `set faults [\${${node}} program-agent -command "${words}"]
set steps [$ns event-sequence {
  $faults run
  $ns linktest -stopat ${level}
}]
$ns at 0 "$steps run"`;
};

const body = `${links}
tb-set-link-loss $lossy 0.05
tb-set-link-simplex-params $swapped \${swapped-a} 15ms 2Mb 0
tb-set-link-simplex-params $swapped \${swapped-b} 5ms 1Mb 0
${stepsFrom("honest-a", faults, 4)}`;

/** Stages that accuse, by link and the end that sends. */
const guilty: Readonly<Record<string, readonly string[]>> = {
  "slow a": ["bandwidth"],
  "slow b": ["bandwidth"],
  "late a": ["latency"],
  "lossy b": ["loss"],
  "swapped a": ["bandwidth", "latency"],
  "swapped b": ["bandwidth", "latency"],
  "free a": ["bandwidth", "latency"],
  "free b": ["bandwidth", "latency"],
};

/** What is lost before the limiter is missing behind it, if not enough more was sent. */
const follows: Readonly<Record<string, readonly string[]>> = { "lossy b": ["bandwidth"] };

/** What a busy machine has lost on the way, or not sent, accuses nobody. */
const isMachines = (why: string): boolean =>
  /the machine was too busy|the probe is at fault/.test(why);
const stageOf = (why: string): string => why.split(":")[0] ?? "";

test.skipIf(!isRoot)("each fault of a shaper is found, where it is", async () => {
  const { result, stderr } = await runBody(body, ["--links", shapedBy]);
  const { endedBy, error, events, messages, programs } = result;
  const ending = JSON.stringify({ endedBy, error, events, messages, programs });
  expect(result.links).toHaveLength(2 * names.length);
  let found = 0;
  for (const { name, from, verdict, why = [] } of result.links) {
    const direction = `${name} ${from.slice(-1)}`;
    const expected = guilty[direction] ?? [];
    const allowed = [...expected, ...(follows[direction] ?? [])];
    const accusing = why.filter((text) => !isMachines(text)).map(stageOf);
    const excused = why.filter(isMachines).map(stageOf);
    const told = `${direction} is ${verdict}: ${why.join("; ")}\n${ending}\n${stderr}`;
    expect(
      accusing.filter((stage) => !allowed.includes(stage)),
      told,
    ).toEqual([]);
    const unseen = expected.filter((stage) => ![...accusing, ...excused].includes(stage));
    expect(unseen, told).toEqual([]);
    if (accusing.length > 0) expect(verdict, told).toBe("bad");
    found += accusing.length;
  }
  // A linktest that can tell nothing has shown nothing.
  expect(found).toBeGreaterThan(6);
  expect(result.outcome).toBe("failed");
});

/**
 * Two between each two nodes: each direction is one that is judged by itself. How often it is found
 * is the linktest's own doing, whoever shapes; that it is found at all shows with four, too.
 */
const doubled = Array.from({ length: shapedBy === "netem" ? 2 : 10 }, (_, at) => `l${at}`);
const askedLoss = 0.05;

const doubledBody = `${doubled
  .map((name, index) => {
    const [a, b] = [`a${index >> 1}`, `b${index >> 1}`];
    const nodes = `set ${a} [$ns node]\nset ${b} [$ns node]\n`;
    return `${index % 2 === 0 ? nodes : ""}set ${name} [$ns duplex-link $${a} $${b} 2Mb 5ms DropTail]
tb-set-link-loss $${name} ${askedLoss}`;
  })
  .join("\n")}
${stepsFrom(
  "a0",
  doubled.map((name) => `${name} MODIFY PLR=${2 * askedLoss}`),
  3,
)}`;

test.skipIf(!isRoot)("a doubled loss is found with the power that is stated", async () => {
  const { result, stderr } = await runBody(doubledBody, ["--links", shapedBy]);
  expect(result.links).toHaveLength(2 * doubled.length);
  const each = result.links.map(({ name, from, why = [] }) => `${name} ${from}: ${why.join("; ")}`);
  const told = `${each.join("\n")}\n${stderr}`;
  const found = result.links.filter(({ why = [] }) =>
    why.some((text) => stageOf(text) === "loss" && !isMachines(text)),
  );
  const excused = result.links.filter(({ why = [] }) =>
    why.some((text) => stageOf(text) === "loss" && isMachines(text)),
  );
  const judged = result.links.length - excused.length;
  expect(judged, told).toBeGreaterThanOrEqual(doubled.length);
  expect(found.length, told).toBeGreaterThan(0);
  // Whoever finds them with this power finds so few in less than one of a million runs.
  const chance = lowerTail(judged, linktestLimits.power, found.length);
  expect(chance, told).toBeGreaterThan(1e-6);
});
