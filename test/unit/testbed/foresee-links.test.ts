// SPDX-License-Identifier: MIT
// Goal: what will come of link events that a file plans is told before time 0: what is refused,
// with the figures of the refusal, and what is faster than who shapes carries; each on what the
// events before it have made (F1). Nothing is changed by that. Method: experiments as they are
// read, paths between two hosts, and the tables that shape them.
import { describe, expect, it } from "vitest";
import { parseNsFile } from "../../../src/experiment/index.ts";
import type { Experiment } from "../../../src/experiment/model.ts";
import { LinkTable } from "../../../src/network/link-table.ts";
import { shapeLink } from "../../../src/network/model.ts";
import { describeOverload } from "../../../src/network/overload.ts";
import { foreseeLinkEvents } from "../../../src/testbed/foresee-links.ts";
import { HostPaths } from "../../../src/testbed/machines/host-paths.ts";

function read(body: string): Experiment {
  const source = `set ns [new Simulator]
set a [$ns node]
set b [$ns node]
set l0 [$ns duplex-link $a $b 10Mb 20ms DropTail]
set l1 [$ns duplex-link $a $b 10Mb 20ms DropTail]
${body}
$ns run
`;
  const { experiment, diagnostics } = parseNsFile(source, { file: "x", pid: "p", eid: "e" });
  if (experiment === undefined) throw new Error(JSON.stringify(diagnostics));
  return experiment;
}

/** A path of 3 ms and 50 Mb/s each way, and a process that carries 121 Mb/s. */
function foresee(body: string, told: readonly string[] = []): readonly string[] {
  const experiment = read(body);
  const table = new LinkTable({ backend: "test", bandwidthBpsMax: 1e9, inFlightBytesMax: 1e9 });
  expect(table.add(experiment.links.map(shapeLink))).toEqual([]);
  const ends = [
    { node: "a", host: "x" },
    { node: "b", host: "y" },
  ];
  const paths = new HostPaths([{ name: "l0", kind: "link", ends }]);
  for (const [from = "", to = ""] of [
    ["x", "y"],
    ["y", "x"],
  ]) {
    paths.add({ from, to, delayUs: 3_000, bandwidthBps: 50_000_000 });
  }
  const before = table.names.flatMap((name) => table.states(name));
  const texts = foreseeLinkEvents(
    experiment,
    {
      table,
      refusal(changes, on = table) {
        const planned = on.plan(changes);
        if ("problem" in planned) return planned.problem;
        return paths.problem(planned, (place) => on.state(place)?.shape);
      },
      overload: (on = table) => describeOverload(on, { packetsPerSecond: 10_000, threads: 1 }),
    },
    told,
  );
  expect(table.names.flatMap((name) => table.states(name))).toEqual(before);
  return texts;
}

describe("link events that a file plans", () => {
  it("are told that the path between machines is too long or too slow for, with both figures", () => {
    expect(foresee(`$ns at 3 "$l0 bandwidth 60Mb"\n$ns at 1.5 "$l0 delay 2ms"`)).toEqual([
      "at 1.5 s, MODIFY of l0 will be refused: link l0 is to take 2 ms from a to b, and the path " +
        "from x to y takes 3 ms by itself; ask for what the path leaves, or put both nodes on one host",
      "at 3 s, MODIFY of l0 will be refused: link l0 is to carry 60 Mb/s, and the path from x to y " +
        "carries 50 Mb/s; ask for what the path leaves, or put both nodes on one host",
    ]);
  });

  it("are not, as long as there is room, on this link and on others", () => {
    const fine = `$ns at 1 "$l0 bandwidth 50Mb"\n$ns at 1 "$l0 delay 3ms"\n$ns at 2 "$l1 delay 2ms"`;
    expect(foresee(`${fine}\n$ns at 3 "$l0 down"`)).toEqual([]);
  });

  it("count on what those before them have made, and not on what was refused (F1)", () => {
    // 1 Gb/s for half a second is more than 64 MB only behind the first one.
    const both = [`$ns at 2 "$l1 delay 9000ms"`, `$ns at 1 "$l1 bandwidth 1000Mb"`];
    const [one, two, ...more] = foresee(both.join("\n"));
    expect(one).toMatch(/^at 1 s, MODIFY of l1 will be too much: link l1 \(1000 Mb\/s\) asks for /);
    expect(two).toMatch(/^at 2 s, MODIFY of l1 will be refused: link l1: 1000 Mb\/s for 9000 ms /);
    expect(more).toEqual([]);
    expect(foresee(both.slice(0, 1).join("\n"))).toEqual([]);
  });

  it("that make links too fast are told once, and not when it was said of the file itself", () => {
    const twice = `$ns at 1 "$l1 bandwidth 300Mb"\n$ns at 2 "$l1 down"\n$ns at 3 "$l1 bandwidth 300Mb"`;
    const [text = "", ...more] = foresee(twice);
    expect(text).toMatch(/^at 1 s, MODIFY of l1 will be too much: link l1 \(300 Mb\/s\) asks for /);
    expect(more).toEqual([]);
    expect(foresee(twice, [text.slice(text.indexOf("link l1"))])).toEqual([]);
    expect(foresee(`$ns at 1 "$l1 bandwidth 100Mb"`)).toMatchObject([/./]);
    expect(foresee(`$ns at 1 "$l1 bandwidth 20Mb"`)).toEqual([]);
  });

  it("are looked at in sequences, timelines and groups, too", () => {
    const refused = /MODIFY of l0 will be refused: link l0 is to take 2 ms from a to b/;
    for (const body of [
      `set s [$ns event-sequence {\n  $l0 delay 2ms\n}]\n$ns at 1 "$s start"`,
      `set t [$ns event-timeline]\n$t at 1 "$l0 delay 2ms"\n$ns at 1 "$t start"`,
      `set g [new EventGroup $ns]\n$g add $l1 $l0\n$ns at 1 "$g delay 2ms"`,
    ]) {
      expect(foresee(body), body).toEqual([expect.stringMatching(refused)]);
    }
  });

  it("are told ten at most", () => {
    const many = Array.from(
      { length: 13 },
      (_, at) => `$ns at ${at} "$l0 delay ${2 + at / 100}ms"`,
    );
    const texts = foresee(many.join("\n"));
    expect(texts).toHaveLength(11);
    expect(texts.at(-1)).toMatch(/^\d+ more events of links will be refused or too much$/);
  });
});
