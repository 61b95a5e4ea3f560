// SPDX-License-Identifier: MIT
// Goal: events fire when they are due and never before, once, all members of a group together, and
// every answer is true. Method: a clock by hand and a performer that says what it was asked; the
// last test puts the edge under a core.
import { describe, expect, it } from "vitest";
import type { AgendaCommand } from "../../../src/core/agenda/commands.ts";
import type { Fire } from "../../../src/core/agenda/effects.ts";
import type { Performed } from "../../../src/testbed/agents/agenda-edge.ts";
import { AgendaEdge } from "../../../src/testbed/agents/agenda-edge.ts";
import { TimerFireClock } from "../../../src/testbed/agents/firing/fire-clock.ts";
import { FakeClock } from "../record/fake-clock.ts";
import { settle } from "./fake-backend.ts";

function setUp() {
  const clock = new FakeClock();
  const asked: { readonly object: string; readonly atUs: number }[] = [];
  const ends = new Map<string, (error: number) => void>();
  const told: AgendaCommand[] = [];
  const refuse = new Set<string>();
  const edge = new AgendaEdge({
    clock,
    fire: new TimerFireClock(clock),
    perform: async ({ event: { object } }): Promise<Performed> => {
      const atUs = clock.nowUs();
      asked.push({ object, atUs });
      if (refuse.has(object)) {
        return { firedMonotonicUs: atUs, outcome: "failed: busy", done: Promise.resolve(-1) };
      }
      const done = new Promise<number>((resolve) => ends.set(object, resolve));
      return { firedMonotonicUs: atUs, outcome: "done", done };
    },
    submit: (command) => told.push(command),
  });
  const fire = (token: number, inUs: number, part: Partial<Fire> = {}): void => {
    const event = { id: 0, object: `o${token}`, type: "PROGRAM", event: "RUN", args: "" };
    edge.fire({
      ...{ kind: "fire", scope: "s", token, event, members: [], plannedUs: 0 },
      ...{ dueStampUs: clock.nowUs() + inUs, toleranceUs: 100_000, whenLate: "fire" },
      ...part,
    });
  };
  const pass = async (us: number): Promise<void> => {
    clock.advanceTo(clock.nowUs() + us);
    clock.endTurn();
    await settle();
  };
  return { clock, edge, fire, asked, told, ends, refuse, pass };
}

describe("AgendaEdge", () => {
  it("V1 fires at the instant, not when the event comes, and equal instants in order", async () => {
    const { clock, fire, asked, pass } = setUp();
    const zeroUs = clock.nowUs();
    fire(2, 300_000);
    fire(1, 300_000);
    fire(3, 299_500);
    await pass(299_000);
    expect(asked).toEqual([]);
    for (let us = 0; us < 2_000; us += 100) await pass(100);
    expect(asked.map(({ object }) => object)).toEqual(["o3", "o2", "o1"]);
    for (const { atUs } of asked.slice(1)) expect(atUs - zeroUs).toBeGreaterThanOrEqual(300_000);
  });

  it("V3 answers that it fired, and when, then that it completed", async () => {
    const { clock, fire, told, ends, pass } = setUp();
    fire(1, 0);
    await pass(0);
    const firedStampUs = clock.nowUs();
    expect(told).toEqual([
      { kind: "agenda-fired", scope: "s", token: 1, firedStampUs, outcome: "done" },
    ]);
    ends.get("o1")?.(4);
    await pass(0);
    expect(told.slice(1)).toEqual([{ kind: "agenda-complete", scope: "s", token: 1, error: 4 }]);
  });

  it("V3 starts the members of a group together and completes each by name", async () => {
    const { fire, asked, told, ends, refuse, pass } = setUp();
    refuse.add("b");
    fire(1, 0, { members: ["a", "b", "c"] });
    await pass(0);
    expect(asked.map(({ object }) => object)).toEqual(["a", "b", "c"]);
    expect(told).toMatchObject([
      { kind: "agenda-fired", outcome: "failed: b: busy" },
      { kind: "agenda-complete", member: "b", error: -1, text: "busy" },
    ]);
    ends.get("c")?.(0);
    await pass(0);
    expect(told.at(-1)).toMatchObject({ member: "c", error: 0 });
  });

  it("V2 says of a revoked event whether it had fired, and fires it no more", async () => {
    const { edge, fire, asked, told, pass } = setUp();
    fire(1, 100_000);
    fire(2, 0);
    await pass(0);
    edge.revoke({ kind: "revoke", scope: "s", token: 1 });
    edge.revoke({ kind: "revoke", scope: "s", token: 2 });
    await pass(500_000);
    expect(told.filter(({ kind }) => kind === "agenda-revoked")).toMatchObject([
      { token: 1, fired: false },
      { token: 2, fired: true },
    ]);
    expect(asked.map(({ object }) => object)).toEqual(["o2"]);
  });

  it("skips what is later than it tolerates only when it is told to (D8)", async () => {
    const { fire, asked, told, pass } = setUp();
    fire(1, -100_001, { whenLate: "skip" });
    fire(2, -100_000, { whenLate: "skip" });
    fire(3, -900_000);
    await pass(0);
    expect(asked.map(({ object }) => object)).toEqual(["o2", "o3"]);
    expect(told.filter((command) => "outcome" in command)).toContainEqual(
      expect.objectContaining({ kind: "agenda-fired", token: 1, outcome: "skipped" }),
    );
  });

  it("drain() waits for what is armed and what is firing, not for completions", async () => {
    const { edge, fire, asked, pass } = setUp();
    fire(1, 100_000);
    fire(2, 200_000);
    let isDrained = false;
    const drained = edge.drain().then(() => {
      isDrained = true;
    });
    await pass(150_000);
    expect([asked.length, isDrained]).toEqual([1, false]);
    await pass(50_000);
    await drained;
    expect(asked).toHaveLength(2);
  });

  it("stop() lets nothing fire any more", async () => {
    const { edge, fire, asked, pass } = setUp();
    fire(1, 100_000);
    edge.stop();
    await pass(500_000);
    expect(asked).toEqual([]);
  });
});
