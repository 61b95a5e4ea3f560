// SPDX-License-Identifier: MIT
// Goal: topics are numbered, told and freed as P1 to P5 say. Method: random histories of edges that
// publish, follow, end and close scopes go to the core and to a naive model that reads its whole
// history for every answer; and a core restored at any position goes on like the original.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Applied } from "../../src/core/effect.ts";
import { resolveLimits } from "../../src/core/limits.ts";
import { Service } from "../../src/core/service.ts";
import { CoreDriver } from "../../src/testing/core-driver.ts";
import { NaiveTopics, type TopicStep } from "../../src/testing/naive-topics.ts";

/** Small, so that the scripts reach them. */
const limits = {
  nameBytesMax: 5,
  topicsPerScopeMax: 2,
  messageBytesMax: 100,
  topicBytesPerScopeMax: 700,
};
const runs = Number(process.env["MUSTER_RUNS"] ?? 600);

const topic = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom("a", "b", "c") },
  { weight: 1, arbitrary: fc.constantFrom("", "abcdef") },
);
const place = { scope: fc.constantFrom("s", "t"), topic, connection: fc.nat(9) };
const step: fc.Arbitrary<TopicStep> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("publish" as const),
      ...place,
      payload: fc.record({ id: fc.nat(99), bytes: fc.nat(101), hash: fc.nat(9) }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("topic-follow" as const), ...place }),
  },
  {
    weight: 2,
    arbitrary: fc
      .record({ scope: place.scope, topic })
      .map((where) => ({ kind: "topic-unfollow" as const, ...where })),
  },
  {
    weight: 1,
    arbitrary: place.scope.map((scope) => ({ kind: "close-scope" as const, scope, error: 0 })),
  },
  { weight: 1, arbitrary: fc.constant({ kind: "end-edge" as const }) },
);
const script = fc.array(
  fc.record({
    edge: fc.constantFrom("e", "f", "g"),
    steps: fc.array(step, { minLength: 1, maxLength: 5 }),
  }),
  { maxLength: 25 },
);

function told({ addressed }: Applied): readonly string[] {
  return addressed.map(({ edge, effect }) => {
    switch (effect.kind) {
      case "published": {
        const { connection, scope, number } = effect;
        return `${edge} published ${connection} ${scope}/${effect.topic} ${number}`;
      }
      case "topic-stands":
        return `${edge} stands ${effect.scope}/${effect.topic} ${effect.last}`;
      case "topic-closed":
        return `${edge} closed ${effect.scope}/${effect.topic}`;
      case "refused":
        return `${edge} refused ${effect.connection}`;
      default:
        return `${edge} ${effect.kind}`;
    }
  });
}

const inOrder = (lines: readonly string[]) => lines.filter((line) => !line.includes(" closed "));
/** In no order: that of the topics of a scope that ends means nothing. */
const closed = (lines: readonly string[]) => lines.filter((line) => / closed /.test(line)).sort();

/** Edges of a script, each with the incarnations it needs. */
class Edges {
  readonly core: CoreDriver = new CoreDriver(limits);
  readonly #lives = new Map<string, number>();

  send(edge: string, steps: readonly TopicStep[]): Applied {
    const life = this.#lives.get(edge);
    const batch =
      life === undefined || life < 0
        ? this.core.attachBatch(edge, 1 - (life ?? 0), steps)
        : this.core.batch(edge, steps);
    const isOver = steps.some(({ kind }) => kind === "end-edge");
    this.#lives.set(edge, isOver ? -batch.incarnation : batch.incarnation);
    return this.core.apply([batch]);
  }
}

describe("topics of the core and of the naive model", () => {
  it("Service.apply() says what the naive model says when histories are random", () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(script, (turns) => {
        const edges = new Edges();
        const model = new NaiveTopics(resolveLimits(limits));
        for (const { edge, steps } of turns) {
          const applied = edges.send(edge, steps);
          const expected = model.apply(edge, steps);
          expect(inOrder(told(applied))).toEqual(inOrder(expected.told));
          expect(closed(told(applied))).toEqual(closed(expected.told));
          expect([...applied.freedPayloads].sort()).toEqual([...expected.freed].sort());
          for (const { effect } of applied.addressed) seen.add(effect.kind);
          for (const key of ["s/a", "s/b", "t/a", "t/c"]) {
            const [scope = "", name = ""] = key.split("/");
            const ids = edges.core.service.readTopic(scope, name, 0).map(({ id }) => id);
            expect(ids).toEqual(model.messages(key));
          }
        }
      }),
      { numRuns: runs },
    );
    const words = ["published", "topic-stands", "topic-closed", "refused", "revoked"];
    expect([...seen].sort()).toEqual(words.sort());
  });

  it("Service.restore() goes on like the original when restored at any position", () => {
    fc.assert(
      fc.property(script, fc.nat(25), (turns, position) => {
        const edges = new Edges();
        let copy: Service | undefined;
        turns.forEach(({ edge, steps }, index) => {
          if (index === Math.min(position, turns.length - 1)) {
            const data: unknown = JSON.parse(JSON.stringify(edges.core.service.snapshot()));
            const snapshot = data as ReturnType<Service["snapshot"]>;
            copy = Service.restore(edges.core.limits, snapshot);
          }
          const applied = edges.send(edge, steps);
          const last = edges.core.entries.at(-1);
          if (copy !== undefined && last !== undefined) expect(copy.apply(last)).toEqual(applied);
        });
        if (copy === undefined) return;
        expect(copy.digest()).toBe(edges.core.service.digest());
        expect(copy.snapshot()).toEqual(edges.core.service.snapshot());
      }),
      { numRuns: runs },
    );
  });
});
