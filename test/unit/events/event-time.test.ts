// SPDX-License-Identifier: MIT
// Goal: times of a command line mean what the old tevc took them for, and never a negative number
// of microseconds. Method: tables with a calendar that has no zone, and a property over fractions.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type EventTime,
  type LocalCalendar,
  type LocalTime,
  parseEventTime,
} from "../../../src/client/event-time.ts";

/** A calendar of UTC, from the platform: shares nothing with the parser. */
const utc: LocalCalendar = {
  toLocal(seconds): LocalTime {
    const [, ...parts] = /^(.*)-(..)-(..)T(..):(..):(..)/.exec(
      new Date(seconds * 1000).toISOString(),
    ) as RegExpExecArray;
    const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts.map(Number);
    return { year, month, day, hour, minute, second };
  },
  toSeconds: ({ year, month, day, hour, minute, second }) =>
    Date.UTC(year, month - 1, day, hour, minute, second) / 1000,
};

const now: EventTime = { seconds: Date.UTC(2004, 5, 21, 13, 25, 45) / 1000, microseconds: 700_000 };

function read(text: string): string | undefined {
  const time = parseEventTime(text, now, utc);
  if (time === undefined) return undefined;
  const date = new Date(time.seconds * 1000).toISOString().slice(0, 19);
  return `${date}.${String(time.microseconds).padStart(6, "0")}`;
}

describe("parseEventTime()", () => {
  test.each([
    ["now", "2004-06-21T13:25:45.700000"],
    ["+0", "2004-06-21T13:25:45.700000"],
    ["+5", "2004-06-21T13:25:50.700000"],
    ["+2.2", "2004-06-21T13:25:47.900000"],
    ["+2.5", "2004-06-21T13:25:48.200000"],
    ["+.25", "2004-06-21T13:25:45.950000"],
    ["+1.", "2004-06-21T13:25:46.700000"],
    ["+0.0000019", "2004-06-21T13:25:45.700001"],
    ["1430", "2004-06-21T13:14:30.000000"],
    ["091430", "2004-06-21T09:14:30.000000"],
    ["30091430", "2004-06-30T09:14:30.000000"],
    ["0229091430", "2004-02-29T09:14:30.000000"],
    ["991231235959", "1999-12-31T23:59:59.000000"],
    ["380101000000", "2038-01-01T00:00:00.000000"],
  ])("reads %s", (text, expected) => {
    expect(read(text)).toBe(expected);
  });

  test.each([
    ...["", "Now", "+", "+.", "+-1", "+1e3", "+1.5s", "-1", "12", "123", "14305", "01020304050607"],
    ...[
      "6000",
      "0060",
      "240000",
      "00000000",
      "31091430",
      "0229x91430",
      "050229091430",
      "1301000000",
    ],
    ...[" 1430", "1430 ", "+99999999999"],
  ])("refuses %j", (text) => {
    expect(read(text)).toBeUndefined();
  });

  test("fault 12: never has a negative or too large number of microseconds", () => {
    const digits = fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 8 });
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 100_000 }),
        digits,
        fc.integer({ min: 0, max: 999_999 }),
        (whole, fraction, microseconds) => {
          const from = { seconds: now.seconds, microseconds };
          const text = `+${whole}.${fraction.join("")}`;
          const time = parseEventTime(text, from, utc) as EventTime;
          expect(time.microseconds).toBeGreaterThanOrEqual(0);
          expect(time.microseconds).toBeLessThan(1_000_000);
          const added = BigInt(`${whole}${fraction.join("").slice(0, 6).padEnd(6, "0")}`);
          const before = BigInt(from.seconds) * 1_000_000n + BigInt(microseconds);
          expect(BigInt(time.seconds) * 1_000_000n + BigInt(time.microseconds)).toBe(
            before + added,
          );
        },
      ),
    );
  });
});
