// SPDX-License-Identifier: MIT
// Goal: who waits at a terminal learns soon that the server is gone, once, and that it is back; a
// moment is not told. Method: a clock that is set by hand.
import { expect, it } from "vitest";
import { tellOfOutages } from "../../../src/cli/commands/tell-outage.ts";
import { ManualClock } from "../syncd/harness.ts";

it("tells once of each outage that lasts, and that it is over", () => {
  const clock = new ManualClock();
  const said: string[] = [];
  const { onLink, end } = tellOfOutages({ stderr: (text) => said.push(text) }, clock, 30_000);
  onLink(false);
  clock.advance(999);
  onLink(true);
  clock.advance(60_000);
  expect(said).toEqual([]);
  for (const _ of [1, 2]) {
    onLink(false);
    clock.advance(1_000);
    expect(said).toEqual([
      "muster: the connection to the server is lost; trying again for 30 s, and waiting on if it comes back\n",
    ]);
    clock.advance(20_000);
    onLink(true);
    expect(said.splice(0).slice(1)).toEqual(["muster: the server is there again\n"]);
  }
  onLink(false);
  end();
  clock.advance(60_000);
  expect(said).toEqual([]);
  expect(clock.pendingCount).toBe(0);
});
