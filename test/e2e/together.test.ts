// SPDX-License-Identifier: MIT
// Goal: five processes that go together do so at one instant, and what each says of how far off it
// was is true. Method: the real server and client library, a process for each party; the instants
// are read on the clock that all processes of a machine share.
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Command, repository, scratch, start } from "./support/command.ts";

interface Line {
  readonly round: number;
  readonly value: number;
  readonly atUs: number;
  readonly offUs: number;
  readonly errorUs: number;
}

describe("five processes at a barrier", () => {
  it("go at one instant, and know how far off they are", async () => {
    const parties = 5;
    const rounds = 20;
    const server = start("muster", ["serve", "--state", scratch(), "--listen", "http=127.0.0.1:0"]);
    const [, url = ""] = await server.prints(/http at (\S+),/);
    const program = join(repository, "test/e2e/support/party.ts");
    const argv = [program, url, "p/e", "start", String(parties), String(rounds)];
    const started = Array.from(
      { length: parties },
      () => new Command(join(repository, "bin/node"), argv),
    );
    const ends = await Promise.all(started.map(({ ended }) => ended));
    expect(ends.map(({ code, stderr }) => [code, stderr])).toEqual(Array(parties).fill([0, ""]));
    const lines = ends.flatMap(({ stdout }) =>
      stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Line),
    );
    expect(lines).toHaveLength(parties * rounds);
    let agreed = 0;
    for (let round = 1; round <= rounds; round += 1) {
      const those = lines.filter((line) => line.round === round);
      expect(those.map(({ value }) => value).toSorted()).toEqual([1, 2, 3, 4, 5]);
      // Each says by how much it missed the instant: where that instant is for it follows.
      const instants = those.map(({ atUs, offUs }) => atUs - offUs);
      const doubtUs = Math.max(...those.map(({ errorUs }) => errorUs));
      // A process may lose its processor between the instant and its look at the clock: of most
      // rounds they agree as far as their clocks do.
      const spreadUs = Math.max(...instants) - Math.min(...instants);
      for (const { offUs } of those) expect(offUs).toBeGreaterThanOrEqual(0);
      if (spreadUs <= 2 * doubtUs + 500) agreed += 1;
    }
    expect(agreed).toBeGreaterThanOrEqual(rounds / 2);
  });
});
