// SPDX-License-Identifier: MIT
// E4: a batch that a log has cut counts as it would have whole, however it is cut and repeated.
// Method: the same commands to two cores, to one in pieces that repeat and come out of step.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Batch, Command } from "../../../src/core/command.ts";
import { defaultLimits } from "../../../src/core/limits.ts";
import { Service } from "../../../src/core/service.ts";

const wait = (connection: number): Command => ({
  ...{ kind: "count-wait", scope: "s", barrier: `b${connection % 3}`, connection },
  ...{ who: { address: "a" }, error: 0 },
});
/** Counts up each time that it counts. */
const more = (connection: number): Command => ({
  ...{ kind: "count-init", scope: "s", barrier: "m", connection, error: 0, count: 1 },
  ...{ waits: false, who: { address: "a" } },
});
const commands: readonly Command[] = [
  { kind: "attach" },
  ...Array.from({ length: 9 }, (_, index) => (index % 2 === 0 ? wait(index + 1) : more(index + 1))),
];
const whole: Batch = { edge: "e", incarnation: 5, number: 1, commands };
const next: Batch = { ...whole, number: 2, commands: [wait(20)] };

const piece = (from: number, end: number): Batch => ({
  ...whole,
  ...{ from, commands: commands.slice(from, end) },
  ...(end < commands.length ? { more: true } : {}),
});

function start() {
  const service = new Service(defaultLimits);
  const apply = (batches: readonly Batch[]): void => {
    const sequence = service.sequence + 1;
    service.apply({ sequence, stampUs: 7, entry: { format: 1, batches } });
  };
  const seen = (): unknown => [service.describe("s"), service.lastBatch("e", 5)];
  return { service, apply, seen };
}

describe("a batch in pieces", () => {
  it("counts each command once, whatever is repeated or missing (E4)", () => {
    const cut = fc.tuple(fc.nat(commands.length - 1), fc.integer({ min: 1, max: 10 }));
    fc.assert(
      fc.property(fc.array(cut, { maxLength: 20 }), fc.nat(3), (cuts, at) => {
        const expected = start();
        expected.apply([whole, next]);
        const pieces = start();
        for (const [index, [from, length]] of cuts.entries()) {
          pieces.apply([piece(from, Math.min(commands.length, from + length))]);
          // What comes after it does not count before it is whole.
          if (index === at && pieces.service.lastBatch("e", 5) === 0) {
            const before = JSON.stringify(pieces.seen());
            pieces.apply([next]);
            expect(JSON.stringify(pieces.seen())).toBe(before);
          }
        }
        pieces.apply([whole]);
        pieces.apply([next]);
        expect(pieces.seen()).toEqual(expected.seen());
      }),
    );
  });

  it("outlives a snapshot between two pieces", () => {
    const { service, apply } = start();
    apply([piece(0, 4)]);
    const copy = Service.restore(defaultLimits, service.snapshot());
    expect(copy.digest()).toBe(service.digest());
    const rest = {
      sequence: 2,
      stampUs: 7,
      entry: { format: 1, batches: [piece(4, 10)] },
    } as const;
    copy.apply(rest);
    service.apply(rest);
    expect(copy.digest()).toBe(service.digest());
    expect(copy.lastBatch("e", 5)).toBe(1);
  });
});
