// SPDX-License-Identifier: MIT
// Goal: the checker of trees knows of which quorum a controller below speaks, also when it was away
// while there were others of that name before (T5). Method: what a controller in the middle says to
// those below and hears from them, by hand, and that it then takes the quorum for reached.
// Catches: what was told of one before taken for what was told of this one, and the word of one
// below on one before taken for its word on this one.
import { expect, it } from "vitest";
import type { TreeMessage } from "../../../src/core/barriers/tree-messages.ts";
import { type RuleNode, TreeRules } from "../../../src/testing/cluster/tree-rules.ts";

const [top, east, leaf, west] = ["top", "east", "leaf", "west"].map(
  (name): RuleNode => ({ name, path: `/${name}`, isTop: () => name === "top", waits: new Map() }),
) as [RuleNode, RuleNode, RuleNode, RuleNode];

const about = { scope: "s", barrier: "b" };
const quorum = { kind: "percent", percent: 100 } as const;

/** `east` in the middle. Each step is an entry of its own. */
class Story {
  readonly complaints: string[] = [];
  readonly #rules = new TreeRules((rule, text) => this.complaints.push(`${rule} ${text}`));

  /** From the controller above. */
  hears(...messages: readonly TreeMessage[]): void {
    this.#rules.begin();
    for (const message of messages) this.#rules.take(east, top, about.scope, message);
  }

  tells({ name: to }: RuleNode, ...messages: readonly TreeMessage[]): void {
    this.#rules.begin();
    for (const message of messages) this.#rules.said(east, { ...about, to, message }, []);
  }

  hearsFrom(below: RuleNode, message: TreeMessage): void {
    this.#rules.begin();
    this.#rules.take(east, below, about.scope, message);
  }

  /** @returns what is wrong with it */
  saysThatItIsReached(...below: readonly RuleNode[]): readonly string[] {
    this.#rules.begin();
    const names = below.map(({ name }) => name);
    this.#rules.said(east, { ...about, to: top.name, message: reached(9) }, names);
    return this.complaints.splice(0);
  }
}

function init(key: number): TreeMessage {
  return { kind: "init", barrier: about.barrier, key, quorum };
}

function change(key: number, changes: number): TreeMessage {
  return { kind: "change", barrier: about.barrier, key, quorum, changes };
}

function ended(key: number): TreeMessage {
  const end = { outcome: "failed", error: 0, reason: "its driver was lost" } as const;
  return { kind: "ended", barrier: about.barrier, key, ...end, controller: "top" };
}

function reached(key: number, changes?: number): TreeMessage {
  const counted = changes === undefined ? {} : { changes };
  return { kind: "reached", barrier: about.barrier, key, error: 0, ...counted };
}

const notSaid = "T5 east takes quorum s b for reached, and leaf has not said so";

/** Both were opened while `leaf` was away; the first was changed, and has ended. */
function createSecond(): Story {
  const story = new Story();
  story.hears(init(8));
  story.hears(change(8, 1));
  story.hears(ended(8));
  story.hears(init(9));
  return story;
}

it("knows that one below that was away is told of changes of a quorum before", () => {
  const story = createSecond();
  story.tells(leaf, init(1), change(1, 1), ended(1), init(2));
  story.hearsFrom(leaf, reached(2));
  expect(story.saysThatItIsReached(leaf)).toEqual([]);
});

it("knows of each of those below what it was told", () => {
  const story = createSecond();
  story.tells(west, init(1), change(1, 1), ended(1), init(2));
  story.hears(change(9, 1));
  story.tells(west, change(2, 1));
  story.hearsFrom(west, reached(2, 1));
  story.tells(leaf, init(1), change(1, 1), ended(1), init(2));
  story.hearsFrom(leaf, reached(2));
  expect(story.saysThatItIsReached(west, leaf)).toEqual([]);
});

it("takes no word on a quorum before for one on the quorum of now", () => {
  const story = createSecond();
  story.tells(leaf, init(1), change(1, 1), ended(1), init(2));
  story.hearsFrom(leaf, reached(1));
  expect(story.saysThatItIsReached(leaf)).toEqual([notSaid]);
  story.hearsFrom(leaf, reached(1, 1));
  expect(story.saysThatItIsReached(leaf)).toEqual([notSaid]);
});

it("asks for a word on the quorum as it is since its change", () => {
  const story = new Story();
  story.hears(init(9));
  story.tells(leaf, init(2));
  story.hearsFrom(leaf, reached(2));
  expect(story.saysThatItIsReached(leaf)).toEqual([]);
  story.hears(change(9, 1));
  story.tells(leaf, change(2, 1));
  expect(story.saysThatItIsReached(leaf)).toEqual([notSaid]);
  story.hearsFrom(leaf, reached(2));
  expect(story.saysThatItIsReached(leaf)).toEqual([notSaid]);
  story.hearsFrom(leaf, reached(2, 1));
  expect(story.saysThatItIsReached(leaf)).toEqual([]);
});
