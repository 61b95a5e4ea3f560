// SPDX-License-Identifier: MIT
// Goal: the checker of simulated clusters takes for asked what counts, and nothing else: what it
// complains of is wrong (K2), and a request that counts twice is seen (K4). Method: a log by hand
// in which batches of a session come before one that was lost, or in which one request makes a
// barrier by two keys, and what a core says of it, as it is and with a word left out. Catches: a
// checker that believes what never counted, or does not see what was made twice.
import { describe, expect, it } from "vitest";
import type { Command, LogEntry, StateWait } from "../../../src/core/command.ts";
import type { Applied } from "../../../src/core/effect.ts";
import { resolveLimits } from "../../../src/core/limits.ts";
import { Service } from "../../../src/core/service.ts";
import { makesVersion } from "../../../src/core/version.ts";
import { ClusterChecker } from "../../../src/testing/cluster/cluster-checker.ts";
import type { Party } from "../../../src/testing/cluster/party.ts";

const limits = resolveLimits({ waitersPerBarrierMax: 1 });
const attach: Command = { kind: "attach" };
const unavailable: Command = {
  ...{ kind: "refuse", connection: 2, code: "unavailable", message: "the message was not stored" },
};

function waitOf(connection: number, name: string, barrier = "full"): StateWait {
  const who = { address: "p1", name };
  return { kind: "state-wait", scope: "s", barrier, connection, who, error: 0, target: 3 };
}

function publishAndWait(connection: number, name: string): Command {
  const arrival = waitOf(connection, name);
  const payload = { id: 7, bytes: 3, hash: 1 };
  return { kind: "publish", scope: "s", topic: "t", connection, payload, arrival };
}

function gone(name: string): Party {
  return {
    ...{ name, at: "p1", asked: "state-wait", sinceUs: 0, hasDeadline: false, isNative: true },
    ...{ isSubscription: false, end: { kind: "left" }, answers: 0, excuse: undefined },
    leave: () => {},
  };
}

/** One server reads what a session sends. */
class Reading {
  readonly checker = new ClusterChecker({
    ...{ limits, messageOf: () => undefined, log: { read: () => ({ stop: () => {} }) } },
  });
  readonly #core = new Service(limits);
  #sequence = 0;

  /** @param hears what the server says of it, where that is not what the core says */
  take(
    number: number,
    command: Command,
    hears: (applied: Applied) => Applied = (applied) => applied,
  ): Applied {
    this.#sequence += 1;
    const batches = [{ edge: "session/p1", incarnation: 1, number, commands: [command] }];
    const entry: LogEntry = {
      ...{ sequence: this.#sequence, stampUs: 0, entry: { format: 1, batches } },
    };
    const applied = hears(this.#core.apply(entry));
    this.checker.onEntry("n0", entry, applied, () => this.#core.digest());
    return applied;
  }

  /** The third batch comes, and does not count, before the second. */
  takeOneTooEarly(early: Command): void {
    this.take(1, attach);
    expect(this.take(3, early).addressed).toEqual([]);
    this.take(2, waitOf(1, "c1"));
  }
}

describe("ClusterChecker", () => {
  it("forgets what a batch said that did not count, and holds the server to what does", () => {
    const reading = new Reading();
    reading.takeOneTooEarly(unavailable);
    const { addressed } = reading.take(3, publishAndWait(2, "c2"));
    expect(addressed).toMatchObject([{ effect: { kind: "refused", code: "limit" } }]);
    expect(reading.checker.problems).toEqual([]);
  });

  it("K2 misses the refusal of who publishes and arrives, also behind such a batch", () => {
    const reading = new Reading();
    reading.takeOneTooEarly(unavailable);
    reading.take(3, publishAndWait(2, "c2"), (applied) => ({ ...applied, addressed: [] }));
    expect(reading.checker.problems).toEqual([
      "K2 entry 4 (state): n0 says [], should say [session/p1 1 refused 2 limit]",
    ]);
  });

  it("K4 sees a request that counts twice, once in place of such a batch", () => {
    const reading = new Reading();
    reading.takeOneTooEarly(unavailable);
    reading.take(3, waitOf(2, "c2", "other"));
    reading.take(4, waitOf(3, "c2", "other"));
    reading.checker.finish([gone("c2")]);
    expect(reading.checker.problems).toEqual(["K4 c2 at p1 (state-wait) counted 2 times"]);
  });

  it("K4 lets a request count that such a batch had", () => {
    const reading = new Reading();
    reading.takeOneTooEarly(waitOf(2, "c2", "other"));
    reading.take(3, unavailable);
    reading.take(4, waitOf(3, "c2", "other"));
    reading.checker.finish([gone("c2")]);
    expect(reading.checker.problems).toEqual([]);
  });
});

describe("ClusterChecker, of requests with an id that make a barrier", () => {
  const place = (connection: number, name: string) => ({
    ...{ scope: "s", barrier: "b", connection, who: { address: "p1", name } },
  });
  const quorum = (connection: number, count: number, once: string): Command => ({
    ...{ kind: "quorum-init", ...place(connection, "c1"), echo: "automatic", once },
    quorum: count === 0 ? { kind: "percent", percent: 0 } : { kind: "count", count },
  });
  const roster = (connection: number, once: string): Command => ({
    ...{ kind: "roster-open", ...place(connection, "c1"), members: [{ name: "x" }], once },
    rules: { phases: 1, whenDead: "fail", whenLate: "refuse" },
  });
  const member = (connection: number): Command => ({
    ...{ kind: "roster-arrive", ...place(connection, "x"), error: 0 },
  });

  function problemsOf(...commands: readonly Command[]): readonly string[] {
    const reading = new Reading();
    reading.checker.registerId("c1");
    const all = [attach, { kind: "version", version: makesVersion } as const, ...commands];
    for (const [index, command] of all.entries()) reading.take(index + 1, command);
    return reading.checker.problems;
  }

  it("K4 sees two quorums", () => {
    expect(problemsOf(quorum(1, 0, "k"), quorum(2, 0, "k"))).toEqual([]);
    expect(problemsOf(quorum(1, 0, "k"), quorum(2, 0, "other"))).toEqual([
      "K4 c1 has made generation 2 of b and generation 1 of b",
    ]);
  });

  it("K4 sees one that is refused and has made a quorum that is open", () => {
    expect(problemsOf(quorum(1, 2, "k"), quorum(2, 2, "k"))).toEqual([]);
    expect(problemsOf(quorum(1, 2, "k"), quorum(2, 2, "other"))).toEqual([
      "K4 c1 is refused (invalid), and has made generation 1 of b",
    ]);
  });

  it("K4 sees two rosters by those who meet at the second", () => {
    expect(problemsOf(roster(1, "k"), member(2), roster(3, "k"))).toEqual([]);
    expect(problemsOf(roster(1, "k"), member(2), roster(3, "other"), member(4))).toEqual([
      "K4 there is generation 2 of roster s b, and requests have made 1",
    ]);
  });
});
