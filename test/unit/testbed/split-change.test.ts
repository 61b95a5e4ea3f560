// SPDX-License-Identifier: MIT
// Goal: what a run asks of a scheduler of its own fits a notification, or is refused by its size.
import { expect, it } from "vitest";
import { eventsLimits } from "../../../src/events/events-limits.ts";
import { formatChange } from "../../../src/testbed/split-change.ts";

const { changeBytesMax: max } = eventsLimits;
const edit = (args: string) =>
  ({ kind: "agenda-edit", scope: "s", request: 1, id: 1, args }) as const;
const around = JSON.stringify(edit("")).length;

it("changeBytesMax: takes a change of that size, and none of one byte more", () => {
  const fits = formatChange(edit("x".repeat(max - around)));
  expect(fits.kind === "text" && fits.text.length).toBe(max);
  expect(formatChange(edit("x".repeat(max - around + 1)))).toMatchObject({
    ...{ kind: "refused", code: "limit", message: expect.stringContaining("changeBytesMax") },
  });
  // Bytes count, not characters.
  expect(formatChange(edit("ä".repeat(max / 2))).kind).toBe("refused");
});
