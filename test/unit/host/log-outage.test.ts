// SPDX-License-Identifier: MIT
// Goal: a log that is away for hours fills no file, and who reads of it learns when it began, that
// it goes on, and how long it was. Method: a clock that is set by hand, a failure each second.
import { expect, it } from "vitest";
import { LogError } from "../../../src/engine/log.ts";
import { LogOutage } from "../../../src/host/log-outage.ts";
import { Lines, ManualClock } from "../syncd/harness.ts";

it("says that it began, ever more rarely that it lasts, and how long it was", () => {
  const [clock, log] = [new ManualClock(), new Lines()];
  const outage = new LogOutage(log, clock);
  outage.taken();
  expect(log.lines).toEqual([]);
  const startUs = clock.nowUs();
  const saidAtS: number[] = [];
  for (let second = 0; second <= 3_600; second += 1) {
    const before = log.lines.length;
    outage.failed(new LogError("no broker", { definite: true }));
    if (log.lines.length > before) saidAtS.push((clock.nowUs() - startUs) / 1e6);
    clock.advance(1_000);
  }
  expect(saidAtS).toEqual([0, 10, 30, 70, 150, 310, 630, 1_230, 1_830, 2_430, 3_030]);
  expect(log.lines[0]).toBe("the log did not take an entry, trying again: no broker");
  expect(log.lines[3]).toBe(`for 70 s now ${log.lines[0]}`);
  outage.taken();
  outage.taken();
  expect(log.lines.slice(11)).toEqual(["the log takes entries again, after 3601 s"]);
});

it("begins anew with the next one, and one that comes and goes is calm, too", () => {
  const [clock, log] = [new ManualClock(), new Lines()];
  const outage = new LogOutage(log, clock);
  for (let times = 0; times < 1_000; times += 1) {
    outage.failed("full");
    clock.advance(20);
    outage.taken();
  }
  expect(log.lines.slice(0, 3)).toEqual([
    "the log did not take an entry, trying again: full",
    "the log takes entries again, after 0.0 s",
    "the log did not take an entry, trying again: full",
  ]);
  expect(log.lines).toHaveLength(100);
});
