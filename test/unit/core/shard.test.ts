// SPDX-License-Identifier: MIT
// Goal: every version of every server has a scope in the same log. Method: vectors that were
// computed elsewhere, and that names which differ in their last characters are spread evenly.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { shardOf } from "../../../src/core/shard.ts";

const counts = [1, 2, 3, 8, 64] as const;
const rows = readFileSync(join(import.meta.dirname, "../../vectors/shards.md"), "utf8")
  .split("\n")
  .filter((line) => line.startsWith('| "'))
  .map((line) => line.split("|").map((cell) => cell.trim()))
  .map(([, name = "", ...shards]) => {
    const text = JSON.parse(name) as string;
    const [, times, letter = ""] = /^(\d+)\*(.)$/.exec(text) ?? [];
    const scope = times === undefined ? text : letter.repeat(Number(times));
    return { name, scope, shards: shards.slice(0, counts.length).map(Number) };
  });

describe("shardOf", () => {
  it("has vectors", () => expect(rows.length).toBe(15));

  it.each(rows)("$name is where it always was", ({ scope, shards }) => {
    expect(counts.map((count) => shardOf(scope, count))).toEqual(shards);
  });

  it("spreads names that differ little", () => {
    for (const count of [2, 3, 8, 64]) {
      const found = new Array<number>(count).fill(0);
      for (let number = 0; number < 1_000 * count; number += 1) {
        const shard = shardOf(`proj/exp${number}`, count);
        found[shard] = (found[shard] ?? 0) + 1;
      }
      expect(Math.min(...found)).toBeGreaterThan(850);
      expect(Math.max(...found)).toBeLessThan(1_150);
    }
  });
});
