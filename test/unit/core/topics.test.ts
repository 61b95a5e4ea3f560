// SPDX-License-Identifier: MIT
// P1 to P5 of the topics, and their limits. Catches: numbers that skip or repeat, followers that
// are told twice or not at all, payloads that stay when their scope is gone.
import { describe, expect, it } from "vitest";
import type { Applied } from "../../../src/core/effect.ts";
import type { Limits } from "../../../src/core/limits.ts";
import { payloadOverheadBytes, resolveLimits } from "../../../src/core/limits.ts";
import { Service } from "../../../src/core/service.ts";
import { CoreDriver, effectsOf, follow, publish } from "../../../src/testing/core-driver.ts";

const close = (scope = "s") => ({ kind: "close-scope", scope, error: 0 }) as const;

/** `e: number 1 of s/t`, `f: s/t stands at 1`, ... */
function said(applied: Applied): readonly string[] {
  return applied.addressed.map(({ edge, effect }) => {
    switch (effect.kind) {
      case "published":
        return `${edge}: ${effect.connection} is ${effect.scope}/${effect.topic} ${effect.number}`;
      case "topic-stands":
        return `${edge}: ${effect.scope}/${effect.topic} stands at ${effect.last}`;
      case "topic-closed":
        return `${edge}: ${effect.scope}/${effect.topic} is closed`;
      default:
        return `${edge}: ${effect.kind}`;
    }
  });
}

describe("topics", () => {
  it("P1 P2 each publication gets the next number of its topic", () => {
    const core = new CoreDriver();
    expect(said(core.send("e", publish(1), publish(2), publish(3, { topic: "u" })))).toEqual([
      "e: 1 is s/t 1",
      "e: 2 is s/t 2",
      "e: 3 is s/u 1",
    ]);
    expect(said(core.send("f", publish(4)))).toEqual(["f: 4 is s/t 3"]);
    expect(core.service.readTopic("s", "t", 1)).toEqual([
      { id: 2, hash: 14 },
      { id: 4, hash: 28 },
    ]);
  });

  it("P1 a batch that comes again counts once", () => {
    const core = new CoreDriver();
    const batch = core.batch("e", [publish(1)]);
    core.apply([batch]);
    const again = core.apply([batch]);
    expect(said(again)).toEqual([]);
    expect(again.freedPayloads).toEqual([]);
    expect(said(core.send("e", publish(2)))).toEqual(["e: 2 is s/t 2"]);
  });

  it("P3 a follower hears where the topic stands at once and once an entry, also a late one", () => {
    const core = new CoreDriver();
    expect(said(core.send("f", follow(1)))).toEqual(["f: s/t stands at 0"]);
    expect(said(core.send("e", publish(1), publish(2)))).toEqual([
      "e: 1 is s/t 1",
      "e: 2 is s/t 2",
      "f: s/t stands at 2",
    ]);
    expect(said(core.send("g", follow(1)))).toEqual(["g: s/t stands at 2"]);
    expect(said(core.send("e", publish(3)))).toEqual([
      "e: 3 is s/t 3",
      "f: s/t stands at 3",
      "g: s/t stands at 3",
    ]);
  });

  it("P3 who follows no more is not told, and a topic nobody needs is forgotten", () => {
    const core = new CoreDriver();
    core.send("f", follow(1), { kind: "topic-unfollow", scope: "s", topic: "t" });
    expect(core.service.snapshot().scopes[0]?.topics).toEqual([]);
    core.send("f", follow(2));
    core.send("e", publish(1));
    core.send("f", { kind: "end-edge" });
    expect(said(core.send("e", publish(2)))).toEqual(["e: 2 is s/t 2"]);
    core.send("e", { kind: "topic-unfollow", scope: "nowhere", topic: "t" });
  });

  it("P4 the end of a scope frees each message once, and tells who follows", () => {
    const core = new CoreDriver();
    core.send("e", publish(1), publish(2, { topic: "u" }), publish(3, { scope: "other" }));
    core.send("f", follow(1));
    const ended = core.send("e", publish(4), close());
    expect(said(ended)).toEqual(["e: 4 is s/t 2", "f: s/t is closed"]);
    expect([...ended.freedPayloads].sort()).toEqual([1, 2, 4]);
    expect(core.send("e", close()).freedPayloads).toEqual([]);
    expect([...core.service.payloads()]).toEqual([3]);
    // A scope of the same name begins at 1 and has no followers.
    expect(said(core.send("e", publish(5)))).toEqual(["e: 5 is s/t 1"]);
  });

  it("P4 the payload of a refused publication is free", () => {
    const core = new CoreDriver({ messageBytesMax: 10 });
    const refused = core.send("e", publish(7, { bytes: 11 }));
    expect(said(refused)).toEqual(["e: refused"]);
    expect(refused.freedPayloads).toEqual([7]);
    expect(core.service.describe("s").barriers).toEqual([]);
    expect(core.service.figures().scopes).toBe(0);
  });

  it("P5 scopes never meet", () => {
    const core = new CoreDriver();
    core.send("f", follow(1, { scope: "a", topic: "b c" }));
    expect(said(core.send("e", publish(1, { scope: "a b", topic: "c" })))).toEqual([
      "e: 1 is a b/c 1",
    ]);
    core.send("e", publish(2, { scope: "a", topic: "b c" }));
    core.send("e", close("a"));
    expect(core.service.readTopic("a b", "c", 0)).toHaveLength(1);
    expect(core.service.readTopic("a", "b c", 0)).toHaveLength(0);
  });

  it("Service.readTopic() gives what comes behind a number, a read at a time", () => {
    const core = new CoreDriver({ messagesPerReadMax: 2 });
    core.send("e", publish(1), publish(2), publish(3));
    const ids = (after: number) => core.service.readTopic("s", "t", after).map(({ id }) => id);
    expect(ids(0)).toEqual([1, 2]);
    expect(ids(2)).toEqual([3]);
    expect(ids(3)).toEqual([]);
    expect(core.service.readTopic("s", "nothing", 0)).toEqual([]);
  });

  it("Service.restore() keeps messages, followers and the digest", () => {
    const core = new CoreDriver();
    core.send("f", follow(1));
    core.send("e", publish(1), publish(2, { topic: "u" }));
    const data: unknown = JSON.parse(JSON.stringify(core.service.snapshot()));
    const copy = Service.restore(core.limits, data as ReturnType<Service["snapshot"]>);
    expect(copy.digest()).toBe(core.service.digest());
    expect(copy.readTopic("s", "t", 0)).toEqual([{ id: 1, hash: 7 }]);
    core.service = copy;
    expect(said(core.send("e", publish(3)))).toEqual(["e: 3 is s/t 2", "f: s/t stands at 2"]);
  });

  it("Service.digest() differs when a message, its order or its payload does", () => {
    const digestOf = (...commands: ReturnType<typeof publish>[]): string => {
      const core = new CoreDriver();
      core.send("e", ...commands);
      return core.service.digest();
    };
    const digests = [
      digestOf(publish(1), publish(2)),
      digestOf(publish(2), publish(1)),
      digestOf(publish(1), publish(2, { topic: "u" })),
      digestOf(publish(1), publish(2, { bytes: 11 })),
    ];
    expect(new Set(digests).size).toBe(digests.length);
  });
});

