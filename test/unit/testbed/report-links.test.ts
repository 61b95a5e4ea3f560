// SPDX-License-Identifier: MIT
// Goal: who asks for links that are not there learns why. Method: the report of a run without a
// network of its nodes.
import { expect, it } from "vitest";
import { reportLinks } from "../../../src/testbed/run-links.ts";

it("tells a file without links from nodes without a network", async () => {
  const of = (hasLinks: boolean): Promise<unknown> =>
    reportLinks(undefined, { experiment: "p/e", hasLinks }, null);
  await expect(of(false)).rejects.toThrow("its file has no links");
  await expect(of(true)).rejects.toThrow("its nodes have no network of their own");
});
