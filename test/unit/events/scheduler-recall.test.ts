// SPDX-License-Identifier: MIT
// Goal: what a scheduler recalls is what its core took, and nothing that the log has besides.
// Method: entries as logs leave them that refuse one and take those behind it.
import { describe, expect, it } from "vitest";
import type { Command } from "../../../src/core/command.ts";
import { resolveLimits } from "../../../src/core/limits.ts";
import { Service } from "../../../src/core/service.ts";
import { formatOrigin, noOrigin } from "../../../src/events/request-origin.ts";
import { SchedulerRecall } from "../../../src/events/scheduler-recall.ts";
import { agendaOf, experiment, schedulerEdge } from "./scheduler-world.ts";

const placeOf = (position: number) => ({ epoch: "bus", position });
const originOf = (position: number) => formatOrigin({ ...noOrigin, place: placeOf(position) });

function request(number: number): Command {
  return {
    ...{ kind: "agenda-schedule", scope: experiment, request: number, origin: originOf(number) },
    ...{ object: "a", event: "RUN", args: "", at: { kind: "in", us: 60_000_000 } },
  };
}

const first: readonly Command[] = [
  { kind: "attach", leaseUs: 1_000_000_000 },
  { kind: "open-scope", scope: experiment, nodes: [] },
  { ...agendaOf(["a"]), scope: experiment, origin: originOf(0) },
  { kind: "agenda-start", scope: experiment },
];

function recallOf(batches: readonly (readonly [number: number, commands: readonly Command[]])[]) {
  const core = new Service(resolveLimits());
  const recall = new SchedulerRecall(schedulerEdge);
  for (const [index, [number, commands]] of batches.entries()) {
    const batch = { edge: schedulerEdge, incarnation: 7, number, commands };
    const stampUs = 1_000_000 + index;
    const logged = {
      sequence: index + 1,
      stampUs,
      entry: { format: 1, batches: [batch] },
    } as const;
    recall.see(logged, core.apply(logged));
  }
  return recall.recalled();
}

describe("what a scheduler recalls", () => {
  it("is no request behind one that the log refused: both come again from the bus", () => {
    const recalled = recallOf([
      [1, first],
      [2, [request(1)]],
      [4, [request(3)]],
    ]);
    expect(recalled?.place).toEqual(placeOf(1));
    expect(recalled?.requests.map(([number]) => number)).toEqual([1]);
    expect(recalled?.lastRequest).toBe(1);
  });

  it("is who was refused, and may not have heard it", () => {
    const asked = { ...noOrigin, place: placeOf(1), token: 44 };
    const unknown = { ...request(1), object: "nobody", origin: formatOrigin(asked) } as Command;
    const recalled = recallOf([
      [1, first],
      [2, [unknown]],
      [3, [request(2)]],
    ]);
    expect(recalled?.requests.map(([number]) => number)).toEqual([2]);
    expect(recalled?.refused).toMatchObject([{ object: "nobody", origin: { token: 44 } }]);
    expect(recalled?.refused[0]?.refusal.code).not.toBe("");
  });

  it("is a batch once that the log has twice", () => {
    const recalled = recallOf([
      [1, first],
      [2, [request(1)]],
      [2, [request(1)]],
      [3, [request(2)]],
    ]);
    expect(recalled?.stamps).toHaveLength(2);
    expect(recalled?.place).toEqual(placeOf(2));
  });
});
