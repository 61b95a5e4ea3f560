// SPDX-License-Identifier: MIT
// Goal: what fails again and again is told once for each reason, then ever more rarely, and anew
// when it was over meanwhile. Method: failures twice a second, under virtual time.
import { expect, it } from "vitest";
import { tellRarely } from "../../../src/host/tell-rarely.ts";

const second = 1_000_000;

it("tells each reason once, then after 1, 2, 4 minutes, at last once an hour", () => {
  let nowUs = 5 * second;
  const told: string[] = [];
  const teller = tellRarely({ nowUs: () => nowUs }, (text) => told.push(text));
  const failFor = (seconds: number): void => {
    for (let half = 0; half < 2 * seconds; half += 1) {
      // The servers of one place are called in turn.
      teller.tell(`refused at ${half % 2}`);
      nowUs += second / 2;
    }
  };
  failFor(8 * 60);
  const reminders = [1, 3, 7].map((minutes) => `refused at 0 (for ${minutes} min now)`);
  expect(told).toEqual(["refused at 0", "refused at 1", ...reminders]);
  failFor(4 * 3600);
  expect(told.slice(5).map((text) => Number(/\d+(?= min)/.exec(text)?.[0]))).toEqual([
    ...[15, 31, 63, 123, 183, 243],
  ]);
  teller.over();
  teller.tell("refused at 0");
  expect(told.at(-1)).toBe("refused at 0");
});

it("is not filled with reasons that somebody else makes up", () => {
  const told: string[] = [];
  const teller = tellRarely({ nowUs: () => 0 }, (text) => told.push(text));
  for (let at = 0; at < 100; at += 1) teller.tell(`reason ${at}`);
  expect(told).toHaveLength(8);
});
