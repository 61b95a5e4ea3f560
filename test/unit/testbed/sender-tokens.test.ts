// SPDX-License-Identifier: MIT
// Goal: errors are told by the TOKEN that files and senders have, and what is remembered is
// bounded.
import { expect, it } from "vitest";
import { SenderTokens } from "../../../src/testbed/sender-tokens.ts";

const error = (token: number) => ({ object: "p", type: "PROGRAM", token, error: 3, text: "" });

it("names an error by the TOKEN of its order", () => {
  const tokens = new SenderTokens();
  tokens.note({ fire: 1, token: 1 });
  tokens.note({ fire: 2, token: 77 });
  expect(tokens.name([error(1), error(2), error(0)]).map(({ token }) => token)).toEqual([1, 77, 0]);
});

it("forgets the oldest of more than 10,000", () => {
  const tokens = new SenderTokens();
  for (let fire = 1; fire <= 10_001; fire += 1) tokens.note({ fire, token: 1_000_000 + fire });
  expect(tokens.name([error(1), error(2)]).map(({ token }) => token)).toEqual([1, 1_000_002]);
});
