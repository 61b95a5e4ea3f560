// SPDX-License-Identifier: MIT
// Goal: a bus whose stream is away is told of once, with why, and once when it is back; a moment is
// not. Method: a clock that is set by hand.
import { expect, it } from "vitest";
import { BusOutage } from "../../../src/host/bus-outage.ts";
import { Lines, ManualClock } from "../syncd/harness.ts";

it("tells once of each outage that lasts, and how long it was", () => {
  const [clock, log] = [new ManualClock(), new Lines()];
  const outage = new BusOutage("the stream s", log, clock);
  outage.answered();
  outage.failed("timeout");
  clock.advance(999);
  expect(outage.away).toBe(undefined);
  outage.answered();
  clock.advance(60_000);
  expect(log.lines).toEqual([]);
  for (const _ of [1, 2]) {
    outage.failed("timeout");
    for (let second = 0; second < 20; second += 1) {
      clock.advance(1_000);
      outage.failed("another reason");
      expect(outage.away).toBe("the stream s is away");
    }
    outage.answered();
    outage.answered();
    expect(outage.away).toBe(undefined);
    expect(log.lines.splice(0)).toEqual([
      "the stream s is away (timeout); senders are told so, and who listens goes on when it is back",
      "the stream s is there again, after 20 s",
    ]);
  }
  outage.failed("the last");
  outage.end();
  clock.advance(60_000);
  expect(log.lines).toEqual([]);
  expect(clock.pendingCount).toBe(0);
});
