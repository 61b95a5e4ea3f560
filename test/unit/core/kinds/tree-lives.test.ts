// SPDX-License-Identifier: MIT
// M9: a join of a life that is over, which comes after those of the next, leaves no link stuck.
// Goal: after it the next life is heard again and finds out that it has to begin anew; the same
// life by another server goes on; older logs decide as they did. Method: joins of servers of a
// group below, in an order that logs of several servers give them, put to a core above.
import { describe, expect, it } from "vitest";
import type { EdgeEffect } from "../../../../src/core/effect.ts";
import { newLivesVersion } from "../../../../src/core/version.ts";
import { CoreDriver } from "../../../../src/testing/core-driver.ts";

const scope = "s";
const from = "east";

type Joined = Extract<EdgeEffect, { kind: "tree-joined" }>;

/** The controller above, and what a group below says to it. */
class Above {
  readonly #core = new CoreDriver();
  #life = 0;

  constructor(version: number) {
    this.raise(version);
  }

  raise(version: number): void {
    this.#core.send("host", { kind: "version", version });
  }

  /** A server of the group brings the link up, and its edge goes away. @returns what it is told */
  joinAndGo(edge: string, life: number, term: number): Joined {
    const joined = this.join(edge, life, term);
    this.detach(edge);
    return joined;
  }

  join(edge: string, life: number, term: number): Joined {
    this.#core.revive(edge);
    this.#life += 10;
    const facts = { scope, name: "root", peer: from, side: "child", life: this.#life } as const;
    const claim = { life, term, origin: 4 };
    const { addressed } = this.#core.send(edge, { kind: "tree-join", ...facts, claim });
    const joined = addressed.map(({ effect }) => effect).find(isJoined);
    if (joined === undefined) throw new Error("the join is refused");
    return joined;
  }

  meet(edge: string, life: number, receivedOf: number): void {
    const of = { life, received: 0, receivedOf, speaks: newLivesVersion };
    this.#core.send(edge, { kind: "tree-meet", scope, from, ...of });
  }

  detach(edge: string): void {
    this.#core.send("host", { kind: "detach", edge, incarnation: 1 });
  }

  /** @returns how far messages are taken after this one */
  say(edge: string, number: number): number | undefined {
    const order = { kind: "cancel-all", scope, error: 0 } as const;
    const message = { kind: "ask", id: 0, order } as const;
    const said = { kind: "tree-message", scope, from, number, message } as const;
    const { addressed } = this.#core.send(edge, said);
    for (const { effect } of addressed) if (effect.kind === "tree-received") return effect.number;
    return undefined;
  }
}

function isJoined(effect: EdgeEffect): effect is Joined {
  return effect.kind === "tree-joined";
}

describe("M9 a late join of a life that is over", () => {
  it("makes the next life begin anew when it comes back", () => {
    const above = new Above(newLivesVersion);
    const first = above.joinAndGo("a", 52, 3);
    const known = above.join("b", 72, 1);
    // Nothing had come of 52, so nothing is forgotten.
    expect(known.life).toBe(first.life);
    above.meet("b", 72, known.life);
    expect(above.say("b", 1)).toBe(1);
    above.detach("b");
    above.joinAndGo("c", 52, 3);
    const again = above.join("d", 72, 2);
    expect(again).toMatchObject({ received: 0 });
    expect(again).not.toHaveProperty("receivedOf");
    expect(again.life).not.toBe(known.life);
    // What it says of the life that it knew is nothing that this side has said.
    above.meet("d", 72, known.life);
    expect(above.say("d", 2)).toBe(0);
    expect(above.say("d", 1)).toBe(1);
  });

  it("does so when the life that is over has been heard, and each time", () => {
    const above = new Above(newLivesVersion);
    const lives = [52, 72, 52, 72].map((life, at) => {
      const edge = `e${at}`;
      const joined = above.join(edge, life, at + 1);
      above.meet(edge, life, joined.life);
      expect(above.say(edge, 1)).toBe(1);
      above.detach(edge);
      return joined.life;
    });
    expect(new Set(lives).size).toBe(4);
  });

  it("is none of another server of the same life: the link goes on", () => {
    const above = new Above(newLivesVersion);
    const known = above.join("a", 72, 1);
    above.meet("a", 72, known.life);
    expect(above.say("a", 1)).toBe(1);
    const next = above.join("b", 72, 2);
    expect(next).toMatchObject({ life: known.life, receivedOf: 72, received: 1 });
    above.meet("b", 72, known.life);
    expect(above.say("b", 2)).toBe(2);
  });

  it("is forgotten for when it has met in an older log, as it was", () => {
    const above = new Above(newLivesVersion - 1);
    const known = above.join("a", 72, 1);
    above.meet("a", 72, known.life);
    expect(above.say("a", 1)).toBe(1);
    above.detach("a");
    expect(above.joinAndGo("b", 52, 3)).toMatchObject({ life: known.life, receivedOf: 72 });
    above.raise(newLivesVersion);
    // It has not met, so that nothing is forgotten yet.
    expect(above.join("c", 72, 2)).toMatchObject({ life: known.life, received: 1 });
    above.detach("c");
    expect(above.join("d", 52, 4).life).not.toBe(known.life);
  });
});
