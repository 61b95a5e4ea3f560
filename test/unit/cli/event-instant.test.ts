// SPDX-License-Identifier: MIT
// Goal: `--at` takes a time from now as seconds, as the old tools do, and with its units, as files
// do. Method: a table.
import { expect, test } from "vitest";
import { parseEventInstant } from "../../../src/cli/event-instant.ts";

const now = { seconds: 1_000, microseconds: 900_000 };

test.each([
  ["now", now],
  ["+2", { seconds: 1_002, microseconds: 900_000 }],
  ["+2s", { seconds: 1_002, microseconds: 900_000 }],
  ["+1m30s", { seconds: 1_090, microseconds: 900_000 }],
  ["+250ms", { seconds: 1_001, microseconds: 150_000 }],
  ["+7us", { seconds: 1_000, microseconds: 900_007 }],
  ["+s", undefined],
  ["2s", undefined],
  ["+2s later", undefined],
  ["+999999999h", undefined],
])("%s", (text, instant) => expect(parseEventInstant(text, now)).toEqual(instant));
