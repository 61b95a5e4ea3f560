// SPDX-License-Identifier: MIT
// What --limit of muster serve refuses before anything is opened.
import { describe, expect, it } from "vitest";
import { parseServeLimits } from "../../../src/cli/commands/serve-limits.ts";

describe("parseServeLimits()", () => {
  it("refuses so few edges that a server has no room for its own doors", () => {
    expect(() => parseServeLimits(["edgesMax=99"])).toThrow(
      "--limit edgesMax=99: servers and their doors are edges, too; give 100 or more",
    );
    expect(parseServeLimits(["edgesMax=100"]).told).toEqual({ edgesMax: 100 });
  });
});
