// SPDX-License-Identifier: MIT
// Goal: the picture of a linktest shows for each direction what was asked for and measured, bad
// ones first and in their colour, and draws no more than it says. Method: links made here, markup
// read.
import { describe, expect, it } from "vitest";
import { linkRowsMax, renderMeasured } from "../../../src/testbed/record/report-links.ts";
import type { ResultLink, RunResult } from "../../../src/testbed/record/result-model.ts";

function link(name: string, more: Partial<ResultLink> = {}): ResultLink {
  return {
    ...{ name, from: "a", to: "b", verdict: "ok" },
    asked: { bandwidthBps: 10_000_000, delayUs: 20_000, loss: 0 },
    measured: { bandwidthBps: 9_500_000, rttUs: 40_000, delayUs: 20_000, loss: 0 },
    ...more,
  };
}

const draw = (links: readonly ResultLink[]): string =>
  renderMeasured({ links } as unknown as RunResult)?.markup ?? "";

describe("the picture of measured links", () => {
  it("draws the tick of 100 % in one place and the dot where it was measured", () => {
    const markup = draw([link("l")]);
    const dots = [...markup.matchAll(/<circle\s+class="shot" cx="([\d.]+)%" cy/g)];
    expect(dots.map(([, at]) => Number(at))).toEqual([31.35, 33, 33]);
    expect(markup).toContain("l: a to b: bandwidth asked 10 Mb/s, measured 9.5 Mb/s");
    expect(markup).toContain("l: a to b: loss asked 0 %, measured 0 %");
  });

  it("keeps what is beyond its scale, and a loss where none was asked for, at its end", () => {
    const measured = { bandwidthBps: null, rttUs: null, delayUs: 99_000, loss: 0.1 };
    const markup = draw([link("l", { measured })]);
    const dots = [...markup.matchAll(/<circle\s+class="shot" cx="([\d.]+)%" cy/g)];
    expect(dots.map(([, at]) => Number(at))).toEqual([66, 66]);
    expect(markup).toContain("bandwidth asked 10 Mb/s, measured nothing");
  });

  it("has what is bad first, and only the measure that is bad in its colour", () => {
    const bad = link("z<b>", { verdict: "bad", why: ["loss: 9 of 10 packets were lost"] });
    const markup = draw([link("l"), bad]);
    expect(markup.indexOf("z&lt;b&gt;: a to b")).toBeLessThan(markup.indexOf("l: a to b"));
    expect(markup).not.toContain("z<b>");
    expect(markup.match(/class="shot late"/g)).toHaveLength(1);
  });

  it("is absent without a linktest, and says how many directions it leaves out", () => {
    expect(draw([link("l", { measured: null, verdict: "skipped" })])).toBe("");
    const many = Array.from({ length: linkRowsMax }, (_, at) => link(`l${at}`));
    expect(draw(many)).not.toContain("more in the table");
    expect(draw([...many, link("one")])).toContain("1 direction more in the table");
  });
});
