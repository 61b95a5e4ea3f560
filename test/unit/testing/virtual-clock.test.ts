// SPDX-License-Identifier: MIT
// Goal: between two instants of virtual time all is done that promises and ticks have to do (V2),
// and timers come in their order (V1), whichever way the clock turns. Method: chains of both, long
// and across each other, beside timers. Catches: a clock that turns a few times and hopes.
import { describe, expect, it } from "vitest";
import { type TurnKind, VirtualClock } from "../../../src/testing/virtual-clock.ts";
import { VirtualProcess } from "../../../src/testing/virtual-process.ts";

const links = 40;

/** Links of ticks and promises in turn, and then a word. */
function chain(length: number, end: () => void): void {
  if (length === 0) end();
  else if (length % 2 === 0) process.nextTick(() => chain(length - 1, end));
  else void Promise.resolve().then(() => chain(length - 1, end));
}

describe.each<TurnKind>(["ticks", "event-loop"])("a clock that turns by %s", (turns) => {
  it("V1 fires timers by their instants, and of one instant as they were set", async () => {
    const clock = new VirtualClock(turns);
    const fired: string[] = [];
    for (const [name, ms] of Object.entries({ late: 3, first: 1, second: 1, never: 9 })) {
      clock.after(ms, () => fired.push(`${name} at ${clock.elapsedUs - 1_000_000}`));
    }
    const cancel = clock.after(2, () => fired.push("cancelled"));
    cancel();
    await clock.pass(5_000);
    expect(fired).toEqual(["first at 1000", "second at 1000", "late at 3000"]);
    expect(clock.elapsedUs).toBe(1_005_000);
  });

  it("passes what it is told time after time, with all done that was asked for between", async () => {
    const clock = new VirtualClock(turns);
    const said: string[] = [];
    const say = (what: string): void => void said.push(`${what} at ${clock.elapsedUs - 1_000_000}`);
    clock.after(2, () => say("a timer"));
    await clock.passEach(
      (function* () {
        yield 1_000;
        say("the first act");
        process.nextTick(() => say("a tick"));
        void Promise.resolve().then(() => say("a promise"));
        yield 2_000;
        say("the second act");
        clock.after(0, () => say("what it set"));
        yield 0;
      })(),
    );
    const first = ["the first act at 1000", "a promise at 1000", "a tick at 1000"];
    const second = ["a timer at 2000", "the second act at 3000", "what it set at 3000"];
    expect(said).toEqual([...first, ...second]);
  });

  it("says why when an act throws", async () => {
    const clock = new VirtualClock(turns);
    const acts = (function* () {
      yield 1_000;
      throw new Error("as thrown");
    })();
    await expect(clock.passEach(acts)).rejects.toThrow("as thrown");
  });

  it("says why when a timer throws", async () => {
    const clock = new VirtualClock(turns);
    clock.after(1, () => {
      throw new Error("as thrown");
    });
    await expect(clock.pass(5_000)).rejects.toThrow("as thrown");
  });
});

describe("a clock that turns by ticks", () => {
  it("V2 has a chain of any length done before the next instant", async () => {
    const clock = new VirtualClock("ticks");
    const said: string[] = [];
    clock.after(1, () => chain(links, () => said.push("the end of the chain")));
    clock.after(2, () => said.push("the next instant"));
    await clock.pass(5_000);
    expect(said).toEqual(["the end of the chain", "the next instant"]);
  });

  it("V2 ends a turn behind all that it has called for, as the platform does", async () => {
    const clock = new VirtualClock("ticks");
    const said: string[] = [];
    clock.after(1, () => {
      clock.endOfTurn(() => {
        said.push("the end of the turn");
        chain(links, () => clock.endOfTurn(() => said.push("the end of the next")));
      });
      chain(links, () => said.push("the end of the chain"));
    });
    clock.after(1, () => said.push("another timer"));
    await clock.pass(5_000);
    const turn = ["the end of the chain", "the end of the turn", "the end of the next"];
    expect(said).toEqual([...turn, "another timer"]);
  });

  it("V2 settles what there is without letting time pass", async () => {
    const clock = new VirtualClock("ticks");
    const said: string[] = [];
    chain(links, () => clock.endOfTurn(() => chain(links, () => said.push("settled"))));
    await clock.settle();
    expect(said).toEqual(["settled"]);
    expect(clock.elapsedUs).toBe(1_000_000);
  });
});

describe("VirtualProcess", () => {
  it("has what was cancelled while it was stopped not happen when it goes on", async () => {
    const clock = new VirtualClock("ticks");
    const machine = new VirtualProcess(clock);
    const said: string[] = [];
    const cancel = machine.clock.after(1, () => said.push("cancelled"));
    machine.clock.after(1, () => said.push("late"));
    machine.stop();
    await clock.pass(5_000);
    cancel();
    expect(said).toEqual([]);
    machine.resume();
    expect(said).toEqual(["late"]);
    machine.kill();
    machine.clock.after(1, () => said.push("dead"));
    await clock.pass(5_000);
    expect(said).toEqual(["late"]);
  });
});
