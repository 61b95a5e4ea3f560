// SPDX-License-Identifier: MIT
// Goal: a machine that has joined calls its server again whatever cuts them, also while the server
// does not know of the cut, and ends when it is refused. Method: ends of calls, and a clock that is
// moved by hand.
import { describe, expect, test } from "vitest";
import { JoinCalls } from "../../../src/cli/commands/join-calls.ts";
import { FakeClock } from "../record/fake-clock.ts";

const gone = { code: 1006, why: "the server has gone" };
const taken = { code: 4400, why: "a machine has joined as a; choose another name" };
const notNoticed = "the server has not noticed yet that the last call was cut";

function joined() {
  const clock = new FakeClock();
  const calls = new JoinCalls(clock);
  calls.joined();
  return { clock, calls };
}

describe("a machine calls its server", () => {
  test("again when it has joined before, and says each reason once until it has joined anew", () => {
    const { calls } = joined();
    expect(calls.ended(gone)).toBe(gone.why);
    expect(calls.ended(gone)).toBeUndefined();
    calls.joined();
    expect(calls.ended(gone)).toBe(gone.why);
  });

  test("again when its own name is taken, for as long as the server may not know of the cut", () => {
    const { clock, calls } = joined();
    expect(calls.ended(gone)).toBe(gone.why);
    expect(calls.ended(taken)).toBe(notNoticed);
    clock.advanceTo(59_000_000);
    expect(calls.ended(taken)).toBeUndefined();
    clock.advanceTo(60_000_000);
    expect(() => calls.ended(taken)).toThrow(taken.why);
  });

  test("no more when it is refused, or nobody answers the first call", () => {
    expect(() => joined().calls.ended(taken)).toThrow(taken.why);
    expect(() => joined().calls.ended({ code: 4401, why: "no token" })).toThrow("no token");
    expect(() => new JoinCalls(new FakeClock()).ended(gone)).toThrow(gone.why);
  });
});
