// SPDX-License-Identifier: MIT
// Goal: the doctor says of links what a run would find, and of leftovers what is there when it has
// looked. Method: what was found out, made up.
import { expect, test } from "vitest";
import { describeLeftovers, describeLinks } from "../../../src/cli/commands/doctor.ts";

const kernel = (...broken: readonly string[]) => ({
  hasNetwork: true,
  parts: (["veth", "bridge", "vxlan", "tbf", "netem"] as const).map((name) => {
    return { name, fault: broken.includes(name) ? `no ${name}` : "" };
  }),
});

const backends = (netem: string | undefined, delayNode: string | undefined) => [
  { kind: "netem" as const, problem: netem },
  { kind: "delay-node" as const, problem: delayNode },
];

test.each([
  [kernel(), backends(undefined, undefined), /^links {5}netem: /, ""],
  [kernel("netem"), backends("no", undefined), /^links {5}delay-node: /, "modprobe sch_netem"],
  [kernel("netem", "vxlan"), backends("no", "no"), /^links {5}none: /, "modprobe vxlan"],
  [
    kernel(),
    backends("sh: 6: ethtool: not found", "sh: 3: ethtool: not found"),
    /^links {5}none: .*\(netem: sh: 6: ethtool: not found; delay-node: sh: 3: ethtool/,
    "",
  ],
])("links: %j with %j", (probe, found, head, last) => {
  const lines = describeLinks(probe, found);
  expect(lines[0]).toMatch(head);
  if (last === "") expect(lines.join("\n")).not.toContain("modprobe");
  else expect(lines.at(-1)).toContain(last);
});

test.each([
  [{ found: 0, removed: 0 }, false, "leftovers none"],
  [{ found: 1, removed: 1 }, false, "leftovers of 1 run removed"],
  [
    { found: 1, removed: 0 },
    false,
    /^leftovers of 1 run whose Muster was killed; .* --clean removes/,
  ],
  [
    { found: 10, removed: 8 },
    false,
    /^leftovers of 8 runs removed; of 2 runs whose Muster was killed/,
  ],
  [{ found: 2, removed: 2 }, true, "leftovers of 2 runs removed"],
  [{ found: 3, removed: 1 }, true, /^leftovers of 1 run removed; 2 would not go, try again/],
])("leftovers: %j, --clean %j", (counts, isCleaned, said) => {
  expect(describeLeftovers(counts, isCleaned)).toEqual(
    typeof said === "string" ? said : expect.stringMatching(said),
  );
});
