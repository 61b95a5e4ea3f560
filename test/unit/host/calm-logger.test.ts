// SPDX-License-Identifier: MIT
// Goal: what anybody can cause fills no log. Method: a clock that is set by hand.
import { expect, it } from "vitest";
import { calmLogger } from "../../../src/host/calm-logger.ts";

it("tells 100 lines a minute, and with the next one how many it left out", () => {
  let nowUs = 5;
  const lines: string[] = [];
  const log = { log: (level: string, text: string) => void lines.push(`${level} ${text}`) };
  const calm = calmLogger(log, { nowUs: () => nowUs });
  for (let at = 1; at <= 103; at += 1) calm.log("warn", `line ${at}`);
  expect(lines).toHaveLength(100);
  expect(lines.at(-1)).toBe("warn line 100");
  nowUs += 59_999_999;
  calm.log("warn", "late");
  expect(lines).toHaveLength(100);
  nowUs += 1;
  calm.log("warn", "next");
  calm.log("info", "then");
  expect(lines.slice(100)).toEqual([
    "warn next (4 lines like it were left out before)",
    "info then",
  ]);
});
