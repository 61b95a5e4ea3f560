// SPDX-License-Identifier: MIT
// Goal: drawings and explanations show what the file says, whatever its names and size.
// Method: small files read, drawn and searched; larger ones checked for overlapping boxes.
import { describe, expect, it } from "vitest";
import { readYamlExperiment } from "../../../src/boss/read-yaml.ts";
import { drawDot, drawSvg, type Experiment, explain } from "../../../src/experiment/index.ts";

function read(text: string): Experiment {
  const { experiment, diagnostics } = readYamlExperiment(text, { file: "a.yaml", defaultEid: "e" });
  if (experiment === undefined) throw new Error(JSON.stringify(diagnostics));
  return experiment;
}

const small = read(`
nodes: [a, b, c]
links:
  up: { between: [a, b], delay: 10ms, forward: { bandwidth: 1Mbps, loss: 1% } }
  lan: { lan: [a, b, c], bandwidth: 100Mbps, delay: 4ms }
programs:
  first: { node: a, command: "true" }
  second: { node: b, command: echo hi, start: { after: first, at: 2s } }
events:
  - { at: 20s, target: up, do: up }
  - { at: 10s, target: up, do: down }
syncServer: b
`);

describe("explain()", () => {
  const text = explain(small);

  it("says what each way of a link carries in the end", () => {
    expect(text).toContain("a to b: 1Mbps, delay 10ms, loss 1%");
    expect(text).toContain("b to a: any bandwidth, delay 10ms, no loss");
    expect(text).toContain("each way: 100Mbps, delay 4ms, no loss");
  });

  it("lists addresses, programs and what they wait for, and events by time", () => {
    expect(text).toMatch(/a {2}10\.1\.1\.2 {2}interface 0/);
    expect(text).toContain("starts 2s after first ended as expected");
    expect(text).toMatch(/10s {2}up DOWN.*\n.*20s {2}up UP/);
  });

  it("says which node has the sync server, and why", () => {
    expect(text).toContain("sync server: b (chosen by the file)");
    expect(explain(small, "because")).toContain("sync server: b (because)");
  });

  it("shows no control characters of a file", () => {
    const command = "echo \u001b[31m\u202e";
    const program = small.programs[0];
    if (program === undefined) throw new Error("there is a program");
    const odd = { ...small, programs: [{ ...program, command }] };
    expect(explain(odd)).toContain("echo ?[31m?");
  });
});

describe("drawDot()", () => {
  it("quotes names and has one line for each link and each end of a LAN", () => {
    const dot = drawDot({ ...small, eid: 'a"b\\' });
    expect(dot).toContain('graph "muster/a\\"b\\\\" {');
    expect(dot.match(/ -- /g)).toHaveLength(4);
  });
});

describe("drawSvg()", () => {
  it("escapes every name", () => {
    const svg = drawSvg({ ...small, eid: "<script>&\"'" });
    expect(svg).not.toContain("<script>");
    expect(svg).toContain("&#60;script&#62;&#38;&#34;&#39;");
  });

  it("is the same text every time", () => {
    expect(drawSvg(small)).toBe(drawSvg(small));
  });

  const sizes = [1, 5, 50, 200];
  it.each(sizes)("keeps the boxes of %i nodes apart, whatever connects them", (count) => {
    const nodes = `nodes: { n: { repeat: ${count} } }\n`;
    const chain = Array.from(
      { length: count - 1 },
      (_, i) => `  l${i}: { between: [n${i}, n${i + 1}] }`,
    );
    const tree = Array.from(
      { length: count - 1 },
      (_, i) => `  l${i}: { between: [n${i + 1}, n${Math.floor(i / 3)}] }`,
    );
    const lan = count > 1 ? ["  lan: { lan: [n] }"] : [];
    for (const links of [[], chain, tree, lan, [...chain.slice(0, 3), ...lan]]) {
      const text = links.length === 0 ? nodes : `${nodes}links:\n${links.join("\n")}\n`;
      expect(overlaps(drawSvg(read(text)))).toEqual([]);
    }
  });
});

/** Pairs of boxes that share a place, and boxes outside of the picture. */
function overlaps(svg: string): string[] {
  const boxes = [
    ...svg.matchAll(
      /class="box[^"]*" x="([-\d.]+)" y="([-\d.]+)" width="([\d.]+)" height="([\d.]+)"/g,
    ),
  ];
  const rows = boxes.map((match) => match.slice(1).map(Number) as [number, number, number, number]);
  const size = /viewBox="0 0 (\d+) (\d+)"/.exec(svg)?.slice(1).map(Number) ?? [];
  const found: string[] = [];
  rows.forEach(([x, y, width, height], index) => {
    if (x < 0 || y < 0 || x + width > (size[0] ?? 0) || y + height > (size[1] ?? 0)) {
      found.push(`box ${index} is outside`);
    }
    for (const [other, [left, top]] of rows.entries()) {
      if (other <= index) continue;
      if (Math.abs(left - x) < width && Math.abs(top - y) < height) found.push(`${index} ${other}`);
    }
  });
  return found;
}
