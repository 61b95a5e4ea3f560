// SPDX-License-Identifier: MIT
// Goal: files with delays below two milliseconds run from end to end, every direction of every
// link tested up to its bandwidth, and none is said to be bad.
// Method: the two files of the campaign that are ours, by what the campaign itself plays them with.
import { describe, expect, test } from "vitest";
import { campaignFiles } from "../../campaign/files.ts";
import { play } from "../../campaign/play.ts";

describe("a campaign", () => {
  test.concurrent.each(campaignFiles("short"))("$name", async ({ path }) => {
    const { status, outcome, backend, links } = await play(path, { linktest: 4, duration: 20 });
    expect({ status, outcome }).toEqual({ status: 0, outcome: "passed" });
    expect(backend).toMatchObject({ nodes: "netns", links: "delay-node" });
    // On a busy machine a test may say that it cannot tell; it never accuses.
    expect(links.filter(({ verdict }) => verdict !== "ok" && verdict !== "untestable")).toEqual([]);
    expect(links.map(({ measured }) => measured?.delayUs ?? null)).not.toContain(null);
  });
});