describe("limits of topics", () => {
  const refusals = (applied: Applied): readonly string[] =>
    effectsOf(applied, "refused").map(({ code, message }) => `${code}: ${message}`);
  const expectLimit = (applied: Applied, name: keyof Limits, value: number): void => {
    expect(refusals(applied)).toEqual([expect.stringContaining(`limit ${name} (${value})`)]);
    expect(refusals(applied)[0]).toMatch(/^limit: .*raise it with --limit/);
  };

  it("nameBytesMax holds for topics, in bytes", () => {
    const core = new CoreDriver({ nameBytesMax: 6 });
    expect(refusals(core.send("e", publish(1, { topic: "äöü" })))).toEqual([]);
    expectLimit(core.send("e", publish(2, { topic: "äöüx" })), "nameBytesMax", 6);
    expectLimit(core.send("e", follow(2, { topic: "abcdefg" })), "nameBytesMax", 6);
    expectLimit(core.send("e", publish(2, { scope: "abcdefg" })), "nameBytesMax", 6);
    expect(refusals(core.send("e", publish(2, { topic: "" })))[0]).toContain("needs a name");
  });

  it("topicsPerScopeMax holds, and not for topics that are there", () => {
    const core = new CoreDriver({ topicsPerScopeMax: 2 });
    core.send("e", publish(1, { topic: "a" }), follow(2, { topic: "b" }));
    expectLimit(core.send("e", publish(3, { topic: "c" })), "topicsPerScopeMax", 2);
    expectLimit(core.send("e", follow(3, { topic: "c" })), "topicsPerScopeMax", 2);
    expect(refusals(core.send("e", publish(4, { topic: "b" })))).toEqual([]);
    expect(refusals(core.send("e", publish(5, { topic: "c", scope: "other" })))).toEqual([]);
  });

  it("messageBytesMax holds", () => {
    const core = new CoreDriver({ messageBytesMax: 10 });
    expect(refusals(core.send("e", publish(1, { bytes: 10 })))).toEqual([]);
    expectLimit(core.send("e", publish(2, { bytes: 11 })), "messageBytesMax", 10);
  });

  it("topicBytesPerScopeMax counts all topics of the scope and what each message costs", () => {
    const each = 36 + payloadOverheadBytes;
    const core = new CoreDriver({ messageBytesMax: 100, topicBytesPerScopeMax: 3 * each });
    const at = (topic: string, bytes: number) => ({ topic, bytes });
    core.send("e", publish(1, at("a", 36)), publish(2, at("b", 36)));
    expectLimit(core.send("e", publish(3, at("c", 37))), "topicBytesPerScopeMax", 3 * each);
    expect(refusals(core.send("e", publish(4, at("c", 36))))).toEqual([]);
    expectLimit(core.send("e", publish(5, at("a", 0))), "topicBytesPerScopeMax", 3 * each);
    core.send("e", close());
    expect(refusals(core.send("e", publish(6, at("a", 100))))).toEqual([]);
    expect(() => resolveLimits({ topicBytesPerScopeMax: 1 })).toThrow("must fit in its scope");
  });

  it("a payload that is no payload is refused", () => {
    const core = new CoreDriver();
    const payload = { id: 1, bytes: -1, hash: 0.5 };
    expect(refusals(core.send("e", { ...publish(1), payload }))).toEqual([
      "invalid: a payload is named by whole numbers",
    ]);
  });
});
