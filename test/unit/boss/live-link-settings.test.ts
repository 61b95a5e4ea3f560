// SPDX-License-Identifier: MIT
// Goal: what was set of a link counts until a modification makes that link another one (S1), and
// nothing else does. Method: settings of one parsed file, laid over other versions of it.
import { expect, it } from "vitest";
import { LiveLinkSettings } from "../../../src/boss/live-link-settings.ts";
import { parseNsFile } from "../../../src/experiment/index.ts";
import type { Experiment } from "../../../src/experiment/model.ts";

const source = `set ns [new Simulator]
set a [$ns node]
set b [$ns node]
set l [$ns duplex-link $a $b 10Mb 10ms DropTail]
set m [$ns duplex-link $a $b 10Mb 10ms DropTail]
$ns run
`;

function parsed(text: string, file: string): Experiment {
  const { experiment } = parseNsFile(text, { file, pid: "p", eid: "e" });
  if (experiment === undefined) throw new Error("it has errors");
  return experiment;
}

it("keeps what was set of links that a modification leaves as they are", () => {
  const settings = new LiveLinkSettings();
  const run = { exptidx: 1, directory: "/run" };
  const before = parsed(source, "before.ns");
  for (const link of before.links) settings.note(run, link, null, [["DELAY", "70"]]);
  const delays = (experiment: Experiment): readonly (number | undefined)[] =>
    settings.over(1, "/run", experiment).links.map(({ members }) => members[0]?.toLink.delayUs);
  expect(delays(before)).toEqual([35_000, 35_000]);

  // Another file, in which l stands elsewhere and m is another link.
  const moved = source.replace("set l ", "# a line more\nset l ");
  const after = parsed(moved.replace(/(set m .*) 10ms/, "$1 20ms"), "after.ns");
  expect(delays(after)).toEqual([35_000, 10_000]);
});
