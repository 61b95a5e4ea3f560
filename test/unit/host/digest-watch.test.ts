// SPDX-License-Identifier: MIT
// What servers of one log say when their states differ, and which of them end (D11, G1 to G3).
// Method: their watches alone, told by hand what the log would have told them.
import { describe, expect, it } from "vitest";
import { DigestWatch, scopesInReportMax } from "../../../src/host/digest-watch.ts";

const digests = (all: string) => ({ all, scopes: new Map([["p/e", `00000000000000a${all}`]]) });

describe("a report of servers that differ", () => {
  it("names as many scopes as it may, and how many more there are", () => {
    for (const [count, end] of [
      [scopesInReportMax, /s99 d$/],
      [scopesInReportMax + 1, /s98 d, 1 more$/],
    ] as const) {
      const names = Array.from({ length: count }, (_, index) => [`s${index}`, "d"] as const);
      const servers = () => ["server/a", "server/b", "server/c"];
      const watch = new DigestWatch({ server: "server/a", build: "1", everyEntries: 10, servers });
      const told = watch.computed(10, { all: "x", scopes: new Map(names) });
      watch.told("server/a", told);
      watch.told("server/b", told);
      const verdict = watch.told("server/c", { ...told, digest: "y" });
      expect(verdict?.isWrong).toBe(false);
      expect(verdict?.message).toMatch(
        /^server\/c computed another state than this server at entry 10/,
      );
      expect(verdict?.message).toMatch(end);
    }
  });
});

describe("a tie of digests", () => {
  const watch = (server: string, build: string) => {
    const servers = () => ["server/a", "server/b"];
    return new DigestWatch({ server: `server/${server}`, build, everyEntries: 10, servers });
  };

  it.each([
    ["1", "2", "b"],
    ["2", "1", "a"],
    ["1", "1", "b"],
    ["muster 0.9.0", "muster 0.10.0", "b"],
    ["muster 0.10.0", "muster 0.9.9", "a"],
    ["muster 0.1.0", "muster 0.1.0 (abc)", "b"],
  ])("of builds %s and %s ends %s (G2)", (buildA, buildB, ended) => {
    const [a, b] = [watch("a", buildA), watch("b", buildB)];
    const [fromA, fromB] = [a.computed(10, digests("x")), b.computed(10, digests("y"))];
    const ends = [a, b].map((each) => {
      const first = each.told("server/a", fromA);
      return first ?? each.told("server/b", fromB);
    });
    expect(ends.map((verdict) => verdict?.isWrong)).toEqual([ended === "a", ended === "b"]);
    // G3. Both say of each scope what they have.
    expect(ends[0]?.message).toContain("scopes: p/e 00000000000000ax");
    expect(ends[1]?.message).toContain("scopes: p/e 00000000000000ay");
  });
});
